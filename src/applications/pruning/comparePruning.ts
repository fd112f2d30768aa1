import { CurvatureError } from "../../errors/index.ts";
import type { LinearOperator } from "../../linalg/index.ts";
import { checkChoice } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { runToEnd } from "../../linalg/runs/runToEnd.ts";
import type { Risk } from "../../operators/index.ts";
import type { Vector } from "../../tensors/index.ts";
import { checkPrunedRisk } from "./checkPrunedRisk.ts";
import {
  COMPENSATION_TOLERANCE,
  NAMED_METHODS,
  type NamedMethod,
  type NamedPruningMethod,
  usualMethods,
} from "./namedMethods.ts";
import { pruneSteps } from "./prune.ts";
import type { PruneOptions } from "./prunePlan.ts";
import type { PrunedTensor, PruneResult, PruneState } from "./pruneResult.ts";
import { type Measured, measuredAt } from "./pruneStep.ts";

/** Options of `comparePruning`. */
export interface ComparePruningOptions
  extends Omit<
    PruneOptions,
    "sparsity" | "method" | "matrix" | "compensation" | "compensationMatrix" | "elimination" | "state"
  > {
  /** Shares of the candidates to remove; default 0.5, 0.7, 0.9. Not with a pattern. */
  readonly sparsities?: readonly number[];
  /** Ways of pruning; default: magnitude, OBD, OBS and WoodFisher, or for more than 3,000 weights magnitude, KFAC and WoodFisher. */
  readonly methods?: readonly NamedPruningMethod[];
  /** Where an earlier run with the same risk and options stopped. */
  readonly state?: ComparisonState;
}

/** Weights pruned in one way to one sparsity. */
export interface PruningPoint {
  /** Share that was asked for; absent for a pattern. */
  readonly asked?: number;
  /** Weights removed over the candidates. */
  readonly sparsity: number;
  readonly removed: number;
  /** Sum over the steps of the increases that the quadratic model predicts. */
  readonly predictedIncrease: number;
  readonly loss: number;
  readonly accuracy?: number;
  readonly validationLoss?: number;
  readonly validationAccuracy?: number;
  /** Whether some step left the quadratic region. */
  readonly beyondQuadratic: boolean;
  readonly tensors: readonly PrunedTensor[];
  readonly matvecs: number;
  readonly message: string;
  /** `[size]` */
  readonly theta: Vector;
}

/** One way of pruning. */
export interface PruningCurve {
  readonly method: NamedPruningMethod;
  readonly title: string;
  /** Which inverse served and why; absent where the method needs none. */
  readonly inverse?: string;
  readonly points: readonly PruningPoint[];
}

/** Several ways of pruning side by side. */
export interface PruningComparison {
  /** Loss and accuracy before. */
  readonly loss: number;
  readonly accuracy?: number;
  readonly validationLoss?: number;
  readonly validationAccuracy?: number;
  readonly size: number;
  /** Weights that may be removed. */
  readonly candidates: number;
  readonly damping: number;
  readonly steps: number;
  readonly scope: "global" | "layer";
  readonly pattern?: string;
  readonly curves: readonly PruningCurve[];
}

/** What is done so far: plain data, from which the run can go on. */
export interface ComparisonState {
  readonly method: "comparePruning";
  readonly columns: number;
  readonly matvecs: number;
  readonly done: readonly PruningPoint[];
  /** Steps of the run that is going on. */
  readonly current: PruneState | undefined;
}

const NAME = "comparePruning";

/**
 * Prunes in several ways to several sparsities, each from the same weights, and measures loss and accuracy beside what the quadratic model predicts. One matrix serves all sparsities of one shot.
 * The methods are those of `prune`: "magnitude", "firstOrder" and "obd" without compensation; "obs" and "sequential" with the Gauss-Newton matrix, dense for up to 3,000 weights; "kfac" and
 * "ekfac", with compensation by the Gauss-Newton matrix, for more weights by conjugate gradients to a residual of `solveTolerance`, here 1e-2 by default; "woodFisher" in blocks of 50.
 *
 * @throws CurvatureError as `prune`; "aborted" with `state`
 */
export async function comparePruning(risk: Risk, options: ComparePruningOptions = {}): Promise<PruningComparison> {
  return runToEnd(comparePruningSteps(risk, options));
}

/** The run of `comparePruning`; yields a state after each step, from which `state` resumes it. */
export async function* comparePruningSteps(
  risk: Risk,
  options: ComparePruningOptions = {},
): AsyncGenerator<ComparisonState, PruningComparison, void> {
  checkPrunedRisk(NAME, risk);
  checkOptions(
    NAME,
    options,
    "sparsities methods pattern units tensors scope gradient steps schedule validation state damping inverse denseLimit probes seed solveTolerance solveMatvecs signal onProgress",
  );
  const { sparsities, methods: names = usualMethods(risk), state: given, pattern, validation, ...settings } = options;
  for (const name of names) checkChoice(NAME, "methods", name, Object.keys(NAMED_METHODS));
  const shares = sharesOf(sparsities, pattern);
  const jobs = names.flatMap((name) => shares.map((asked) => ({ name, asked })));
  let state: ComparisonState = given ?? { method: NAME, columns: risk.size, matvecs: 0, done: [], current: undefined };
  checkResumed(state, { risk, jobs: jobs.length });
  const before = await measuredAt(risk, risk.theta(), options);
  const held = validation && (await measuredAt(validation, risk.theta(), options));
  const matrices = sharedMatrices(risk, options);
  try {
    while (state.done.length < jobs.length) {
      const { name, asked } = jobs[state.done.length]!;
      const done: readonly PruningPoint[] = state.done;
      options.onProgress?.({ stage: NAMED_METHODS[name].title, done: done.length, total: jobs.length });
      const run = pruneSteps(risk, {
        ...settings,
        ...(pattern === undefined ? { sparsity: asked! } : { pattern }),
        ...(validation && { validation }),
        ...(await matrices.of(NAMED_METHODS[name])),
        onProgress: undefined,
        ...(state.current && { state: state.current }),
      });
      for (;;) {
        const next = await run.next().catch((cause: unknown) => {
          if (!options.signal?.aborted) throw cause;
          throw new CurvatureError("aborted", `${NAME} was aborted after ${done.length} of ${jobs.length} runs`, {
            state,
            cause,
          });
        });
        const { matvecs } = next.value;
        if (next.done !== true) state = { ...state, current: next.value };
        else {
          const point = pointOf(next.value, asked);
          state = { ...state, done: [...done, point], current: undefined, matvecs: state.matvecs + matvecs };
        }
        yield state;
        if (next.done === true) break;
      }
    }
  } finally {
    await matrices.release();
  }
  return comparisonOf(risk, { names, shares: shares.length, state, before, held, options });
}

function sharesOf(
  sparsities: readonly number[] | undefined,
  pattern: string | undefined,
): readonly (number | undefined)[] {
  if (pattern !== undefined && sparsities === undefined) return [undefined];
  if (pattern !== undefined) {
    throw new CurvatureError("argument", `${NAME} expects sparsities or a pattern, got both; leave one out`);
  }
  const shares = sparsities ?? [0.5, 0.7, 0.9];
  const wrong = shares.find((share) => !(typeof share === "number" && share >= 0 && share <= 1));
  if (shares.length > 0 && wrong === undefined) return shares;
  throw new CurvatureError(
    "argument",
    `${NAME} expects sparsities, the shares of weights to remove, as numbers from 0 to 1, got ${shares.length === 0 ? "none" : String(wrong)}; 0.5 removes half of them`,
  );
}

function checkResumed(
  { method, columns, done }: ComparisonState,
  { risk, jobs }: { readonly risk: Risk; readonly jobs: number },
): void {
  if (method === NAME && columns === risk.size && done.length <= jobs) return;
  throw new CurvatureError(
    "argument",
    `${NAME} expects the state of a run with ${risk.size} weights and ${jobs} results, got one of ${String(method)} with ${columns} weights and ${done?.length} results`,
  );
}

type Chosen = Pick<
  PruneOptions,
  "method" | "compensation" | "elimination" | "matrix" | "compensationMatrix" | "solveTolerance"
>;

/** The matrices of methods: in one shot made once at the weights of the risk, else made by each step. */
function sharedMatrices(risk: Risk, { steps = 1, seed = 0, signal, ...options }: ComparePruningOptions) {
  const { solveTolerance = COMPENSATION_TOLERANCE } = options;
  const run = { seed, ...(signal && { signal }) };
  const made = new Map<unknown, Promise<LinearOperator>>();
  const matrixBy = async (make: NonNullable<NamedMethod["matrix"]>) => {
    if (steps > 1) return (at: Risk) => make(at, run);
    const known = made.get(make) ?? Promise.resolve(make(risk, run));
    made.set(make, known);
    return known;
  };
  return {
    async of({ options: own, matrix, compensatesByProducts }: NamedMethod): Promise<Chosen> {
      if (matrix === undefined) return own;
      const exact = NAMED_METHODS.obs.matrix!;
      return {
        ...own,
        matrix: await matrixBy(matrix),
        ...(compensatesByProducts && { compensationMatrix: await matrixBy(exact), solveTolerance }),
      };
    },
    async release() {
      for (const each of made.values()) {
        const A = await each.catch(() => undefined);
        if (A !== undefined && "dispose" in A && typeof A.dispose === "function") await A.dispose();
      }
    },
  };
}

function pointOf(result: PruneResult, asked: number | undefined): PruningPoint {
  const { steps, removed, loss, accuracy, tensors, matvecs, message, theta } = result;
  const { sparsity, validationLoss, validationAccuracy } = steps.at(-1)!;
  return {
    ...(asked !== undefined && { asked }),
    sparsity,
    removed: removed.length,
    predictedIncrease: steps.reduce((sum, { predictedIncrease }) => sum + predictedIncrease, 0),
    loss,
    ...(accuracy !== undefined && { accuracy }),
    ...(validationLoss !== undefined && { validationLoss }),
    ...(validationAccuracy !== undefined && { validationAccuracy }),
    beyondQuadratic: steps.some(({ beyondQuadratic }) => beyondQuadratic),
    tensors,
    matvecs,
    message,
    theta,
  };
}

function comparisonOf(
  risk: Risk,
  made: {
    readonly names: readonly NamedPruningMethod[];
    readonly shares: number;
    readonly state: ComparisonState;
    readonly before: Measured;
    readonly held: Measured | undefined;
    readonly options: ComparePruningOptions;
  },
): PruningComparison {
  const { names, shares, state, before, held, options } = made;
  const { damping = 1e-3, steps = 1, scope = "global", pattern } = options;
  const weights = state.done[0]?.tensors.reduce((sum, tensor) => sum + tensor.weights, 0) ?? 0;
  return {
    loss: before.loss,
    ...(before.accuracy !== undefined && { accuracy: before.accuracy }),
    ...(held && { validationLoss: held.loss }),
    ...(held?.accuracy !== undefined && { validationAccuracy: held.accuracy }),
    size: risk.size,
    candidates: weights,
    damping,
    steps,
    scope,
    ...(pattern !== undefined && { pattern }),
    curves: names.map((method, k) => {
      const { title, inverse } = NAMED_METHODS[method];
      const points = state.done.slice(k * shares, (k + 1) * shares);
      return { method, title, ...(inverse && { inverse: inverse(risk.size) }), points };
    }),
  };
}
