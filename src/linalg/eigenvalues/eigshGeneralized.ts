import { CurvatureError } from "../../errors/index.ts";
import type { Matrix, Vector } from "../../tensors/index.ts";
import { solverInverse } from "../inverses/solverInverse.ts";
import { checkDeclaredSymmetric, checkNonnegative, checkSameShape } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { type Interruption, isInterruption, products } from "../runs/products.ts";
import type { Outcome } from "../runs/result.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import { dot, norm } from "../vectors/vector.ts";
import {
  type BlockIterationState,
  type BlockOptions,
  blockIteration,
  blockPlan,
  type InnerProduct,
} from "./blockIteration.ts";

/** Options of `eigshGeneralized`. */
export interface EigshGeneralizedOptions extends BlockOptions {
  /** Most basis vectors held at once, each with its product with B; default `max(2 k + 4, 64)`. */
  readonly basisSize?: number | undefined;
  /** Vectors multiplied at once; eigenvalues up to this multiplicity are found. Default 1. */
  readonly blockSize?: number | undefined;
  /** Added to the diagonal of B, which makes a semidefinite B definite; 0 by default. */
  readonly damping?: number | undefined;
  /** Inverse of `B + damping I`; by default its own closed inverse, or conjugate gradients to `tolerance / 100`. */
  readonly inverse?: LinearOperator | undefined;
}

/** The Krylov space after `matvecs` products: plain data, from which the run can go on. */
export type EigshGeneralizedState = BlockIterationState;

/** Some eigenpairs of `A x = value B x`. */
export interface EigshGeneralizedResult extends Outcome {
  /** `[k]` in the order that `which` says; fewer only where the run ended before k could be formed. */
  readonly values: Float64Array;
  /** `[n, k]`, orthonormal in the inner product of B: `x_i' B x_j` is 1 for i = j, else 0. */
  readonly vectors: Matrix;
  /** `[k]`, `||A x - value B x||` in the norm of the inverse of B: some eigenvalue lies within that distance of the value. */
  readonly residualNorms: Float64Array;
}

const NAME = "eigshGeneralized";

/**
 * Eigenvalues at the ends of the pencil `A x = value B x` for symmetric A and symmetric positive definite B, by Lanczos on `B^-1 A` in the
 * inner product of B, with full reorthogonalization and thick restart (Ericsson and Ruhe, 1980). A step costs one product with A, one
 * with B and one solve with B; the end k of each. Memory `2 n (basisSize + 1)`. Only products with A count in `matvecs`.
 *
 * @throws CurvatureError "argument" or "shape" for options or operators it cannot take; "numeric" where B is not positive definite or cannot be solved with; whatever an
 * operator throws, with `state`
 */
export async function eigshGeneralized(
  A: LinearOperator,
  B: LinearOperator,
  options: EigshGeneralizedOptions,
): Promise<EigshGeneralizedResult> {
  return runToEnd(eigshGeneralizedSteps(A, B, options));
}

/** The run of `eigshGeneralized` step by step; yields a state after each, from which `state` resumes it. */
export async function* eigshGeneralizedSteps(
  A: LinearOperator,
  B: LinearOperator,
  options: EigshGeneralizedOptions,
): AsyncGenerator<EigshGeneralizedState, EigshGeneralizedResult, void> {
  checkOptions(
    NAME,
    options,
    "k which seed tolerance matvecs basisSize blockSize damping inverse copies state signal onProgress",
  );
  checkDeclaredSymmetric(NAME, A);
  checkDeclaredSymmetric(`${NAME} (B)`, B);
  checkSameShape(NAME, A, { B, what: "A and B" });
  const { damping = 0, state } = options;
  checkNonnegative(NAME, "damping", damping);
  const { blockSize = 1, basisSize = Math.max(2 * options.k + 4, 64) } = options;
  const plan = blockPlan(NAME, A, { ...options, blockSize, basisSize });
  await checkDefinite(B, damping);
  const inverse = options.inverse ?? inverseOf(B, { damping, tolerance: plan.tolerance / 100 });
  return yield* blockIteration({ ...plan, inner: innerProduct(B, inverse, options) }, state);
}

function inverseOf(B: LinearOperator, { damping, tolerance }: { damping: number; tolerance: number }): LinearOperator {
  if (B.inverse) return B.inverse({ damping });
  return solverInverse(B, { damping, tolerance, method: "cg", matvecs: 10 * B.shape[0] + 100 });
}

function innerProduct(
  B: LinearOperator,
  inverse: LinearOperator,
  { signal, damping = 0 }: EigshGeneralizedOptions,
): InnerProduct {
  const unlimited = { signal, matvecs: Number.POSITIVE_INFINITY };
  const metric = products(B, { ...unlimited, name: `B of ${NAME}` });
  const solver = products(inverse, { ...unlimited, name: `the inverse of B of ${NAME}` });
  return {
    async multiply(x: Vector, state): Promise<Vector | Interruption> {
      const Bx = await metric.matvec(x, state);
      if (isInterruption(Bx)) return Bx;
      const image = damping === 0 ? Bx : Bx.map((value, i) => value + damping * x[i]!);
      checkCurvature(x, image, "x' B x");
      return image;
    },
    async solve(x, state) {
      const solution = await solver.matvec(x, state);
      if (!isInterruption(solution)) checkCurvature(x, solution, "x' B^-1 x");
      return solution;
    },
  };
}

/**
 * Asks an operator that knows its log-determinant for it: only a positive definite one has it. For others the vectors of the run decide.
 *
 * @throws CurvatureError "numeric"
 */
async function checkDefinite(B: LinearOperator, damping: number): Promise<void> {
  if (!B.logdet) return;
  try {
    await B.logdet({ damping });
  } catch (cause) {
    throw notDefinite(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/** Inner products below this, over the norms of both vectors, are negative beyond rounding. */
const NEGATIVE = -1e-6;

function checkCurvature(x: Vector, image: Vector, what: string): void {
  const curvature = dot(x, image);
  if (!(curvature < NEGATIVE * norm(x) * norm(image))) return;
  throw notDefinite(`${what} is ${curvature.toPrecision(3)} for a vector of the run`);
}

function notDefinite(found: string, cause?: unknown): CurvatureError {
  const message = `${NAME} expects a positive definite B, but ${found}; damp B, or take another`;
  return new CurvatureError("numeric", message, { cause });
}
