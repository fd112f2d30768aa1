import { CurvatureError } from "../../errors/index.ts";
import { steihaug } from "../../linalg/index.ts";
import { checkCount } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { runToEnd } from "../../linalg/runs/runToEnd.ts";
import { norm } from "../../linalg/vectors/vector.ts";
import { hessian, type Risk } from "../../operators/index.ts";
import { isNothing } from "./levenbergMarquardt.ts";
import { movedTheta } from "./movedTheta.ts";
import type { CurvatureFactory } from "./objective.ts";
import { trustRatio } from "./quadraticModel.ts";
import type {
  Proposal,
  StepContext,
  TrainingMethod,
  TrainingOptions,
  TrainingResult,
  TrainingState,
} from "./trainingMethod.ts";
import { trainingSteps } from "./trainingRun.ts";

/** What Newton-CG remembers. */
export interface NewtonCgMemory {
  readonly radius: number;
}

/** State of a run of `newtonCg`, from which it can go on. */
export type NewtonCgState = TrainingState<NewtonCgMemory>;

/** Options of `newtonCg`. */
export interface NewtonCgOptions extends TrainingOptions<NewtonCgState> {
  /** Radius of the trust region at the start; 1 by default. */
  readonly radius?: number;
  /** Largest radius; 1,000 by default. */
  readonly largestRadius?: number;
  /** The matrix of the loss; default: the Hessian. */
  readonly matrix?: CurvatureFactory;
  /** Most products of a step; 250 by default. */
  readonly solveMatvecs?: number;
}

const NAME = "newtonCg";

/** A step is taken if the objective falls by this share of what the model predicts (Nocedal and Wright, 2006, algorithm 4.1). */
const LEAST_RATIO = 1e-4;

/**
 * Training by Newton's method in a trust region: each step minimizes `g's + s'H s / 2` over `|s| <= radius` by conjugate gradients that end at the boundary or
 * follow negative curvature to it (`steihaug`), to a relative residual of `min(1/2, sqrt(|g| / |g_0|))`, which makes the end superlinear (Nocedal and Wright, 2006,
 * algorithms 4.1 and 7.2). The ratio r of actual to predicted change decides: r < 1/4 shrinks the radius to |s| / 4, r > 3/4 at the boundary doubles it. The objective
 * never rises. A step takes one gradient, one value of the objective, and the products of `steihaug`.
 *
 * @throws CurvatureError "argument", "shape" or "unsupported" for options it cannot take, with `state` where a step fails
 */
export function newtonCg(risk: Risk, options: NewtonCgOptions = {}): Promise<TrainingResult> {
  return runToEnd(newtonCgSteps(risk, options));
}

/** The run of `newtonCg` step by step; yields a state after each, from which `state` resumes it. */
export async function* newtonCgSteps(
  risk: Risk,
  options: NewtonCgOptions = {},
): AsyncGenerator<NewtonCgState, TrainingResult, void> {
  checkOptions(
    NAME,
    options,
    "radius largestRadius matrix solveMatvecs steps tolerance target batchRows curvatureRows seed validation patience weightDecay penalties frozen state signal onProgress",
  );
  const { radius = 1, largestRadius = 1000, matrix = hessian, solveMatvecs = 250 } = options;
  if (!(radius > 0 && largestRadius >= radius && largestRadius < Number.POSITIVE_INFINITY)) {
    throw new CurvatureError(
      "argument",
      `${NAME} expects a positive radius and a largestRadius that is not below it, got ${radius} and ${largestRadius}`,
    );
  }
  checkCount(NAME, "solveMatvecs", solveMatvecs);
  const method: TrainingMethod<NewtonCgMemory> = {
    name: NAME,
    start: () => ({ radius }),
    step: (context) => stepOf(context, { matrix, solveMatvecs, largestRadius }),
  };
  return yield* trainingSteps(method, risk, options);
}

async function stepOf(
  { objective, theta, value, gradient, gradientNorm, firstNorm, own, run }: StepContext<NewtonCgMemory>,
  {
    matrix,
    solveMatvecs,
    largestRadius,
  }: { readonly matrix: CurvatureFactory; readonly solveMatvecs: number; readonly largestRadius: number },
): Promise<Proposal<NewtonCgMemory>> {
  const { radius } = own;
  const tolerance = Math.min(0.5, Math.sqrt(gradientNorm / firstNorm));
  const step = await objective.withMatrix(theta, {
    make: matrix,
    work: ({ operator }) => steihaug(operator, gradient, { radius, tolerance, matvecs: solveMatvecs, ...run }),
  });
  if (step.status === "aborted") throw new CurvatureError("aborted", step.message);
  const next = movedTheta(theta, step.x);
  const reached = await objective.value(next);
  const actual = reached - value;
  const ratio = trustRatio(actual, step.model);
  const accepted = ratio > LEAST_RATIO && actual < 0;
  const stepNorm = norm(step.x);
  const atBoundary = step.reached === "boundary" || step.reached === "negative curvature";
  const grown = ratio > 3 / 4 && atBoundary ? Math.min(2 * radius, largestRadius) : radius;
  return {
    theta: accepted ? next : theta,
    value: accepted ? reached : value,
    own: { radius: ratio < 1 / 4 ? stepNorm / 4 : grown },
    record: { accepted, stepNorm, predictedChange: step.model, actualChange: actual, ratio, radius },
    ...(!accepted && isNothing(theta, next) && { ending: "the step is too small to change the weights" }),
  };
}
