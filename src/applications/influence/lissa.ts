import { CurvatureError } from "../../errors/index.ts";
import { type LinearOperator, matmat, type RunOptions, type Status } from "../../linalg/index.ts";
import { powerIteration } from "../../linalg/krylov/powerIteration.ts";
import { checkCount, checkNonnegative, checkSeed } from "../../linalg/operator/checks.ts";
import { norm } from "../../linalg/vectors/vector.ts";
import { column, type Matrix } from "../../tensors/index.ts";
import { checkPositive } from "../checkPositive.ts";
import type { LissaSolver, MethodSetup, Solve } from "./solverOptions.ts";

/** Growth of a term above which the series counts as divergent. */
const GROWTH = { float32: 1 + 1e-4, float64: 1 + 1e-9 } as const;

/**
 * `x = 1/s sum_(i < terms) (I - (A + damping I) / s)^i b` for all columns b at once (Agarwal, Bullins and Hazan, 2017, algorithm 1, with all rows in each term). It
 * converges to `(A + damping I)^-1 b`, whatever s, if and only if all eigenvalues of A + damping I lie between 0 and 2 s. The term after the last is s times the
 * residual's share, so that the end is decided by the residual itself. One product for each term and column.
 *
 * In the form that is common, `h <- b + (1 - c) h - A h / s` with result h / s, the limit is `(A + c s I)^-1 b`: there another scale is another damping.
 */
export function lissa(A: LinearOperator, setup: MethodSetup & LissaSolver): Solve {
  const { name, damping, terms = 1000, tolerance = 1e-3, scale, seed } = setup;
  checkCount(name, "terms", terms);
  checkNonnegative(name, "tolerance", tolerance);
  if (scale === undefined) checkSeed(name, seed);
  else checkPositive(name, "scale", scale);
  let found: number | undefined = scale;
  return async (B, options) => {
    found ??= await scaleOf(A, { ...setup, seed: seed!, options });
    const { x, residual, used } = await series(A, B, { ...setup, options, damping, terms, tolerance, scale: found });
    const status: Status = residual <= tolerance || tolerance === 0 ? "converged" : "budget";
    const happened = `the series has a relative residual of ${residual.toPrecision(2)} after ${used} terms at scale ${found.toPrecision(3)}`;
    return {
      x,
      status,
      happened: status === "converged" ? happened : `${happened}; raise terms or damping, or take "cg"`,
    };
  };
}

interface Series extends MethodSetup {
  readonly options: RunOptions;
  readonly terms: number;
  readonly tolerance: number;
  readonly scale: number;
}

async function series(
  A: LinearOperator,
  B: Matrix,
  { name, damping, count, options, terms, tolerance, scale }: Series,
) {
  const { rows, columns } = B;
  const sizes = Array.from({ length: columns }, (_, k) => norm(column(B, k)));
  const growth = GROWTH[A.dtype];
  let term = Float64Array.from(B.data);
  let before = sizes;
  const sum = new Float64Array(term.length);
  let [residual, used] = [1, 0];
  while (used < terms) {
    for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + term[i]!;
    used++;
    const product = await matmat(A, { rows, columns, data: term }, { signal: options.signal });
    count(columns);
    term = term.map((entry, i) => entry - (product.data[i]! + damping * entry) / scale);
    const now = sizes.map((_, k) => norm(term.subarray(k * rows, (k + 1) * rows)));
    if (now.some((size, k) => size > growth * before[k]! && size > Number.EPSILON * sizes[k]!)) {
      throw new CurvatureError(
        "numeric",
        `${name}: LiSSA diverges at term ${used} with scale ${scale.toPrecision(3)} and damping ${damping}: an eigenvalue of the damped matrix is negative or above twice the scale; raise damping, leave scale out, or take "minres"`,
      );
    }
    before = now;
    residual = Math.max(...now.map((size, k) => (sizes[k] === 0 ? 0 : size / sizes[k]!)));
    options.onProgress?.({ stage: "lissa", done: used, total: terms, error: residual });
    if (tolerance > 0 && residual <= tolerance) break;
  }
  return { x: { rows, columns, data: sum.map((entry) => entry / scale) }, residual, used };
}

/** The largest eigenvalue of A in absolute value, and its uncertainty and the damping more. */
export async function scaleOf(
  A: LinearOperator,
  { name, damping, count, seed, options }: MethodSetup & { readonly seed: number; readonly options: RunOptions },
): Promise<number> {
  const { value, residualNorm, matvecs, status, message } = await powerIteration(A, {
    seed,
    matvecs: 30,
    tolerance: 0.1,
    ...(options.signal && { signal: options.signal }),
  });
  count(matvecs);
  if (status === "aborted" || status === "nonfinite") {
    throw new CurvatureError(
      status === "aborted" ? "aborted" : "numeric",
      `${name} could not find a scale: ${message}`,
    );
  }
  return Math.abs(value) + residualNorm + damping || 1;
}
