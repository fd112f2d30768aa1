import { CurvatureError } from "../../errors/index.ts";
import {
  cg,
  cgInverse,
  damped,
  hutchinsonDiagonal,
  jacobiPreconditioner,
  type LinearOperator,
  type RunOptions,
  submatrix,
} from "../../linalg/index.ts";
import { checkSeed } from "../../linalg/operator/checks.ts";
import { dot, norm } from "../../linalg/vectors/vector.ts";
import type { Vector } from "../../tensors/index.ts";
import type { ConstrainedMinimum, Constraint, CurvatureModel, Entries, InverseOptions } from "./curvatureModel.ts";
import { gathered } from "./denseBlocks.ts";

/** What a model of products is made with. */
interface OperatorSetup extends InverseOptions, RunOptions {
  readonly name: string;
  readonly damping: number;
  readonly alive?: Uint8Array | undefined;
  readonly near?: LinearOperator | undefined;
}

/** A matrix that counts its products. */
interface Counted {
  readonly A: LinearOperator;
  readonly matvecs: () => number;
  readonly add: (products: number) => void;
}

function counted(A: LinearOperator): Counted {
  let made = 0;
  const { matmat } = A;
  const counting: LinearOperator = {
    ...A,
    matvec(x, run) {
      made++;
      return A.matvec(x, run);
    },
    ...(matmat && {
      matmat(X, run) {
        made += X.columns;
        return matmat.call(A, X, run);
      },
    }),
  };
  return { A: counting, matvecs: () => made, add: (products) => void (made += products) };
}

/**
 * The model of a matrix that is known by products, with the closed inverse that it may have. The diagonal of the inverse is that closed one, which does not know of weights that are gone, or an
 * estimate by solves; compensations are solved by conjugate gradients over the weights that are kept, without any inverse.
 */
export function operatorModel(matrix: LinearOperator, setup: OperatorSetup): CurvatureModel {
  const { damping, alive, signal, inverse = "auto" } = setup;
  const run = signal ? { signal } : {};
  const { A, matvecs } = counted(matrix);
  const [size] = A.shape;
  const closed = inverse === "estimate" ? undefined : A.inverse?.({ damping });
  const isClosed = closed?.diagonal !== undefined;
  const here = (x: Vector) => Float64Array.from(x, (entry, i) => (alive === undefined || alive[i] !== 0 ? entry : 0));
  const product = async (x: Vector) => here(await A.matvec(here(x), run));
  const remaining = Int32Array.from({ length: size }, (_, i) => i).filter((i) => alive === undefined || alive[i] !== 0);
  const shifted = damped(A, damping);
  const solver = systemSolver(A, { ...setup, approximate: closed ?? setup.near?.inverse?.({ damping }) });
  const scattered = (x: Vector) => {
    const whole = new Float64Array(size);
    remaining.forEach((index, k) => {
      whole[index] = x[k]!;
    });
    return whole;
  };
  return {
    route: isClosed ? "closed form" : "estimate",
    damping,
    matvecs,
    async diagonal() {
      const known = await A.diagonal?.();
      return known === undefined ? estimated(A, setup) : { values: Float64Array.from(known) };
    },
    async inverseDiagonal() {
      if (isClosed) return { values: Float64Array.from(await closed.diagonal!()) };
      const inner = remaining.length === size ? shifted : submatrix(shifted, remaining);
      // Far below the noise of the probes, and within what rounding in float32 allows.
      const { tolerance, matvecs: most } = solveOptions(A, setup);
      const options = { tolerance: setup.solveTolerance ?? Math.max(10 * tolerance, 1e-6), matvecs: most };
      const { values, standardErrors } = await estimated(cgInverse(inner, options), setup);
      return { values: scattered(values), ...(standardErrors && { standardErrors: scattered(standardErrors) }) };
    },
    product,
    async solve(b) {
      if (closed !== undefined && remaining.length === size) return Float64Array.from(await closed.matvec(b, run));
      return scattered((await solver(remaining, gathered(b, remaining))).x);
    },
    constrained: (constraint) => constrained(constraint, { remaining, product, damping, solver, size }),
  };
}

function solveOptions(A: LinearOperator, { solveTolerance, solveMatvecs = 1000 }: InverseOptions) {
  return { tolerance: solveTolerance ?? (A.dtype === "float32" ? 1e-4 : 1e-8), matvecs: solveMatvecs };
}

/** Hutchinson's estimate of a diagonal. */
async function estimated(A: LinearOperator, setup: OperatorSetup): Promise<Entries> {
  const { name, probes = 50, seed, signal, onProgress } = setup;
  checkSeed(name, seed);
  const { values, standardErrors, status, message } = await hutchinsonDiagonal(A, {
    matvecs: probes,
    seed: seed!,
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
  });
  if (status === "aborted") throw new CurvatureError("aborted", `${name} was aborted: ${message}`);
  if (status === "nonfinite") throw new CurvatureError("numeric", `${name} has no diagonal: ${message}`);
  return { values: Float64Array.from(values), standardErrors: Float64Array.from(standardErrors) };
}

type Solver = (kept: Int32Array, b: Float64Array) => Promise<{ readonly x: Float64Array; readonly residual: number }>;

/**
 * Solves `(A + damping I)_RR x = b` for any R by conjugate gradients. The preconditioner is the part of an approximate inverse: the closed one of the matrix, or of the matrix near it; else the
 * diagonal that the matrix has. It is not the inverse of the part, but its eigenvalues relative to it lie closer together than those of the matrix.
 */
function systemSolver(
  A: LinearOperator,
  setup: OperatorSetup & { readonly approximate: LinearOperator | undefined },
): Solver {
  const { damping, approximate, name, signal } = setup;
  const { tolerance, matvecs } = solveOptions(A, setup);
  return async (kept, b) => {
    const M = submatrix(damped(A, damping), kept);
    const right = A.dtype === "float32" ? Float32Array.from(b) : b;
    const preconditioner =
      approximate !== undefined
        ? submatrix(approximate, kept)
        : A.diagonal === undefined
          ? undefined
          : await jacobiPreconditioner(M, {});
    const run = { tolerance, matvecs, ...(signal && { signal }), ...(preconditioner && { preconditioner }) };
    const { x, status, residualNorm, message } = await cg(M, right, run);
    const residual = residualNorm / Math.max(norm(right), Number.MIN_VALUE);
    if (status === "aborted") throw new CurvatureError("aborted", `${name} was aborted: ${message}`);
    if (status === "indefinite" || status === "nonfinite" || status === "breakdown") {
      throw new CurvatureError(
        "numeric",
        `${name} expects a positive definite matrix, but with damping ${damping} ${message}; raise the damping, or take ggn(risk)`,
      );
    }
    return { x: Float64Array.from(x), residual };
  };
}

async function constrained(
  { indices, targets, gradient }: Constraint,
  model: {
    readonly remaining: Int32Array;
    readonly product: (x: Vector) => Promise<Float64Array>;
    readonly damping: number;
    readonly solver: Solver;
    readonly size: number;
  },
): Promise<ConstrainedMinimum> {
  const { remaining, product, damping, solver, size } = model;
  const change = new Float64Array(size);
  const isFixed = new Uint8Array(size);
  indices.forEach((index, k) => {
    change[index] = targets[k]!;
    isFixed[index] = 1;
  });
  const kept = remaining.filter((index) => isFixed[index] === 0);
  const pushed = await product(change);
  const b = Float64Array.from(kept, (index) => -pushed[index]! - (gradient?.[index] ?? 0));
  let residual = 0;
  if (kept.length > 0 && b.some((entry) => entry !== 0)) {
    const solution = await solver(kept, b);
    residual = solution.residual;
    kept.forEach((index, k) => {
      change[index] = solution.x[k]!;
    });
  }
  const Ad = await product(change);
  const increase = (dot(change, Ad) + damping * dot(change, change)) / 2 + (gradient ? dot(gradient, change) : 0);
  return { change, increase, residual };
}
