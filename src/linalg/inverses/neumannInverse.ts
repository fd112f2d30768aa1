import { CurvatureError } from "../../errors/index.ts";
import { toPrecision, type Vector } from "../../tensors/index.ts";
import { powerIteration } from "../krylov/powerIteration.ts";
import {
  checkCount,
  checkDeclaredSymmetric,
  checkNonnegative,
  checkPositive,
  checkSeed,
  checkVector,
  precision,
} from "../operator/checks.ts";
import type { LinearOperator, RunOptions } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { isInterruption, type Products, products } from "../runs/products.ts";
import { axpy, norm, scal } from "../vectors/vector.ts";

/** Options of `neumannInverse`. */
export interface NeumannOptions {
  /** Number of terms of the series, at least 1. */
  readonly terms: number;
  /** Added to the diagonal: the inverse is of `A + damping I`. */
  readonly damping?: number | undefined;
  /** Step alpha, between 0 and `2 / (largest eigenvalue + damping)`; found by power iteration unless given. */
  readonly scale?: number | undefined;
  /** Seed of the power iteration; required unless `scale` is given. */
  readonly seed?: number | undefined;
  /** Most products of the power iteration, which runs once, before the first product; 30 by default. */
  readonly scaleMatvecs?: number | undefined;
  /** Bound on `||b - (A + damping I) x|| / ||b||`: the series ends there, and throws where its terms do not get there. No bound by default. */
  readonly tolerance?: number | undefined;
}

const NAME = "neumannInverse";

/** Growth of a term beyond what rounding does to one in the null space. */
const GROWTH = { float32: 1 + 1e-5, float64: 1 + 1e-10 };

/**
 * Inverse of `A + damping I` for a symmetric positive definite matrix by the truncated Neumann series
 * `alpha sum_(i < terms) (I - alpha (A + damping I))^i` (LiSSA: Agarwal, Bullins and Hazan, 2017), as an operator. It converges if and only
 * if all eigenvalues lie between 0 and 2 / alpha. Without `scale`, alpha is 1 / bound, where bound is the largest |eigenvalue| by power
 * iteration plus its residual norm plus damping: a bound that is too small by less than half still converges. `terms - 1` products each,
 * and once the power iteration. The residual of the result is the term after the last, at no further cost.
 *
 * @throws CurvatureError "argument" or "shape" here for what it cannot take; each product throws "numeric" instead of diverging, when a term
 * grows, when A is zero or its dominant eigenvalue negative, or when `tolerance` is not met, and "aborted" where it is stopped
 */
export function neumannInverse(A: LinearOperator, options: NeumannOptions): LinearOperator {
  checkOptions(NAME, options, "terms damping scale seed scaleMatvecs tolerance");
  checkDeclaredSymmetric(NAME, A);
  const { terms, damping = 0, scale, seed, scaleMatvecs = 30, tolerance = 0 } = options;
  checkCount(NAME, "terms", terms);
  checkCount(NAME, "scaleMatvecs", scaleMatvecs);
  checkNonnegative(NAME, "damping", damping);
  checkNonnegative(NAME, "tolerance", tolerance);
  if (scale === undefined) checkSeed(NAME, seed);
  else checkPositive(NAME, "scale", scale);
  let found: Promise<number> | undefined;
  const step = (run: RunOptions) => {
    if (scale !== undefined) return Promise.resolve(scale);
    found ??= stepFor(A, { ...run, damping, seed: seed!, matvecs: scaleMatvecs }).catch((error: unknown) => {
      found = undefined;
      throw error;
    });
    return found;
  };
  return {
    shape: A.shape,
    dtype: precision(A),
    symmetric: true,
    psd: A.psd,
    async matvec(b, run = {}) {
      checkVector(NAME, b, { what: "the vector", length: A.shape[1] });
      const own = b.slice();
      const alpha = await step(run);
      const counted = products(A, { ...run, name: NAME, matvecs: terms });
      return series(toPrecision(own, precision(A)), counted, { ...options, damping, alpha });
    },
  };
}

/** `1 / (|largest eigenvalue| + its residual norm + damping)`. */
async function stepFor(
  A: LinearOperator,
  { damping, ...options }: RunOptions & { damping: number; seed: number; matvecs: number },
): Promise<number> {
  // A tenth is close enough: the series converges with a bound that is too small by less than half.
  const { value, residualNorm, status, message } = await powerIteration(A, { ...options, tolerance: 0.1 });
  if (status === "aborted" || status === "nonfinite") {
    throw new CurvatureError(
      status === "aborted" ? "aborted" : "numeric",
      `${NAME} could not find its scale: ${message}`,
    );
  }
  if (value + residualNorm + damping <= 0 || value < -damping - residualNorm) {
    const message = `${NAME} expects a positive definite operator, got dominant eigenvalue ${value.toPrecision(3)} and damping ${damping}`;
    throw new CurvatureError("numeric", `${message}; raise damping`);
  }
  return 1 / (Math.abs(value) + residualNorm + damping);
}

/** Sum of the terms `t_(i+1) = t_i - alpha (A + damping I) t_i`; `b - (A + damping I) x` is the term after the last. */
async function series(
  b: Vector,
  run: Products,
  { terms, damping, alpha, tolerance }: NeumannOptions & { damping: number; alpha: number },
): Promise<Vector> {
  const size = norm(b);
  const growth = b instanceof Float32Array ? GROWTH.float32 : GROWTH.float64;
  let term = b;
  let before = size;
  const sum = b.slice();
  // With a tolerance one more term is needed, whose norm is the residual of the sum.
  const last = tolerance === undefined ? terms - 1 : terms;
  for (let i = 1; i <= last; i++) {
    const At = await run.matvec(term, () => undefined);
    if (isInterruption(At)) throw new CurvatureError(At.status === "aborted" ? "aborted" : "numeric", At.happened);
    term = term.slice();
    scal(1 - alpha * damping, term);
    axpy(-alpha, At, term);
    const now = norm(term);
    if (now > growth * before) throw diverging(i, { alpha, now, before });
    if (tolerance !== undefined && now <= tolerance * size) break;
    if (i === terms) {
      const message = `${NAME} reached a relative residual of ${(now / size).toPrecision(2)} with ${terms} terms, ${tolerance} asked for`;
      throw new CurvatureError("numeric", `${message}; raise terms or damping`);
    }
    axpy(1, term, sum);
    before = now;
    run.report(now);
  }
  scal(alpha, sum);
  return sum;
}

function diverging(i: number, { alpha, now, before }: { alpha: number; now: number; before: number }): CurvatureError {
  const message =
    `${NAME} diverges: term ${i} grew by the factor ${(now / before).toPrecision(4)} at scale ${alpha.toPrecision(3)}, so an eigenvalue is ` +
    "negative or above 2 / scale; raise damping or lower scale";
  return new CurvatureError("numeric", message);
}
