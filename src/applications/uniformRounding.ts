import type { Vector } from "../tensors/index.ts";
import { checkGrid, nearestLevel, type RoundingScheme, uniformGrid } from "./uniformGrid.ts";

/** Number of bits and placement of the grid of `uniformRounding`. */
export interface UniformRoundingOptions {
  /** Bits of one weight, 2 to 16. */
  readonly bits: number;
  /**
   * "symmetric", the default, has the integers -(2^(b-1) - 1), ..., 2^(b-1) - 1 and step max |w| / (2^(b-1) - 1). "asymmetric" has the
   * integers 0, ..., 2^b - 1, step (max - min) / (2^b - 1) over a range that includes 0, and a whole zero point. Both represent 0 exactly.
   */
  readonly scheme?: RoundingScheme;
}

/** A tensor of weights rounded to a uniform grid. */
export interface RoundedWeights {
  /** The rounded weights, in the precision of those given. */
  readonly values: Float64Array;
  /** Distance of neighbouring grid points; 0 for a tensor of zeros. */
  readonly step: number;
  /** Mean of the squared rounding errors. `step^2 / 12` if the errors are uniform in [-step / 2, step / 2]. */
  readonly meanSquaredError: number;
}

/**
 * Rounds the weights of one tensor to b bits, as a per-tensor quantizer stores them: `step round(w / step)` with halves rounded to even, the
 * rule of ONNX `QuantizeLinear`. Time is linear in the number of weights.
 *
 * @throws CurvatureError "argument" for bits out of range or an unknown scheme
 */
export function uniformRounding(
  weights: Vector,
  { bits, scheme = "symmetric" }: UniformRoundingOptions,
): RoundedWeights {
  checkGrid("uniformRounding", { bits, scheme, most: 16 });
  const grid = uniformGrid(weights, { bits, scheme });
  const { step } = grid;
  const values = Float64Array.from(weights);
  if (step === 0) return { values, step, meanSquaredError: 0 };
  const narrow = weights instanceof Float32Array;
  let squares = 0;
  for (let i = 0; i < values.length; i++) {
    const exact = values[i]!;
    const level = nearestLevel(exact, grid);
    values[i] = narrow ? Math.fround(step * level) : step * level;
    squares += (values[i]! - exact) ** 2;
  }
  return { values, step, meanSquaredError: squares / values.length };
}
