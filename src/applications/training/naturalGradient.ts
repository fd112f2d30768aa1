import { CurvatureError } from "../../errors/index.ts";
import { cg, damped, type LinearOperator, type RunOptions } from "../../linalg/index.ts";
import { checkCount, checkNonnegative } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { runToEnd } from "../../linalg/runs/runToEnd.ts";
import { dot, isFiniteVector, norm, scaled } from "../../linalg/vectors/vector.ts";
import { fisher, ggn, type Risk } from "../../operators/index.ts";
import { type Vector, zeros } from "../../tensors/index.ts";
import { checkDamping, type DampingOptions, isNothing, nextDamping } from "./levenbergMarquardt.ts";
import { movedTheta } from "./movedTheta.ts";
import type { CurvatureFactory, ObjectiveMatrix } from "./objective.ts";
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

/** What the natural gradient remembers. */
export interface NaturalGradientMemory {
  readonly damping: number;
  /** The last step, which gives momentum; absent at first. */
  readonly last: Vector | undefined;
  /** Weights at which the approximation was made; absent at first. */
  readonly anchor: Vector | undefined;
}

/** State of a run of `naturalGradient`, from which it can go on. */
export type NaturalGradientState = TrainingState<NaturalGradientMemory>;

/** Options of `naturalGradient`. */
export interface NaturalGradientOptions extends TrainingOptions<NaturalGradientState>, DampingOptions {
  /** Damping at the start; 1 by default. */
  readonly damping?: number;
  /**
   * The matrix whose damped inverse makes the gradient natural: any operator. One with `inverse({ damping })` is inverted by it (KFAC, EKFAC, a diagonal, low rank), others
   * by conjugate gradients. Default: the Fisher matrix of type 2, or the Gauss-Newton matrix for a loss without a likelihood.
   */
  readonly matrix?: CurvatureFactory;
  /** The matrix of the quadratic model from which length and momentum of a step follow; default: the Gauss-Newton matrix. */
  readonly model?: CurvatureFactory;
  /** Whether a step has a part along the last one; default true. */
  readonly momentum?: boolean;
  /** Steps after which the matrix is made anew; 1 by default, 5 is usual for KFAC. */
  readonly refresh?: number;
  /** Bound on the residual of conjugate gradients over the gradient; 0.1 by default. */
  readonly solveTolerance?: number;
  /** Most products of a solution; 50 by default. */
  readonly solveMatvecs?: number;
}

const NAME = "naturalGradient";

/**
 * Training by natural gradients (Amari, 1998) with the step of KFAC (Martens and Grosse, 2015, sections 6 and 7): the direction is `-(F + damping)^-1 g` for any F with an
 * inverse; length a and momentum m minimize the exact quadratic model over `a d + m s_old`, two products with the Gauss-Newton matrix. The damping of model and inverse
 * follows the ratio of actual to predicted change as in `levenbergMarquardt`; weight decay is part of both (in the inverse as a number, its mean over weights). Factors are
 * not averaged over steps: a matrix of the rows of the step is made every `refresh` steps. A step takes one gradient, one value of the objective, two products, and what the
 * inverse takes.
 *
 * @throws CurvatureError "argument", "shape" or "unsupported" for options it cannot take, with `state` where a step fails
 */
export function naturalGradient(risk: Risk, options: NaturalGradientOptions = {}): Promise<TrainingResult> {
  return runToEnd(naturalGradientSteps(risk, options));
}

/** The run of `naturalGradient` step by step; yields a state after each, from which `state` resumes it. */
export async function* naturalGradientSteps(
  risk: Risk,
  options: NaturalGradientOptions = {},
): AsyncGenerator<NaturalGradientState, TrainingResult, void> {
  checkOptions(
    NAME,
    options,
    "damping decrease increase matrix model momentum refresh solveTolerance solveMatvecs steps tolerance target batchRows curvatureRows seed validation patience weightDecay penalties frozen state signal onProgress",
  );
  const { damping = 1, matrix = usualMatrix, model = ggn, momentum = true, refresh = 1 } = options;
  const { solveTolerance = 0.1, solveMatvecs = 50 } = options;
  checkDamping(NAME, { ...options, damping });
  checkCount(NAME, "refresh", refresh);
  checkCount(NAME, "solveMatvecs", solveMatvecs);
  checkNonnegative(NAME, "solveTolerance", solveTolerance);
  const settings = { ...options, matrix, model, momentum, refresh, solveTolerance, solveMatvecs };
  const method: TrainingMethod<NaturalGradientMemory> = {
    name: NAME,
    start: () => ({ damping, last: undefined, anchor: undefined }),
    step: (context) => stepOf(context, settings),
  };
  return yield* trainingSteps(method, risk, options);
}

function usualMatrix(risk: Risk): LinearOperator {
  return risk.lossFunction.likelihood === undefined ? ggn(risk) : fisher(risk, { type: 2 });
}

interface Settings extends DampingOptions {
  readonly matrix: CurvatureFactory;
  readonly model: CurvatureFactory;
  readonly momentum: boolean;
  readonly refresh: number;
  readonly solveTolerance: number;
  readonly solveMatvecs: number;
}

async function stepOf(
  context: StepContext<NaturalGradientMemory>,
  settings: Settings,
): Promise<Proposal<NaturalGradientMemory>> {
  const { objective, theta, value, gradient, own, step, run } = context;
  const { damping, last } = own;
  const anchor = own.anchor === undefined || step % settings.refresh === 0 ? theta : own.anchor;
  const d = await objective.withMatrix(anchor, {
    make: settings.matrix,
    work: (matrix) => naturalDirection(matrix, { gradient, damping, decay: objective.meanDecay, settings, run }),
  });
  const directions = settings.momentum && last !== undefined && norm(last) > 0 ? [d, last] : [d];
  const { s, predicted } = await objective.withMatrix(theta, {
    make: settings.model,
    work: ({ operator }) => bestStep(operator, { directions, gradient, damping, run }),
  });
  const next = movedTheta(theta, s);
  const reached = await objective.value(next);
  const actual = reached - value;
  const ratio = trustRatio(actual, predicted);
  const accepted = actual < 0;
  return {
    theta: accepted ? next : theta,
    value: accepted ? reached : value,
    own: { damping: nextDamping(damping, ratio, settings), last: accepted ? s : undefined, anchor },
    record: { accepted, stepNorm: norm(s), predictedChange: predicted, actualChange: actual, ratio, damping },
    ...(!accepted && isNothing(theta, next) && { ending: "the step is too small to change the weights" }),
  };
}

async function naturalDirection(
  { operator, ofLoss }: ObjectiveMatrix,
  {
    gradient,
    damping,
    decay,
    settings,
    run,
  }: {
    readonly gradient: Vector;
    readonly damping: number;
    readonly decay: number;
    readonly settings: Settings;
    readonly run: RunOptions;
  },
): Promise<Vector> {
  if (ofLoss.inverse === undefined) {
    const { solveTolerance: tolerance, solveMatvecs: matvecs } = settings;
    const { x, status, message } = await cg(damped(operator, damping), gradient, { tolerance, matvecs, ...run });
    if (status === "aborted") throw new CurvatureError("aborted", message);
    if (isFiniteVector(x) && norm(x) > 0) return scaled(-1, x);
    return scaled(-1, gradient);
  }
  const direction = await ofLoss.inverse({ damping: damping + decay }).matvec(gradient, run);
  // Frozen weights have a gradient of zero, but an inverse may lead there.
  return direction.map((entry, i) => (gradient[i] === 0 ? 0 : -entry));
}

/** Minimizer of `g's + s'(B + damping) s / 2` over the span of one or two directions, and the change that the model without damping predicts. */
async function bestStep(
  B: LinearOperator,
  {
    directions,
    gradient,
    damping,
    run,
  }: {
    readonly directions: readonly Vector[];
    readonly gradient: Vector;
    readonly damping: number;
    readonly run: RunOptions;
  },
): Promise<{ readonly s: Vector; readonly predicted: number }> {
  const products: Vector[] = [];
  for (const direction of directions) products.push(await B.matvec(direction, run));
  const form = (i: number, j: number) => dot(directions[i]!, products[j]!);
  const curved = (i: number, j: number) => form(i, j) + damping * dot(directions[i]!, directions[j]!);
  const slopes = directions.map((direction) => dot(gradient, direction));
  const lengths = minimizer(
    slopes,
    directions.length === 2 ? [curved(0, 0), curved(0, 1), curved(1, 1)] : [curved(0, 0)],
  );
  const s = zeros(gradient.length, gradient instanceof Float32Array ? "float32" : "float64");
  for (let i = 0; i < s.length; i++) s[i] = lengths.reduce((sum, length, k) => sum + length * directions[k]![i]!, 0);
  let predicted = 0;
  lengths.forEach((length, i) => {
    predicted += slopes[i]! * length;
    lengths.forEach((other, j) => {
      predicted += (length * other * form(i, j)) / 2;
    });
  });
  return { s, predicted };
}

/** Lengths that minimize the model along one direction or two; along the first alone where the two are nearly parallel. */
function minimizer(slopes: readonly number[], curvatures: readonly number[]): readonly number[] {
  const [first, mixed = 0, second = 0] = curvatures as readonly [number, number?, number?];
  const alone = [first > 0 ? -slopes[0]! / first : 1, 0].slice(0, slopes.length);
  const determinant = first * second - mixed * mixed;
  if (slopes.length === 1 || !(determinant > 1e-10 * first * second)) return alone;
  return [
    (-second * slopes[0]! + mixed * slopes[1]!) / determinant,
    (mixed * slopes[0]! - first * slopes[1]!) / determinant,
  ];
}
