import { CurvatureError } from "../../errors/index.ts";

// Multiple-choice knapsack by dynamic programming over the list of undominated plans of the first k items (Nemhauser and Ullmann, 1969): a plan
// that is neither smaller nor better than another one cannot become part of a better whole. Exact for any sizes and values, and the list of the last item is
// the whole front of size against value. Steps: at most sum over items of (plans in the list) x (choices), sorted. The list is never longer than the number of
// different sizes, and in practice some thousands of plans.

/** One way to treat an item. */
export interface ItemChoice {
  readonly size: number;
  readonly value: number;
}

/** A choice for each item. */
export interface ChosenItems extends ItemChoice {
  /** Index of the choice of each item. */
  readonly choices: readonly number[];
}

interface Partial {
  readonly size: number;
  readonly value: number;
  readonly choice: number;
  readonly before: Partial | undefined;
}

/** Most plans held at once, about 200 MB. */
const MOST_PLANS = 2_000_000;

/**
 * All plans that no other plan beats in size and value together, by rising size, with sums of sizes up to `budget`. Of plans of equal value
 * those with later choices for earlier items come first, and such a plan stays even where it is larger than another one of its value.
 *
 * @param items for each item its choices
 * @throws CurvatureError "unsupported" for a front of more than two million plans
 */
export function paretoPlans(items: readonly (readonly ItemChoice[])[], budget: number): readonly ChosenItems[] {
  const least = items.map((choices) => Math.min(...choices.map(({ size }) => size)));
  let rest = least.reduce((sum, size) => sum + size, 0);
  let plans: readonly Partial[] = [];
  items.forEach((choices, item) => {
    rest -= least[item]!;
    plans = undominated(extended(item === 0 ? [undefined] : plans, choices, budget - rest));
    if (plans.length <= MOST_PLANS) return;
    throw new CurvatureError(
      "unsupported",
      `bitPlan finds more than ${MOST_PLANS} undominated plans after ${item + 1} of ${items.length} tensors; offer fewer numbers of bits or quantize fewer tensors`,
    );
  });
  return plans.map((plan) => ({ size: plan.size, value: plan.value, choices: choicesOf(plan) }));
}

/** The plan of least value among those with sizes up to a budget, ties as `paretoPlans` has them. Undefined if none fits. */
export function bestWithin(plans: readonly ChosenItems[], budget: number): ChosenItems | undefined {
  let best: ChosenItems | undefined;
  for (const plan of plans) {
    if (plan.size > budget) break;
    // Later in the list, a plan of equal value has later choices for earlier items.
    if (best === undefined || plan.value <= best.value) best = plan;
  }
  return best;
}

function extended(
  plans: readonly (Partial | undefined)[],
  choices: readonly ItemChoice[],
  limit: number,
): readonly Partial[] {
  return plans.flatMap((before) =>
    choices.flatMap(({ size, value }, choice): Partial[] => {
      const total = (before?.size ?? 0) + size;
      return total > limit ? [] : [{ size: total, value: (before?.value ?? 0) + value, choice, before }];
    }),
  );
}

function undominated(plans: readonly Partial[]): readonly Partial[] {
  const sorted = [...plans].sort((a, b) => a.size - b.size || a.value - b.value || compared(b, a));
  const kept: Partial[] = [];
  let best: Partial | undefined;
  for (const plan of sorted) {
    if (best !== undefined && !(plan.value < best.value || (plan.value === best.value && compared(plan, best) > 0))) {
      continue;
    }
    best = plan;
    kept.push(plan);
  }
  return kept;
}

/** Positive where the first plan has the later choice at the first item where both differ. */
function compared(a: Partial, b: Partial): number {
  let [left, right]: (Partial | undefined)[] = [a, b];
  let order = 0;
  while (left !== undefined && right !== undefined && left !== right) {
    if (left.choice !== right.choice) order = left.choice - right.choice;
    left = left.before;
    right = right.before;
  }
  return order;
}

function choicesOf(plan: Partial): readonly number[] {
  const choices: number[] = [];
  for (let each: Partial | undefined = plan; each !== undefined; each = each.before) choices.push(each.choice);
  return choices.reverse();
}
