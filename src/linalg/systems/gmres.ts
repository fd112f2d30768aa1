import { type Matrix, precisionOf, toPrecision, type Vector } from "../../tensors/index.ts";
import { appended } from "../krylov/lanczos.ts";
import { checkCount, checkSquare, epsilon, precision } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { isInterruption, preconditionerProducts } from "../runs/products.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import { growingBasis, leadingColumns, orthogonalize, withColumn } from "../vectors/basis.ts";
import { arithmeticOf, axpy, multiply, norm, scaled } from "../vectors/vector.ts";
import { solverSteps } from "./linearSolver.ts";
import type { Method, SolverOptions, SolverResult, SolverState, StepResult, StopReason } from "./solverMethod.ts";

/** Options of `gmres`. */
export interface GmresOptions extends SolverOptions<GmresState> {
  /** Steps between restarts, which bounds the memory to this many vectors (twice as many with a preconditioner); 30 by default. */
  readonly basisSize?: number | undefined;
  /** Operator close to the inverse of A, of any kind; may change from step to step. Applied once a step, not counted in `matvecs`. */
  readonly preconditioner?: LinearOperator | undefined;
}

/** State of a run of `gmres`, from which it can go on. */
export type GmresState = SolverState<GmresRecurrence>;

/** The Arnoldi basis since the last restart and the QR decomposition of its Hessenberg matrix. */
export interface GmresRecurrence {
  /** `[n, steps + 1]`, orthonormal. */
  readonly basis: Matrix;
  /** `[n, steps]`, the basis after preconditioning; absent without a preconditioner. */
  readonly preconditioned?: Matrix | undefined;
  /** Columns of R, of 1, 2, ... entries. */
  readonly R: readonly Float64Array[];
  readonly rotations: readonly { readonly c: number; readonly s: number }[];
  /** Right-hand side after the rotations; the absolute value of its last entry is the residual norm. */
  readonly g: Float64Array;
  readonly basisSize: number;
}

const NAME = "gmres";

/**
 * Solution of `A x = b` for a square A of any kind by the generalized minimum residual method with restarts (Saad and Schultz, 1986),
 * preconditioned from the right in the flexible form (Saad, 1993). One product a step; one more at each restart and at the end, since the
 * residual is computed from x there. Between restarts the residual norm never rises; with restarts it may stand still.
 *
 * @throws CurvatureError "argument", "shape" or "numeric" for options, operators or vectors it cannot take; whatever the operator throws,
 * with `state`
 */
export async function gmres(A: LinearOperator, b: Vector, options: GmresOptions = {}): Promise<SolverResult> {
  return runToEnd(gmresSteps(A, b, options));
}

/** The run of `gmres` step by step; yields a state after each, from which `state` resumes it. */
export async function* gmresSteps(
  A: LinearOperator,
  b: Vector,
  options: GmresOptions = {},
): AsyncGenerator<GmresState, SolverResult, void> {
  checkOptions(NAME, options, "basisSize preconditioner tolerance matvecs x0 state signal onProgress");
  const { basisSize = 30, preconditioner, signal } = options;
  checkCount(NAME, "basisSize", basisSize);
  if (preconditioner) checkSquare(`${NAME} (preconditioner)`, preconditioner);
  return yield* solverSteps(methodOf(basisSize, { preconditioner, signal }), { A, b, options });
}

function methodOf(
  basisSize: number,
  { preconditioner: M, signal }: { preconditioner: LinearOperator | undefined; signal: AbortSignal | undefined },
): Method<GmresRecurrence> {
  const inverse = preconditionerProducts(M, { name: NAME, signal });
  return {
    name: NAME,
    stepProducts: 1,
    async start(residual, { A }) {
      const beta = norm(residual);
      const first = { rows: residual.length, columns: 1, data: scaled(1 / beta, residual) };
      const preconditioned = inverse && { ...first, columns: 0, data: first.data.subarray(0, 0) };
      const none = { R: [], rotations: [], g: Float64Array.of(beta), basisSize: Math.min(basisSize, A.shape[1]) };
      return growing({ ...none, basis: first, preconditioned });
    },
    async step({ x }, was, { A, run, current }) {
      const v = was.basis.data.subarray(was.basis.rows * was.R.length);
      const z = inverse ? await inverse.matvec(v, current) : v;
      if (isInterruption(z)) return z;
      const w = await run.matvec(toPrecision(z, precision(A)), current);
      if (isInterruption(w)) return w;
      const { vector, coefficients, norm: left } = await orthogonalize(w, was.basis, arithmeticOf(A));
      const preconditioned = was.preconditioned && withColumn(was.preconditioned, z);
      return extended(
        x,
        { ...was, preconditioned },
        { vector, coefficients, left, rounding: 16 * epsilon(precision(A)) },
      );
    },
    resumed: growing,
    solution,
    isDue: ({ R, basisSize: length }) => R.length >= length,
    advice: {
      budget: "raise matvecs or basisSize, loosen tolerance, or take a preconditioner",
      breakdown: "add damping, or use lsmr, which takes singular operators",
      stagnated: "raise basisSize, loosen tolerance, or take a preconditioner",
    },
  };
}

/** The recurrence with room for as many basis vectors as it may hold. */
function growing({ basis, preconditioned, ...rest }: GmresRecurrence): GmresRecurrence {
  const { basisSize: capacity } = rest;
  const dtype = precisionOf(basis.data);
  return {
    ...rest,
    basis: growingBasis(basis, { capacity: capacity + 1, dtype }),
    preconditioned: preconditioned && growingBasis(preconditioned, { capacity, dtype }),
  };
}

/** One more column of the Hessenberg matrix, rotated into R, and one more basis vector. */
function extended(
  x: Vector,
  was: GmresRecurrence,
  step: { vector: Vector; coefficients: Float64Array; left: number; rounding: number },
): StepResult<GmresRecurrence> | StopReason {
  const column = step.coefficients.slice();
  was.rotations.forEach(({ c, s }, i) => {
    const [above, below] = [column[i], column[i + 1]];
    column[i] = c * above + s * below;
    column[i + 1] = c * below - s * above;
  });
  const j = was.R.length;
  const size = Math.hypot(...step.coefficients, step.left);
  const exhausted = step.left <= step.rounding * size;
  const diagonal = Math.hypot(column[j], exhausted ? 0 : step.left);
  if (diagonal <= step.rounding * size) {
    return { status: "breakdown", happened: "the Krylov space is exhausted and A is singular on it" };
  }
  const [c, s] = [column[j] / diagonal, exhausted ? 0 : step.left / diagonal];
  column[j] = diagonal;
  const g = appended(was.g, -s * was.g[j]);
  g[j] = c * was.g[j];
  const recurrence = {
    ...was,
    R: [...was.R, column],
    rotations: [...was.rotations, { c, s }],
    g,
    basis: exhausted ? was.basis : withColumn(was.basis, scaled(1 / step.left, step.vector)),
    // No vector is left to go on from: start again from the true residual.
    basisSize: exhausted ? j + 1 : was.basisSize,
  };
  return { x, recurrence, residualNorm: Math.abs(g[j + 1]) };
}

/** `x + Z y` with `R y = g`, where Z is the basis, preconditioned. */
function solution(x: Vector, { basis, preconditioned, R, g }: GmresRecurrence): Vector {
  const steps = R.length;
  if (steps === 0) return x;
  const y = new Float64Array(steps);
  for (let i = steps - 1; i >= 0; i--) {
    let rest = g[i];
    for (let j = i + 1; j < steps; j++) rest -= R[j][i] * y[j];
    y[i] = rest / R[i][i];
  }
  const result = x.slice();
  const Z = leadingColumns(preconditioned ?? basis, steps);
  axpy(1, multiply(Z, { rows: steps, columns: 1, data: y }).data, result);
  return result;
}
