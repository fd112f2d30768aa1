import { CurvatureError } from "../errors/index.ts";

/** Placement of a uniform grid around the weights. */
export type RoundingScheme = "symmetric" | "asymmetric";

/** A uniform grid `step * level` for whole levels `from, ..., to`, which include 0. */
export interface UniformGrid {
  /** Distance of neighbouring points; 0 where all weights are 0. */
  readonly step: number;
  readonly from: number;
  readonly to: number;
}

/**
 * Refuses bits that are not whole or out of range, and unknown schemes.
 *
 * @throws CurvatureError "argument"
 */
export function checkGrid(
  name: string,
  { bits, scheme, most }: { readonly bits: number; readonly scheme: string; readonly most: number },
): void {
  if (!(Number.isInteger(bits) && bits >= 2 && bits <= most)) {
    throw new CurvatureError("argument", `${name} expects bits to be a whole number from 2 to ${most}, got ${bits}`);
  }
  if (scheme !== "symmetric" && scheme !== "asymmetric") {
    throw new CurvatureError("argument", `${name} expects scheme "symmetric" or "asymmetric", got ${String(scheme)}`);
  }
}

/** The grid of 2^b points or one fewer that spans the weights and 0: `uniformRounding` defines the schemes. */
export function uniformGrid(
  weights: ArrayLike<number>,
  { bits, scheme }: { readonly bits: number; readonly scheme: RoundingScheme },
): UniformGrid {
  let [low, high] = [0, 0];
  for (let i = 0; i < weights.length; i++) {
    low = Math.min(low, weights[i]!);
    high = Math.max(high, weights[i]!);
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

/** The level of the grid point nearest to a number, halves to even; 0 without a sign. */
export function nearestLevel(x: number, { step, from, to }: UniformGrid): number {
  return step === 0 ? 0 : Math.min(to, Math.max(from, roundHalfToEven(x / step))) + 0;
}

/** The nearest whole number, halves to even. */
export function roundHalfToEven(x: number): number {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}
