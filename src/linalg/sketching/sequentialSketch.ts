import { CurvatureError } from "../../errors/index.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { type Estimate, type Outcome, outcome } from "../runs/result.ts";
import { type Certainty, certainty, fewProbesRemark, interval } from "../statistics/confidence.ts";
import { checkpoints, relativeHalf, sequentialOutcome, sequentialRule } from "../statistics/sequentialStopping.ts";
import type { EntriesEstimate } from "../traces/hutchinsonDiagonal.ts";
import { type DiagonalEstimate, diagonalOf } from "../traces/hutchinsonMoments.ts";
import { type TraceEstimate, traceOf } from "../traces/hutchinsonTrace.ts";
import { type ProbeRun, probeSteps } from "../traces/probeSteps.ts";
import type { Entries, HutchinsonState } from "../traces/probeSums.ts";
import { checkBudget, checkSketch, type Sketch, type SketchOptions, type SketchOrigin } from "./sketch.ts";

// The run that `xtrace`, `xdiag`, `xnystrace` and `xnysdiag` share: sketches of more and more test vectors, and estimates from them.

/** Test vectors before the first look: with fewer, leave-one-out estimates show little of their errors. */
const FIRST_CHECKPOINT = 8;

/** Options of such a run. */
type TestVectorOptions<State> = Omit<SketchOptions, "state"> & {
  readonly state?: State | HutchinsonState | undefined;
};

/** Leave-one-out estimates from a sketch. */
interface Found<E> {
  readonly estimate: E;
  /** Number of estimates that were averaged. */
  readonly probes: number;
  /** Message where the method does not suit the matrix. */
  readonly unsuited?: { readonly happened: string; readonly advice: string } | undefined;
}

/** A method that averages leave-one-out estimates. */
interface TestVectorMethod<State, S, E> {
  readonly name: string;
  /** Products that a test vector takes. */
  readonly productsPerVector: 1 | 2;
  /** Test vectors that a state has multiplied. */
  readonly multiplied: (state: State) => number;
  /** The sketch with a number of test vectors, from a state with fewer. */
  readonly sketch: (
    setup: Omit<SketchOptions, "state"> & { name: string; vectors: number; state: State | undefined },
  ) => AsyncGenerator<State, S, void>;
  readonly estimate: (sketch: S) => Found<E> | Promise<Found<E>>;
}

/** Rules by which its estimates are judged. */
interface Judgement<E> {
  readonly entries: Entries;
  /** Half the interval over the size of the estimate. */
  readonly half: (estimate: E, how: Certainty) => number;
}

type Sketched<State> = Omit<Sketch, "state"> & { readonly state: State };

/** The run of a method that estimates a trace. */
export async function* traceSteps<State extends SketchOrigin, S extends Sketched<State>>(
  A: LinearOperator,
  options: TestVectorOptions<State>,
  method: TestVectorMethod<State, S, Estimate>,
): AsyncGenerator<State | HutchinsonState, TraceEstimate, void> {
  const half = (estimate: Estimate, how: Certainty) => relativeHalf(estimate.value, interval(estimate, how));
  const run = yield* testVectorSteps(A, options, { ...method, entries: "none", half });
  if ("state" in run) return traceOf(run);
  const { value: trace, standardError } = run.estimate;
  return { trace, standardError, interval: interval(run.estimate, run.certainty), ...run.outcome };
}

/** The run of a method that estimates a diagonal. */
export async function* diagonalSteps<State extends SketchOrigin, S extends Sketched<State>>(
  A: LinearOperator,
  options: TestVectorOptions<State>,
  method: TestVectorMethod<State, S, DiagonalEstimate>,
): AsyncGenerator<State | HutchinsonState, EntriesEstimate, void> {
  const run = yield* testVectorSteps(A, options, { ...method, entries: "diagonal", half: entriesHalf });
  const estimate = "state" in run ? diagonalOf(run) : run.estimate;
  return { ...estimate, certainty: run.certainty, ...run.outcome };
}

/**
 * The run of such a method. Without a tolerance one sketch with all test vectors that the budget allows. With one, estimates are made with 8,
 * 12, 18, ... and these, until half the interval is at most `tolerance` times the size of the estimate; a sketch goes on from the one before,
 * so that looking costs no product. Where the budget reaches n, all unit vectors are used instead.
 */
async function* testVectorSteps<State extends SketchOrigin, S extends Sketched<State>, E>(
  A: LinearOperator,
  options: TestVectorOptions<State>,
  method: TestVectorMethod<State, S, E> & Judgement<E>,
): AsyncGenerator<
  State | HutchinsonState,
  ProbeRun | { readonly estimate: E; readonly certainty: Certainty; readonly outcome: Outcome },
  void
> {
  const { name, productsPerVector, entries } = method;
  checkSketch(name, options);
  const { matvecs: budget, tolerance, confidence = 0.95, state: saved } = options;
  checkBudget(name, { matvecs: budget, least: Math.min(productsPerVector, A.shape[1]) });
  if (budget >= A.shape[1]) return yield* unitVectorSteps(A, { ...options, name, entries });
  const most = Math.floor(budget / productsPerVector);
  const rule = tolerance === undefined ? undefined : sequentialRule({ confidence, most, first: FIRST_CHECKPOINT });
  const looks = rule ? checkpoints(most, FIRST_CHECKPOINT) : [most];
  let state = saved as State | undefined;
  const done = state ? method.multiplied(state) : 0;
  const ahead = looks.filter((look) => look >= done);
  for (let k = 0; ; k++) {
    const vectors = ahead[k] ?? most;
    const sketch = yield* method.sketch({ ...options, name, vectors, state });
    const { interruption, matvecs } = sketch;
    const { estimate, probes, unsuited } = await method.estimate(sketch);
    const how = rule?.certainty(probes) ?? certainty(confidence, { probes });
    const half = method.half(estimate, how);
    if (vectors === most || interruption || (tolerance !== undefined && half <= tolerance)) {
      const said = interruption
        ? outcome(interruption.status, { happened: interruption.happened, matvecs })
        : unsuited
          ? outcome("indefinite", { ...unsuited, matvecs })
          : tolerance === undefined
            ? averaged(how, matvecs)
            : sequentialOutcome({ half, tolerance, how, matvecs, counted: "leave-one-out estimates" });
      return { estimate, certainty: how, outcome: said };
    }
    state = sketch.state;
  }
}

/** The run with all n unit vectors, which methods take where the budget has room for it. */
export async function* unitVectorSteps(
  A: LinearOperator,
  {
    state,
    name,
    entries,
    ...rest
  }: TestVectorOptions<SketchOrigin> & { readonly name: string; readonly entries: Entries },
): AsyncGenerator<HutchinsonState, ProbeRun, void> {
  if (state && state.method !== "hutchinson") {
    const message = `${name} resumes from a state of method hutchinson with ${A.shape[1]} columns where matvecs reaches n, got method ${state.method} with ${state.columns} columns; pass the state that the same call gave`;
    throw new CurvatureError("argument", message);
  }
  const saved = state as HutchinsonState | undefined;
  const how = { distribution: "signs", blocks: [], watch: "trace" } as const;
  return yield* probeSteps(A, { ...rest, ...how, state: saved, name, entries });
}

function averaged(how: Certainty, matvecs: number): Outcome {
  const happened = `averaged ${how.probes} leave-one-out estimates${fewProbesRemark(how)}, as matvecs allows`;
  return outcome("converged", { happened, matvecs });
}

/** Norm of the half intervals of entries over the norm of the entries. */
function entriesHalf({ values, standardErrors }: DiagonalEstimate, { quantile }: Certainty): number {
  const squares = (x: Float64Array) => x.reduce((so, value) => so + value * value, 0);
  const errors = squares(standardErrors);
  return errors === 0 ? 0 : quantile * Math.sqrt(errors / squares(values));
}
