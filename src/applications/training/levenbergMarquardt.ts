import { CurvatureError } from "../../errors/index.ts";
import { checkCount, checkNonnegative } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { runToEnd } from "../../linalg/runs/runToEnd.ts";
import { norm } from "../../linalg/vectors/vector.ts";
import { ggn, type Risk } from "../../operators/index.ts";
import { movedTheta } from "./movedTheta.ts";
import type { CurvatureFactory } from "./objective.ts";
import { dampedStep, predictedChange, trustRatio } from "./quadraticModel.ts";
import type {
  Proposal,
  StepContext,
  TrainingMethod,
  TrainingOptions,
  TrainingResult,
  TrainingState,
} from "./trainingMethod.ts";
import { trainingSteps } from "./trainingRun.ts";

/** What Levenberg-Marquardt remembers. */
export interface LevenbergMarquardtMemory {
  readonly damping: number;
}

/** State of a run of `levenbergMarquardt`, from which it can go on. */
export type LevenbergMarquardtState = TrainingState<LevenbergMarquardtMemory>;

/** How the damping follows the trust in the quadratic model. */
export interface DampingOptions {
  /** Damping at the start. */
  readonly damping?: number;
  /** Factor of the damping after a step whose ratio is above 3/4; 2/3 by default. */
  readonly decrease?: number;
  /** Factor after a step whose ratio is below 1/4; 3/2 by default. */
  readonly increase?: number;
}

/** Options of `levenbergMarquardt`. */
export interface LevenbergMarquardtOptions extends TrainingOptions<LevenbergMarquardtState>, DampingOptions {
  /** Damping at the start; 1e-3 by default. */
  readonly damping?: number;
  /** The matrix of the loss; default: the Gauss-Newton matrix. */
  readonly matrix?: CurvatureFactory;
  /** Bound on the residual of the linear system over its right-hand side; 1e-6 by default, 1e-3 for float32 risks. */
  readonly solveTolerance?: number;
  /** Most products of a solution; 250 by default. */
  readonly solveMatvecs?: number;
}

const NAME = "levenbergMarquardt";

/** Bounds of the damping. */
const LEAST = 1e-12;
const MOST = 1e12;

/**
 * Training by damped Gauss-Newton steps (Levenberg, 1944; Marquardt, 1963): `(B + damping I) s = -g` with B the Gauss-Newton matrix of the loss plus that of the
 * penalties, solved by conjugate gradients. A step that does not lower the objective is rejected. The damping follows the ratio of the actual change to `g's + s'B
 * s / 2` (Martens, 2010, section 4.1): times `decrease` above 3/4, times `increase` below 1/4. A step takes one gradient, one value of the objective, and the products
 * of the solution plus one.
 *
 * @throws CurvatureError "argument", "shape" or "unsupported" for options it cannot take, with `state` where a step fails
 */
export function levenbergMarquardt(risk: Risk, options: LevenbergMarquardtOptions = {}): Promise<TrainingResult> {
  return runToEnd(levenbergMarquardtSteps(risk, options));
}

/** The run of `levenbergMarquardt` step by step; yields a state after each, from which `state` resumes it. */
export async function* levenbergMarquardtSteps(
  risk: Risk,
  options: LevenbergMarquardtOptions = {},
): AsyncGenerator<LevenbergMarquardtState, TrainingResult, void> {
  checkOptions(
    NAME,
    options,
    "damping decrease increase matrix solveTolerance solveMatvecs steps tolerance target batchRows curvatureRows seed validation patience weightDecay penalties frozen state signal onProgress",
  );
  const { damping = 1e-3, matrix = ggn, solveMatvecs = 250 } = options;
  const { solveTolerance = risk.dtype === "float32" ? 1e-3 : 1e-6, ...rest } = options;
  checkDamping(NAME, { ...options, damping });
  checkNonnegative(NAME, "solveTolerance", solveTolerance);
  checkCount(NAME, "solveMatvecs", solveMatvecs);
  const method: TrainingMethod<LevenbergMarquardtMemory> = {
    name: NAME,
    start: () => ({ damping }),
    step: (context) => stepOf(context, { ...options, matrix, solveTolerance, solveMatvecs }),
  };
  return yield* trainingSteps(method, risk, rest);
}

/** Refuses dampings and factors that would not work. */
export function checkDamping(name: string, { damping, decrease = 2 / 3, increase = 3 / 2 }: DampingOptions): void {
  checkNonnegative(name, "damping", damping);
  if (decrease > 0 && decrease <= 1 && increase >= 1 && increase < Number.POSITIVE_INFINITY) return;
  throw new CurvatureError(
    "argument",
    `${name} expects decrease from above 0 to 1 and increase of at least 1, got ${decrease} and ${increase}`,
  );
}

/** The damping after a step with this ratio. */
export function nextDamping(
  damping: number,
  ratio: number,
  { decrease = 2 / 3, increase = 3 / 2 }: DampingOptions,
): number {
  if (ratio > 3 / 4) return damping === 0 ? 0 : Math.max(damping * decrease, LEAST);
  return ratio < 1 / 4 ? Math.min(Math.max(damping, LEAST) * increase, MOST) : damping;
}

async function stepOf(
  { objective, theta, value, gradient, own, run }: StepContext<LevenbergMarquardtMemory>,
  options: LevenbergMarquardtOptions & {
    readonly matrix: CurvatureFactory;
    readonly solveTolerance: number;
    readonly solveMatvecs: number;
  },
): Promise<Proposal<LevenbergMarquardtMemory>> {
  const { damping } = own;
  const { matrix, solveTolerance, solveMatvecs } = options;
  const { s, predicted } = await objective.withMatrix(theta, {
    make: matrix,
    async work({ operator }) {
      const s = await dampedStep(operator, gradient, {
        damping,
        tolerance: solveTolerance,
        matvecs: solveMatvecs,
        run,
      });
      return { s, predicted: await predictedChange(operator, { g: gradient, s, run }) };
    },
  });
  const next = movedTheta(theta, s);
  const reached = await objective.value(next);
  const actual = reached - value;
  const ratio = trustRatio(actual, predicted);
  const accepted = actual < 0;
  const stepNorm = norm(s);
  return {
    theta: accepted ? next : theta,
    value: accepted ? reached : value,
    own: { damping: nextDamping(damping, ratio, options) },
    record: { accepted, stepNorm, predictedChange: predicted, actualChange: actual, ratio, damping },
    ...(!accepted && isNothing(theta, next) && { ending: "the step is too small to change the weights" }),
  };
}

/** Whether a step leaves the weights as they are, to the last bits. */
export function isNothing(theta: ArrayLike<number>, next: ArrayLike<number>): boolean {
  for (let i = 0; i < theta.length; i++) {
    if (Math.abs(next[i]! - theta[i]!) > 4 * Number.EPSILON * Math.abs(theta[i]!)) return false;
  }
  return true;
}
