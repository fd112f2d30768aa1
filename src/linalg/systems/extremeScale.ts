import { type Matrix, toPrecision, type Vector } from "../../tensors/index.ts";
import { scaled } from "../vectors/vector.ts";

// Squares of entries beyond 1e154 overflow, and of those below 1e-162 vanish. Right-hand sides that large or small are solved for in units of a power
// of two, which changes no digit; all others as they are.

/** Binary exponents within which inner products of right-hand sides neither overflow nor vanish. */
const SAFE_EXPONENT = 400;

/** A power of two to divide a vector by, so that its inner products are finite and accurate: 1 for vectors of usual size. */
function unitOf(vector: Vector): number {
  let largest = 0;
  for (const value of vector) largest = Math.max(largest, Math.abs(value));
  if (!(largest > 0 && largest < Number.POSITIVE_INFINITY)) return 1;
  const exponent = Math.floor(Math.log2(largest));
  if (Math.abs(exponent) <= SAFE_EXPONENT) return 1;
  return 2 ** Math.max(Math.min(exponent, 1000), -1000);
}

/** Results of solvers in units of the right-hand side, or of its square. */
interface Solution {
  readonly x: Vector | Matrix;
  readonly residualNorm?: number | undefined;
  readonly residualNorms?: Float64Array | undefined;
  readonly normalResidualNorm?: number;
  readonly model?: number | undefined;
  readonly message: string;
}

/** Options in these units. */
interface GivenInUnits {
  readonly x0?: Vector | undefined;
  readonly radius?: number | undefined;
  readonly matvecs?: number | undefined;
}

/**
 * Runs a solver on `b / unit`, with a start and a radius in the same units, and gives its result in the units of b. States of the run are in units of
 * `unit`.
 */
export async function* inUnits<State, Result extends Solution, Options extends GivenInUnits>(
  b: Vector,
  options: Options,
  run: (b: Vector, options: Options) => AsyncGenerator<State, Result, void>,
): AsyncGenerator<State, Result, void> {
  const unit = unitOf(b);
  if (unit === 1) return yield* run(b, options);
  const { x0, radius } = options;
  const start = x0 === undefined ? {} : { x0: scaled(1 / unit, toPrecision(x0, "float64")) };
  const bound = radius === undefined ? {} : { radius: radius / unit };
  const right = scaled(1 / unit, toPrecision(b, "float64"));
  return inUnitsOf(unit, yield* run(right, { ...options, ...start, ...bound }));
}

/** A result times the unit that it was found in. */
function inUnitsOf<Result extends Solution>(unit: number, result: Result): Result {
  const { x, residualNorm, residualNorms, normalResidualNorm, model } = result;
  return {
    ...result,
    x: "rows" in x ? { ...x, data: scaled(unit, x.data) } : scaled(unit, x),
    ...(residualNorm !== undefined && { residualNorm: unit * residualNorm }),
    ...(residualNorms && { residualNorms: scaled(unit, residualNorms) }),
    ...(normalResidualNorm !== undefined && { normalResidualNorm: unit * normalResidualNorm }),
    ...(model !== undefined && { model: unit * unit * model }),
    message: `${result.message}; norms in units of 2^${Math.log2(unit)}`,
  };
}
