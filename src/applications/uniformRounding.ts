import { CurvatureError } from "../errors/index.ts";
import type { Vector } from "../tensors/index.ts";

/** Number of bits and placement of the grid of `uniformRounding`. */
export interface UniformRoundingOptions {
  /** Bits of one weight, 2 to 16. */
  readonly bits: number;
  /**
   * "symmetric", the default, has the integers -(2^(b-1) - 1), ..., 2^(b-1) - 1 and step max |w| / (2^(b-1) - 1). "asymmetric" has the
   * integers 0, ..., 2^b - 1, step (max - min) / (2^b - 1) over a range that includes 0, and a whole zero point. Both represent 0 exactly.
   */
  readonly scheme?: "symmetric" | "asymmetric";
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
  if (!(Number.isInteger(bits) && bits >= 2 && bits <= 16)) {
    throw new CurvatureError("argument", `uniformRounding expects bits to be a whole number from 2 to 16, got ${bits}`);
  }
  if (scheme !== "symmetric" && scheme !== "asymmetric") {
    throw new CurvatureError(
      "argument",
      `uniformRounding expects scheme "symmetric" or "asymmetric", got ${String(scheme)}`,
    );
  }
  const { step, from, to } = gridOf(weights, { bits, scheme });
  const values = Float64Array.from(weights);
  if (step === 0) return { values, step, meanSquaredError: 0 };
  const narrow = weights instanceof Float32Array;
  let squares = 0;
  for (let i = 0; i < values.length; i++) {
    const exact = values[i]!;
    const level = Math.min(to, Math.max(from, roundHalfToEven(exact / step)));
    values[i] = narrow ? Math.fround(step * level) : step * level;
    squares += (values[i]! - exact) ** 2;
  }
  return { values, step, meanSquaredError: squares / values.length };
}

/** Step of the grid and its first and last integer, with zero as the integer 0. */
function gridOf(weights: Vector, { bits, scheme }: Required<UniformRoundingOptions>) {
  let [low, high] = [0, 0];
  for (const weight of weights) {
    low = Math.min(low, weight);
    high = Math.max(high, weight);
  }
  if (scheme === "symmetric") {
    const most = 2 ** (bits - 1) - 1;
    return { step: Math.max(-low, high) / most, from: -most, to: most };
  }
  const levels = 2 ** bits - 1;
  const step = (high - low) / levels;
  const zeroPoint = step === 0 ? 0 : roundHalfToEven(-low / step);
  return { step, from: -zeroPoint, to: levels - zeroPoint };
}

function roundHalfToEven(x: number): number {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}
