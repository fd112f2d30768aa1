import { CurvatureError } from "../../errors/index.ts";
import { checkSeed } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { checkOneOf } from "../../structured/kroneckerOptions.ts";
import { bestWithin, type ChosenItems, paretoPlans } from "./paretoPlans.ts";
import { type PlanStability, planStability } from "./planStability.ts";
import type { PlannedTensor, QuantizationPlan } from "./quantizationPlan.ts";
import { checkQuantizer } from "./quantizeTensor.ts";
import type { BitChoice, QuantizationSensitivity, TensorSensitivity } from "./sensitivity.ts";
import { budgetOf, type SizeBudget } from "./sizeBudget.ts";

/** Options of `bitPlan`. */
export interface BitPlanOptions {
  readonly budget: SizeBudget;
  /**
   * What the plan makes least, summed over tensors: "omega" (HAWQ-V2; default), "predicted", the change of the loss to second order for the rounding errors
   * themselves, or "measured", the change with one tensor rounded alone.
   */
  readonly objective?: PlanObjective | undefined;
  /** Plans made with traces drawn within their standard errors; 100 by default, 0 for none. Only for "omega" of estimated traces. */
  readonly resamples?: number | undefined;
  /** Seed of these draws; needed where they are made. */
  readonly seed?: number | undefined;
  /** Most points of the front that are returned, at least 2; 200 by default. */
  readonly frontPoints?: number | undefined;
}

/** A quantity that a plan makes least. */
export type PlanObjective = "omega" | "predicted" | "measured";

/** The bits of each tensor under a budget. */
export interface BitPlan extends QuantizationPlan {
  readonly objective: PlanObjective;
  /** Sum of the objective over the tensors. */
  readonly total: number;
  readonly budgetBits: number;
  /** Bits of all weights of the plan's tensors. */
  readonly usedBits: number;
  readonly averageBits: number;
  readonly tensors: readonly (PlannedTensor & { readonly size: number })[];
  /** Sums over the tensors of what was computed for each alone, without the cross terms between tensors. */
  readonly separate: PlanSums;
  /** Plans that no other plan beats in size and objective together, by rising size. Thinned out to `frontPoints`. */
  readonly front: readonly FrontPoint[];
  /** Number of such plans before thinning. */
  readonly frontSize: number;
  readonly stability: PlanStability;
}

/** Sums over tensors of quantities that were computed for each alone. */
export interface PlanSums {
  readonly omega: number;
  readonly linear: number;
  readonly halfQuadratic: number;
  readonly predicted: number;
  readonly measured: number;
}

/** A plan of the front. */
export interface FrontPoint {
  readonly usedBits: number;
  readonly averageBits: number;
  /** Sum of the objective over the tensors. */
  readonly total: number;
  /** Bits of each tensor, in the order of the sensitivity's tensors. */
  readonly bits: readonly number[];
}

const NAME = "bitPlan";

/**
 * The bits of each tensor that make an objective least under a budget of size: the integer program of HAWQ-V3 (Yao et al., 2021) with one
 * constraint, a multiple-choice knapsack, solved exactly by dynamic programming over the plans that no other plan beats. Of plans of equal
 * objective that with more bits in earlier tensors is taken. A larger budget never gives a larger objective.
 *
 * Takes one pass over the tensors with a list of at most as many plans as there are different sizes; some milliseconds for tens of tensors. No pass
 * over the data. The prediction with cross terms, and the loss, is `measurePlan`'s.
 *
 * @throws CurvatureError "argument" for a budget below the smallest plan, and options out of range; "unsupported" for more than two million undominated plans
 */
export function bitPlan(sensitivity: QuantizationSensitivity, options: BitPlanOptions): BitPlan {
  checkOptions(NAME, options, "budget objective resamples seed frontPoints");
  const { objective = "omega", resamples = 100, seed, frontPoints = 200 } = options;
  checkOneOf(NAME, { option: "objective", value: objective, of: ["omega", "predicted", "measured"] });
  checkLeast("resamples", resamples, 0);
  checkLeast("frontPoints", frontPoints, 2);
  const { tensors, scheme, scale } = sensitivity;
  const weights = tensors.reduce((sum, { size }) => sum + size, 0);
  const budgetBits = budgetOf(NAME, options.budget, { weights, bits: sensitivity.bits });
  const items = itemsOf(tensors, (choice) => valueOf(choice, objective));
  const plans = paretoPlans(items, Number.POSITIVE_INFINITY);
  const best = bestWithin(plans, budgetBits)!;
  const front = plans.filter((plan, i) => i === 0 || plan.value < plans[i - 1]!.value);
  const point = (plan: ChosenItems) => frontPoint(plan, { tensors, weights });
  const stability = planStability(sensitivity, {
    budgetBits,
    best,
    resamples: objective === "omega" ? resamples : 0,
    seed: () => {
      checkSeed(NAME, seed);
      return seed!;
    },
    objective,
  });
  return {
    scheme,
    scale,
    objective,
    total: best.value,
    budgetBits,
    usedBits: best.size,
    averageBits: best.size / weights,
    tensors: tensors.map((tensor, i) => plannedTensor(tensor, tensor.choices[best.choices[i]!]!.bits)),
    separate: sumsOf(tensors.map(({ choices }, i) => choices[best.choices[i]!]!)),
    front: thinned(front, frontPoints).map(point),
    frontSize: front.length,
    stability,
  };
}

/**
 * The plan that gives all tensors of a sensitivity the same bits.
 *
 * @throws CurvatureError "argument" for bits out of range
 */
export function uniformPlan(sensitivity: QuantizationSensitivity, bits: number): QuantizationPlan {
  checkQuantizer("uniformPlan", { bits: [bits] });
  const { tensors, scheme, scale } = sensitivity;
  return { scheme, scale, tensors: tensors.map((tensor) => plannedTensor(tensor, bits)) };
}

/** The choices of each tensor as items of the knapsack: sizes in bits, and values. */
export function itemsOf(
  tensors: readonly TensorSensitivity[],
  value: (choice: BitChoice, tensor: TensorSensitivity, index: number) => number,
) {
  return tensors.map((tensor, i) =>
    tensor.choices.map((choice) => ({ size: tensor.size * choice.bits, value: value(choice, tensor, i) })),
  );
}

function valueOf(choice: BitChoice, objective: PlanObjective): number {
  return objective === "omega" ? choice.omega.value : choice[objective];
}

function plannedTensor(
  { name, size, axis }: TensorSensitivity,
  bits: number,
): PlannedTensor & { readonly size: number } {
  return { name, bits, size, ...(axis !== undefined && { axis }) };
}

function checkLeast(option: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new CurvatureError(
    "argument",
    `${NAME} expects ${option} to be a whole number of at least ${least}, got ${String(value)}`,
  );
}

function sumsOf(choices: readonly BitChoice[]): PlanSums {
  const sum = (of: (choice: BitChoice) => number) => choices.reduce((total, choice) => total + of(choice), 0);
  return {
    omega: sum(({ omega }) => omega.value),
    linear: sum(({ linear }) => linear),
    halfQuadratic: sum(({ halfQuadratic }) => halfQuadratic),
    predicted: sum(({ predicted }) => predicted),
    measured: sum(({ measured }) => measured),
  };
}

function frontPoint(
  { size, value, choices }: ChosenItems,
  { tensors, weights }: { readonly tensors: readonly TensorSensitivity[]; readonly weights: number },
): FrontPoint {
  return {
    usedBits: size,
    averageBits: size / weights,
    total: value,
    bits: choices.map((choice, i) => tensors[i]!.choices[choice]!.bits),
  };
}

/** At most so many of the points, first and last among them, at equal distances in the list. */
function thinned<T>(points: readonly T[], most: number): readonly T[] {
  if (points.length <= most) return points;
  return Array.from({ length: most }, (_, i) => points[Math.round((i * (points.length - 1)) / (most - 1))]!);
}
