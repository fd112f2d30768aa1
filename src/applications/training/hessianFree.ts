import { CurvatureError } from "../../errors/index.ts";
import { cgSteps, damped, type LinearOperator, type RunOptions } from "../../linalg/index.ts";
import { checkCount } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { runToEnd } from "../../linalg/runs/runToEnd.ts";
import { dot, norm, scaled } from "../../linalg/vectors/vector.ts";
import { ggn, type Risk } from "../../operators/index.ts";
import type { Vector } from "../../tensors/index.ts";
import { checkDamping, type DampingOptions, isNothing, nextDamping } from "./levenbergMarquardt.ts";
import { movedTheta } from "./movedTheta.ts";
import type { CurvatureFactory, Objective } from "./objective.ts";
import { predictedChange, trustRatio } from "./quadraticModel.ts";
import type {
  Proposal,
  StepContext,
  TrainingMethod,
  TrainingOptions,
  TrainingResult,
  TrainingState,
} from "./trainingMethod.ts";
import { trainingSteps } from "./trainingRun.ts";

/** What Hessian-free optimization remembers. */
export interface HessianFreeMemory {
  readonly damping: number;
  /** The solution of the last step, from which the next one starts; absent at first. */
  readonly solution: Vector | undefined;
}

/** State of a run of `hessianFree`, from which it can go on. */
export type HessianFreeState = TrainingState<HessianFreeMemory>;

/** Makes an operator close to the inverse of `B + damping I`, symmetric positive definite, for a risk at some weights. */
export type PreconditionerFactory = (
  risk: Risk,
  options: { readonly damping: number },
) => LinearOperator | Promise<LinearOperator>;

/** Options of `hessianFree`. */
export interface HessianFreeOptions extends TrainingOptions<HessianFreeState>, DampingOptions {
  /** Damping at the start; 1 by default. */
  readonly damping?: number;
  /** The matrix of the loss; default: the Gauss-Newton matrix. */
  readonly matrix?: CurvatureFactory;
  /** Makes the preconditioner of conjugate gradients at each step; none by default. */
  readonly preconditioner?: PreconditionerFactory;
  /** Most products of a step; 250 by default. */
  readonly solveMatvecs?: number;
}

const NAME = "hessianFree";

/** Share of the last solution from which the next one starts. */
const WARM = 0.95;

/** Relative progress of the model for each iteration of the look back at which conjugate gradients end. */
const PROGRESS = 5e-4;

/**
 * Hessian-free optimization (Martens, 2010): `(G + damping I) s = -g` by conjugate gradients from 0.95 times the last solution, ended when the model's progress over
 * the last k = max(10, i / 10) iterations is below k 5e-4 of it. Of the iterates at steps 1.3^j, it goes back to the earliest whose objective is not above that of
 * the next one, then searches along it by halving (Armijo, 1e-4). The damping follows the ratio of actual to predicted change as in `levenbergMarquardt`. A step takes one
 * gradient, the products of the solution plus one, and a value of the objective for each iterate and length that is tried.
 *
 * @throws CurvatureError "argument", "shape" or "unsupported" for options it cannot take, with `state` where a step fails
 */
export function hessianFree(risk: Risk, options: HessianFreeOptions = {}): Promise<TrainingResult> {
  return runToEnd(hessianFreeSteps(risk, options));
}

/** The run of `hessianFree` step by step; yields a state after each, from which `state` resumes it. */
export async function* hessianFreeSteps(
  risk: Risk,
  options: HessianFreeOptions = {},
): AsyncGenerator<HessianFreeState, TrainingResult, void> {
  checkOptions(
    NAME,
    options,
    "damping decrease increase matrix preconditioner solveMatvecs steps tolerance target batchRows curvatureRows seed validation patience weightDecay penalties frozen state signal onProgress",
  );
  const { damping = 1, matrix = ggn, solveMatvecs = 250 } = options;
  checkDamping(NAME, { ...options, damping });
  checkCount(NAME, "solveMatvecs", solveMatvecs);
  const method: TrainingMethod<HessianFreeMemory> = {
    name: NAME,
    start: () => ({ damping, solution: undefined }),
    step: (context) => stepOf(context, { ...options, matrix, solveMatvecs }),
  };
  return yield* trainingSteps(method, risk, options);
}

async function stepOf(
  context: StepContext<HessianFreeMemory>,
  options: HessianFreeOptions & { readonly matrix: CurvatureFactory; readonly solveMatvecs: number },
): Promise<Proposal<HessianFreeMemory>> {
  const { objective, theta, value, gradient, own, run } = context;
  const { damping } = own;
  const { matrix, preconditioner, solveMatvecs } = options;
  const found = await objective.withMatrix(theta, {
    make: async (risk) => {
      const A = await matrix(risk);
      const M = await preconditioner?.(risk, { damping });
      return M === undefined ? A : { ...A, inverse: () => M };
    },
    async work({ operator, ofLoss }) {
      const M = preconditioner === undefined ? undefined : ofLoss.inverse!({ damping });
      const iterates = await solutions(operator, { context, damping, matvecs: solveMatvecs, preconditioner: M });
      const best = await backtracked(objective, { theta, iterates });
      return {
        ...best,
        solution: iterates.at(-1)!,
        predicted: await predictedChange(operator, { g: gradient, s: best.s, run }),
      };
    },
  });
  const { predicted, solution } = found;
  const ratio = trustRatio(found.value - value, predicted);
  const searched = await lineSearch(objective, { theta, value, slope: dot(gradient, found.s), found });
  const accepted = searched !== undefined;
  const s = scaled(searched?.rate ?? 1, found.s);
  const next = movedTheta(theta, s);
  return {
    theta: accepted ? next : theta,
    value: searched?.value ?? value,
    own: { damping: nextDamping(damping, ratio, options), solution: accepted ? solution : undefined },
    record: {
      accepted,
      stepNorm: norm(s),
      predictedChange: predicted,
      actualChange: (searched?.value ?? found.value) - value,
      ratio,
      damping,
      rate: searched?.rate ?? 0,
    },
    ...(!accepted && isNothing(theta, next) && { ending: "the step is too small to change the weights" }),
  };
}

interface Solving {
  readonly context: StepContext<HessianFreeMemory>;
  readonly damping: number;
  readonly matvecs: number;
  readonly preconditioner: LinearOperator | undefined;
}

/** Iterates of conjugate gradients at the steps 1.3^j, the last one included. */
async function solutions(
  B: LinearOperator,
  { context, damping, matvecs, preconditioner }: Solving,
): Promise<readonly Vector[]> {
  const { gradient, own, run } = context;
  const b = scaled(-1, gradient);
  const x0 = own.solution && scaled(WARM, own.solution);
  const options = { tolerance: 0, matvecs, ...run, ...(x0 && { x0 }), ...(preconditioner && { preconditioner }) };
  const models: number[] = [];
  const kept: Vector[] = [];
  let [last, nextKept]: [Vector | undefined, number] = [undefined, 1];
  for await (const { x, steps, recurrence, residual } of cgSteps(damped(B, damping), b, options satisfies RunOptions)) {
    last = x.slice();
    // x'Ax / 2 - b'x with the residual r = b - A x is -x'(b + r) / 2.
    models.push(-(dot(x, b) + dot(x, recurrence?.residual ?? residual ?? b)) / 2);
    if (steps >= nextKept) {
      kept.push(last);
      nextKept = Math.ceil(nextKept * 1.3);
    }
    if (hasSettled(models)) break;
  }
  if (run.signal?.aborted) throw new CurvatureError("aborted", `${NAME} was aborted within a step`);
  if (last === undefined) return [b];
  return kept.at(-1) === last ? kept : [...kept, last];
}

function hasSettled(models: readonly number[]): boolean {
  const i = models.length;
  const k = Math.max(10, Math.floor(i / 10));
  if (i <= k) return false;
  const [now, before] = [models[i - 1]!, models[i - 1 - k]!];
  return now < 0 && (now - before) / now < k * PROGRESS;
}

/** Goes back from the last iterate while the objective does not rise. */
async function backtracked(
  objective: Objective,
  { theta, iterates }: { readonly theta: Vector; readonly iterates: readonly Vector[] },
): Promise<{ readonly s: Vector; readonly value: number }> {
  let s = iterates.at(-1)!;
  let value = await objective.value(movedTheta(theta, s));
  for (let i = iterates.length - 2; i >= 0; i--) {
    const earlier = await objective.value(movedTheta(theta, iterates[i]!));
    if (earlier > value) break;
    [s, value] = [iterates[i]!, earlier];
  }
  return { s, value };
}

const ARMIJO = 1e-4;
const HALVINGS = 30;

/** The longest of the lengths 1, 1/2, ... at which the objective falls enough; undefined if none does. */
async function lineSearch(
  objective: Objective,
  {
    theta,
    value,
    slope,
    found,
  }: {
    readonly theta: Vector;
    readonly value: number;
    readonly slope: number;
    readonly found: { readonly s: Vector; readonly value: number };
  },
): Promise<{ readonly rate: number; readonly value: number } | undefined> {
  let reached = found.value;
  for (let halving = 0, rate = 1; halving < HALVINGS; halving++, rate /= 2) {
    if (halving > 0) reached = await objective.value(movedTheta(theta, found.s, rate));
    if (reached <= value + ARMIJO * rate * Math.min(slope, 0) && reached < value) return { rate, value: reached };
  }
  return undefined;
}
