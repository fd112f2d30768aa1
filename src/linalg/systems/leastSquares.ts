import { CurvatureError } from "../../errors/index.ts";
import { formatDims, type Vector, zeros } from "../../tensors/index.ts";
import { adjoint } from "../operator/adjoint.ts";
import { callMatvec } from "../operator/callOperator.ts";
import { checkDeclaredSymmetric, checkNonnegative, checkOperator, checkVector, precision } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { hasAdjoint } from "../operator/structure.ts";
import { type Products, preconditionerProducts } from "../runs/products.ts";
import { axpy, combination, dot, norm } from "../vectors/vector.ts";
import { inUnits } from "./extremeScale.ts";
import { solverRun } from "./linearSolver.ts";
import type { Method, SolverOptions, SolverResult, SolverState, StopReason } from "./solverMethod.ts";

// What `lsmr` and `cgls` share beside what all solvers do: damping and preconditioning.

/** Options of the least-squares solvers. */
export interface LeastSquaresOptions<State> extends SolverOptions<State> {
  /**
   * Factor of `||x||^2` in what is minimized, `||b - A x||^2 + damping ||x||^2`; 0 by default. It is what is added to the diagonal of `A' A`,
   * as everywhere in this library: the square of what LSQR and LSMR elsewhere call damp.
   */
  readonly damping?: number | undefined;
  /**
   * Symmetric positive definite operator M `[n, n]` close to the inverse of `A' A + damping I`; applied once a step and once for each residual,
   * not counted in `matvecs`.
   */
  readonly preconditioner?: LinearOperator | undefined;
}

/** A least-squares solution of `A x = b`. */
export interface LeastSquaresResult extends SolverResult {
  /**
   * `||A' (b - A x) - damping x||`, the gradient of half of what is minimized; absent where no product was made for it and the recurrence
   * does not know it.
   */
  readonly normalResidualNorm?: number;
}

/** A system in least squares. */
interface LeastSquaresSystem<R> {
  readonly name: string;
  readonly A: LinearOperator;
  readonly b: Vector;
  readonly options: LeastSquaresOptions<SolverState<R>>;
}

/** Methods on `A' A` in disguise: a product with A and one with its transpose a step, one of the latter to start. */
const TRAITS = { stepProducts: 2, startProducts: 1, leastSquares: true, isOnSquare: true } as const;

/** The run of a method on `A x = b` or, with damping, on `[A; sqrt(damping) I] x = [b; 0]`, which has the minimizer wanted. */
export async function* leastSquaresSteps<R extends object>(
  recurrenceWith: (preconditioner: Products | undefined) => Pick<Method<R>, "start" | "step">,
  { name, A, b, options }: LeastSquaresSystem<R>,
): AsyncGenerator<SolverState<R>, LeastSquaresResult, void> {
  const { damping = 0, preconditioner: M, signal } = options;
  checkOperator(name, A);
  checkVector(name, b, { what: "b", length: A.shape[0], as: "rows" });
  checkNonnegative(name, "damping", damping);
  if (M) checkPreconditioner(name, M, A);
  const inverse = preconditionerProducts(M, { name, signal });
  const method = { ...TRAITS, ...recurrenceWith(inverse), name, preconditioner: inverse };
  return yield* inUnits(b, options, (right, given) => dampedSteps(method, { name, A, b: right, options: given }));
}

async function* dampedSteps<R extends object>(
  method: Method<R>,
  { name, A, b, options }: LeastSquaresSystem<R>,
): AsyncGenerator<SolverState<R>, LeastSquaresResult, void> {
  const { damping = 0 } = options;
  if (damping === 0) return (yield* solverRun(method, { A, b, options })).result;
  const [rows, columns] = A.shape;
  const below = zeros(rows + columns, precision(A));
  below.set(b);
  const terms = { residual: "sqrt(||r||^2 + damping ||x||^2)", gradient: "||A' r - damping x||" };
  const end = yield* solverRun(
    { ...method, terms },
    { A: stacked(A, { name, factor: Math.sqrt(damping) }), b: below, options },
  );
  const { x, residualNorm } = end.result;
  const squared = residualNorm ** 2 - damping * dot(x, x);
  const own = end.residual ? norm(end.residual.subarray(0, rows)) : Math.sqrt(Math.max(squared, 0));
  return { ...end.result, residualNorm: own };
}

function checkPreconditioner(name: string, M: LinearOperator, A: LinearOperator): void {
  checkDeclaredSymmetric(`${name} (preconditioner)`, M);
  const n = A.shape[1];
  if (M.shape[1] === n) return;
  const message = `${name} expects a preconditioner of shape [${n}, ${n}], as many rows as A has columns, got ${formatDims(M.shape)}`;
  throw new CurvatureError("shape", `${message}; make it from an approximation of A' A`);
}

/** `[A; factor I]`, a product with it costs one with A. */
function stacked(
  A: LinearOperator,
  { name, factor }: { readonly name: string; readonly factor: number },
): LinearOperator {
  const [rows, columns] = A.shape;
  const dtype = precision(A);
  const transpose = (): LinearOperator => {
    const At = adjoint(A);
    return {
      shape: [columns, rows + columns],
      dtype,
      symmetric: false,
      psd: false,
      async matvec(y, options) {
        const upper = await callMatvec(At, y.subarray(0, rows), { name, options });
        return combination([1, upper], [factor, y.subarray(rows)], { dtype });
      },
      adjoint: () => stacked(A, { name, factor }),
    };
  };
  return {
    shape: [rows + columns, columns],
    dtype,
    symmetric: false,
    psd: false,
    async matvec(x, options) {
      const y = zeros(rows + columns, dtype);
      y.set(await callMatvec(A, x, { name, options }));
      axpy(factor, x, y.subarray(rows));
      return y;
    },
    ...(hasAdjoint(A) && { adjoint: transpose }),
  };
}

/** StopReason of a run whose preconditioner gives `g' M g <= 0`. */
export function notDefinite(product: number): StopReason {
  return {
    status: "breakdown",
    happened: `the preconditioner gives g' M g = ${product.toPrecision(3)}: it is not positive definite`,
    advice: "take a positive definite preconditioner, or none",
  };
}
