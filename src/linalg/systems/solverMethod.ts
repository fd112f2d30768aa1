import type { Vector } from "../../tensors/index.ts";
import type { LinearOperator, RunOptions } from "../operator/operator.ts";
import type { Products } from "../runs/products.ts";
import type { Outcome, Status } from "../runs/result.ts";
import type { VectorPool } from "../vectors/vectorPool.ts";
import type { RefinementHistory } from "./refinement.ts";

// Interface between a solver of linear systems and `linearSolver.ts`: options, state and the recurrence of the method.

/** Options that every solver takes. */
export interface SolverOptions<State> extends RunOptions {
  /** Bound on the residual norm over the norm of b: 1e-8 by default, 1e-4 for float32 operators. */
  readonly tolerance?: number | undefined;
  /** Most products, those with the transpose included; 1000 by default. What the final residual takes is kept back. */
  readonly matvecs?: number | undefined;
  /** `[n]`, where to start; zero by default. Costs one product, two in least squares. */
  readonly x0?: Vector | undefined;
  /** Where an earlier run with the same A, b and options stopped. */
  readonly state?: State | undefined;
}

/** A solution of `A x = b`, or the best approximation to it. */
export interface SolverResult extends Outcome {
  /** `[n]` */
  readonly x: Vector;
  /** `||b - A x||`, computed from x; the recurrence's own value after "aborted" and "nonfinite", when no product can be made for it. */
  readonly residualNorm: number;
}

/** Everything that the next step needs: plain data, from which the run can go on. */
export interface SolverState<Recurrence> {
  readonly method: string;
  readonly columns: number;
  readonly matvecs: number;
  readonly steps: number;
  /** `[n]`; of a method that forms its solution at a restart only, the one at the last restart. */
  readonly x: Vector;
  /** `||b - A x||`, as the recurrence has it unless `residual` is there. */
  readonly residualNorm: number;
  /** `b - A x` computed from x, from which the recurrence starts again. */
  readonly residual?: Vector | undefined;
  readonly recurrence?: Recurrence | undefined;
  /** In least squares: `||A' (b - A x)||`, and the norm of A that it is measured by. */
  readonly normal?: NormalResidual | undefined;
  /** The x of smallest `measure` so far, and the step it belongs to. */
  readonly best: {
    readonly x: Vector;
    readonly residualNorm: number;
    readonly normal?: NormalResidual | undefined;
    readonly isTrue: boolean;
    readonly step: number;
  };
  /** An x that may be better than the last one where b is not in the range of A; its residual is computed at the end as well. */
  readonly alternative?: Vector | undefined;
  /** True measures at the last two times that the recurrence claimed to have converged. */
  readonly verifiedResiduals: RefinementHistory;
  /** After the last step that can be made: why it is. */
  readonly ending?: StopReason | undefined;
}

/** Size of the gradient of `||b - A x||^2 / 2`, in the norm of the preconditioner where there is one. */
export interface NormalResidual {
  /** `||A' r||`, or `sqrt((A' r)' M (A' r))`. */
  readonly residualNorm: number;
  /** Norm of A, or of A times a square root of M. */
  readonly operatorNorm: number;
  /** `||A' r||` whatever the preconditioner, where it is known. */
  readonly gradientNorm?: number | undefined;
}

/** Reason why a run ends. */
export interface StopReason {
  readonly status: Status;
  readonly happened?: string | undefined;
  readonly advice?: string | undefined;
  /** With "indefinite": unit vector along which A has negative curvature, and that curvature. */
  readonly direction?: Vector | undefined;
  readonly curvature?: number | undefined;
}

/** The status of a method that needs a positive definite matrix, with its proof where the matrix is not. */
export type DefiniteStatus =
  | { readonly status: Exclude<Status, "indefinite">; readonly direction?: undefined; readonly curvature?: undefined }
  | {
      readonly status: "indefinite";
      /** Unit vector `[n]` along which A has negative curvature. */
      readonly direction: Vector;
      /** `direction' A direction`. */
      readonly curvature: number;
    };

/** Result of one step. */
export interface StepResult<Recurrence> {
  readonly x: Vector;
  readonly recurrence: Recurrence;
  readonly residualNorm: number;
  readonly normal?: NormalResidual | undefined;
  /** `b - A x`, where the step computed it from x. */
  readonly residual?: Vector | undefined;
  /** Whether that residual shows that the recurrence has lost touch with x, so that it has to start again. */
  readonly isLost?: boolean | undefined;
  /** An x that may be better than all later ones where b is not in the range of A. */
  readonly alternative?: Vector | undefined;
  /** Where this step is the last that can be made. */
  readonly ending?: StopReason | undefined;
}

/** Context passed to the functions of a method. */
export interface SolverContext {
  readonly A: LinearOperator;
  readonly b: Vector;
  readonly run: Products;
  /** The state before the step, which `error.state` becomes if the operator throws. */
  readonly current: () => unknown;
  /** Vectors to write over, in runs whose states nobody sees. */
  readonly pool?: VectorPool | undefined;
}

/** A solver: its recurrence and the rules that it follows. */
export interface Method<Recurrence> {
  readonly name: string;
  /** Most products of one step, and of a start. */
  readonly stepProducts: number;
  readonly startProducts?: number | undefined;
  /** Whether the minimum of `||b - A x||` counts as a solution, for operators of any shape with a transpose. */
  readonly leastSquares?: boolean | undefined;
  /** Whether it is a method on `A' A` in disguise, whose condition is the square of that of A. */
  readonly isOnSquare?: boolean | undefined;
  /** In least squares: products with the preconditioner of the normal equations, in whose norm their residual is measured. */
  readonly preconditioner?: Products | undefined;
  /** Names of the residual norm and, in least squares, of that of the normal equations in messages. */
  readonly terms?: { readonly residual: string; readonly gradient: string };
  /** Recurrence from a true residual `b - A x`. */
  start(residual: Vector, context: SolverContext): Promise<Recurrence | StopReason>;
  step(
    state: Pick<SolverState<Recurrence>, "x" | "steps" | "residualNorm">,
    recurrence: Recurrence,
    context: SolverContext,
  ): Promise<StepResult<Recurrence> | StopReason>;
  /** The current x, for a method that does not form it at each step. */
  solution?(x: Vector, recurrence: Recurrence): Vector;
  /** The recurrence of a saved state with room to grow again. */
  resumed?(recurrence: Recurrence): Recurrence;
  /** The long vectors of a recurrence, of a method that writes over those that it is done with. */
  vectors?(recurrence: Recurrence): readonly (Vector | undefined)[];
  /** Whether the recurrence has to start again now. */
  isDue?(recurrence: Recurrence): boolean;
  /** Advice for endings on which the method knows better. */
  readonly advice?: Partial<Record<Status, string>>;
}

/** A run of a method on one system. */
export interface SolverRun<R> extends SolverContext {
  readonly method: Method<R>;
  readonly tolerance: number;
  /** `||b||` */
  readonly size: number;
}

/** Whether a step gave an ending instead of an advance. */
export function isStopReason(result: object): result is StopReason {
  return "status" in result;
}

/** End of a run, with its last state, and the residual `b - A x` where it was computed from x. */
export interface SolverEnd {
  readonly result: SolverResult &
    Pick<StopReason, "direction" | "curvature"> & { readonly normalResidualNorm?: number };
  readonly residual?: Vector | undefined;
  readonly state: SolverState<unknown>;
}
