import { type LinearOperator, matmat, type RunOptions, type Status } from "../../linalg/index.ts";
import { dot, norm } from "../../linalg/vectors/vector.ts";
import { column, type Matrix } from "../../tensors/index.ts";
import type { PreparedSolver } from "./influenceSolver.ts";

/** How well one system was solved, and what the damping has to do with it. */
export interface SystemCheck {
  /** `|b - (A + damping I) x| / |b|`, from a product with x. */
  readonly residual: number;
  /**
   * Share of the damping d in `x'(A + d I) x`: `d |x|^2` over it, 0 to 1 for a positive semidefinite A. Near 1 the score is `g_t'g_z / d`, which no curvature
   * enters.
   */
  readonly dampingShare: number;
  /** Whether `x'A x` is negative beyond rounding. */
  readonly negativeCurvature: boolean;
}

/** Solutions with their checks. */
export interface SolvedSystems {
  readonly x: Matrix;
  readonly checks: readonly SystemCheck[];
  readonly status: Status;
  readonly happened: string;
}

/** What the systems are of. */
export interface Systems {
  readonly A: LinearOperator;
  readonly damping: number;
  readonly solver: PreparedSolver;
  /** Bound on the residuals of solutions in closed form, which rounding may break. */
  readonly tolerance: number;
}

/**
 * Solves `(A + damping I) X = B` and checks each solution: by one product a column, or for methods that have ended with a true residual without.
 */
export async function solvedSystems(
  B: Matrix,
  systems: Systems,
  { signal, onProgress }: RunOptions,
): Promise<SolvedSystems> {
  const { A, damping, solver, tolerance } = systems;
  const { x, residuals, status, happened } = await solver.solve(B, { signal, onProgress });
  const AX = residuals === undefined ? await matmat(A, x, { signal }) : undefined;
  const checks = Array.from({ length: B.columns }, (_, k): SystemCheck => {
    const [b, own] = [column(B, k), column(x, k)];
    const penalty = damping * dot(own, own);
    // With a small residual r, x'(A + d I) x = x'b - x'r is x'b to rounding.
    const curvature = AX === undefined ? dot(own, b) : dot(own, column(AX, k)) + penalty;
    const size = Math.abs(curvature) || 1;
    return {
      residual: AX === undefined ? residuals![k]! : relativeResidual(b, own, { Ax: column(AX, k), damping }),
      dampingShare: penalty / size,
      negativeCurvature: curvature - penalty < -1e-6 * size,
    };
  });
  const isClosed = solver.method === "inverse" || solver.method === "dense";
  const worst = checks.reduce((so, { residual }) => Math.max(so, residual), 0);
  const broken = isClosed && worst > tolerance;
  return {
    x,
    checks,
    status: broken ? "stagnated" : status,
    happened: broken
      ? `${happened}, which leaves a relative residual of ${worst.toPrecision(2)} by rounding`
      : happened,
  };
}

function relativeResidual(
  b: ArrayLike<number>,
  x: ArrayLike<number>,
  { Ax, damping }: { readonly Ax: ArrayLike<number>; readonly damping: number },
): number {
  const r = Float64Array.from(b, (entry, i) => entry - Ax[i]! - damping * x[i]!);
  const size = norm(Float64Array.from(b));
  return size === 0 ? norm(r) : norm(r) / size;
}
