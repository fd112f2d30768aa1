import type { Interruption } from "../runs/products.ts";
import { type Outcome, outcome } from "../runs/result.ts";
import { type Certainty, certainty, fewProbesRemark } from "../statistics/confidence.ts";
import { checkpoints, sequentialOutcome, sequentialRule } from "../statistics/sequentialStopping.ts";

/** Test vectors before the first look: with fewer, leave-one-out estimates tell little about their errors. */
const FIRST_CHECKPOINT = 8;

/** What is known of a matrix from some test vectors. */
interface Sketched<State> {
  readonly state: State;
  readonly matvecs: number;
  readonly interruption?: Interruption;
}

/** Leave-one-out estimates from a sketch. */
interface Found<E> {
  readonly estimate: E;
  /** Number of estimates that were averaged. */
  readonly probes: number;
  /** How the run ends where the method does not suit the matrix. */
  readonly unsuited?: { readonly happened: string; readonly advice: string };
}

/** A method that averages leave-one-out estimates. */
interface TestVectorMethod<State, S extends Sketched<State>, E> {
  /** Test vectors that the budget allows. */
  readonly most: number;
  /** Test vectors that the saved state has multiplied. */
  readonly done: number;
  readonly state: State | undefined;
  /** The sketch with this number of test vectors, from one with fewer. */
  readonly sketch: (vectors: number, state: State | undefined) => AsyncGenerator<State, S, void>;
  readonly estimate: (sketch: S) => Found<E> | Promise<Found<E>>;
  /** Half the interval over the size of the estimate. */
  readonly half: (estimate: E, how: Certainty) => number;
}

/**
 * The run of such a method. Without a tolerance one sketch with all test vectors that the budget allows. With one, estimates are made with 8,
 * 12, 18, ... and these, until half the interval is at most `tolerance` times the size of the estimate; a sketch goes on from the one before,
 * so that looking costs no product.
 */
export async function* testVectorSteps<State, S extends Sketched<State>, E>(
  method: TestVectorMethod<State, S, E>,
  { tolerance, confidence = 0.95 }: { readonly tolerance?: number; readonly confidence?: number },
): AsyncGenerator<State, { readonly estimate: E; readonly certainty: Certainty; readonly outcome: Outcome }, void> {
  const { most, done } = method;
  const rule = tolerance === undefined ? undefined : sequentialRule({ confidence, most, first: FIRST_CHECKPOINT });
  const looks = rule ? checkpoints(most, FIRST_CHECKPOINT) : [most];
  const ahead = looks.filter((look) => look >= done);
  let { state } = method;
  for (let k = 0; ; k++) {
    const vectors = ahead[k] ?? most;
    const sketch = yield* method.sketch(vectors, state);
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

function averaged(how: Certainty, matvecs: number): Outcome {
  const happened = `averaged ${how.probes} leave-one-out estimates${fewProbesRemark(how)}, as matvecs allows`;
  return outcome("converged", { happened, matvecs });
}

/** Norm of the half intervals of entries over the norm of the entries. */
export function entriesHalf(
  { values, standardErrors }: { readonly values: Float64Array; readonly standardErrors: Float64Array },
  { quantile }: Certainty,
): number {
  const squares = (x: Float64Array) => x.reduce((so, value) => so + value * value, 0);
  const errors = squares(standardErrors);
  return errors === 0 ? 0 : quantile * Math.sqrt(errors / squares(values));
}
