import { toPrecision, type Vector } from "../../tensors/index.ts";
import { scaled } from "../vectors/vector.ts";

// Squares of entries beyond 1e154 overflow, and of those below 1e-162 vanish. Right-hand sides that large or small are solved for in units of a power
// of two, which changes no digit; all others as they are.

/** Binary exponents within which inner products of right-hand sides neither overflow nor vanish. */
const SAFE_EXPONENT = 400;

/** A power of two to divide a vector by, so that its inner products are finite and accurate: 1 for vectors of usual size. */
export function unitOf(vector: Vector): number {
  let largest = 0;
  for (const value of vector) largest = Math.max(largest, Math.abs(value));
  if (!(largest > 0 && largest < Number.POSITIVE_INFINITY)) return 1;
  const exponent = Math.floor(Math.log2(largest));
  if (Math.abs(exponent) <= SAFE_EXPONENT) return 1;
  return 2 ** Math.max(Math.min(exponent, 1000), -1000);
}

/** What solvers give that is in units of the right-hand side. */
interface Solution {
  readonly x: Vector;
  readonly residualNorm: number;
  readonly normalResidualNorm?: number;
  readonly message: string;
}

/** Runs a solver on `b / unit`, with a start in the same units, and gives its result in the units of b. States of the run are in units of `unit`. */
export async function* inUnits<State, Result extends Solution, Options extends { readonly x0?: Vector }>(
  b: Vector,
  options: Options,
  run: (b: Vector, options: Options) => AsyncGenerator<State, Result, void>,
): AsyncGenerator<State, Result, void> {
  const unit = unitOf(b);
  if (unit === 1) return yield* run(b, options);
  const wide = toPrecision(b, "float64");
  const start = options.x0 === undefined ? {} : { x0: scaled(1 / unit, toPrecision(options.x0, "float64")) };
  const result = yield* run(scaled(1 / unit, wide), { ...options, ...start });
  return {
    ...result,
    x: scaled(unit, result.x),
    residualNorm: unit * result.residualNorm,
    ...(result.normalResidualNorm !== undefined && { normalResidualNorm: unit * result.normalResidualNorm }),
    message: `${result.message}; norms in units of 2^${Math.log2(unit)}`,
  };
}
