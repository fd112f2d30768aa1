import { CurvatureError } from "../../errors/index.ts";
import type { Risk } from "../../operators/index.ts";
import { type ChosenTensors, chosenTensors } from "./chosenTensors.ts";

/**
 * Largest size of the weights of the plan's tensors: bits of a weight on average, or bits or bytes of all of them. Steps, zero points and tensors
 * outside of the plan are not counted.
 */
export type SizeBudget = { readonly averageBits: number } | { readonly bits: number } | { readonly bytes: number };

/**
 * Checks before any work that a budget is enough for the smallest plan, the fewest bits for every tensor, and returns it in bits.
 *
 * @throws CurvatureError "argument" for a budget below that, and patterns without a match
 */
export function checkBudget(
  risk: Risk,
  options: { readonly budget: SizeBudget; readonly bits: readonly number[]; readonly tensors?: ChosenTensors },
): number {
  const tensors = chosenTensors("quantization", risk, options.tensors);
  const weights = tensors.reduce((sum, { size }) => sum + size, 0);
  return budgetOf("quantization", options.budget, { weights, bits: options.bits });
}

/**
 * The budget in whole bits.
 *
 * @throws CurvatureError "argument" for one below the smallest plan, and what is no budget
 */
export function budgetOf(
  name: string,
  budget: SizeBudget,
  { weights, bits: offered }: { readonly weights: number; readonly bits: readonly number[] },
): number {
  const given = Object.entries(budget ?? {});
  const [kind, value] = given[0] ?? [];
  const units: { readonly [kind: string]: number } = { averageBits: weights, bits: 1, bytes: 8 };
  const unit = kind === undefined ? undefined : units[kind];
  if (given.length !== 1 || unit === undefined || !(typeof value === "number" && value > 0)) {
    throw new CurvatureError(
      "argument",
      `${name} expects budget as { averageBits }, { bits } or { bytes }, a positive number, got ${JSON.stringify(budget)}`,
    );
  }
  // Whole bits; products as 3.3 * 10 may lie just below one.
  const bits = Math.floor(value * unit * (1 + 1e-12));
  const smallest = Math.min(...offered) * weights;
  if (bits >= smallest) return bits;
  throw new CurvatureError(
    "argument",
    `${name} expects a budget of at least ${smallest} bits, ${Math.min(...offered)} for each of ${weights} weights, got ${bits} (${(bits / weights).toPrecision(3)} a weight); raise it, or offer fewer bits a weight`,
  );
}
