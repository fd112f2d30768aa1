import type { LinearOperator } from "../operator/operator.ts";
import { type HutchinsonOptions, type ProbeRun, probeSteps } from "../traces/probeSteps.ts";
import type { Entries, HutchinsonState } from "../traces/probeSums.ts";
import { unitVectorSteps } from "./sequentialSketch.ts";
import { checkSketch, type Sketch, type SketchState, sketchSteps } from "./sketch.ts";

/** Options of Hutch++ and Diag++. */
export interface PlusPlusOptions extends Omit<HutchinsonOptions, "deflation" | "state"> {
  /** Where an earlier run with the same options stopped. */
  readonly state?: PlusPlusState | HutchinsonState | undefined;
}

/** The sketch, and once it is complete the sums over probes of the rest: plain data, from which the run can go on. */
export interface PlusPlusState extends SketchState {
  readonly probes?: HutchinsonState | undefined;
}

/** Result: probes of the rest, or the sketch alone where the run ended before the second probe. */
export type PlusPlusRun = { readonly probed: ProbeRun } | { readonly sketched: Sketch };

/**
 * A third of the products finds a basis of the range of `sketched`, a third treats it exactly, the rest are probes of what it leaves.
 * Where the budget reaches n, all unit vectors are used instead.
 */
export async function* plusPlusSteps(
  A: LinearOperator,
  options: PlusPlusOptions & {
    readonly name: string;
    readonly entries: Entries;
    readonly sketched: LinearOperator;
  },
): AsyncGenerator<PlusPlusState | HutchinsonState, PlusPlusRun, void> {
  const { name, entries, matvecs, sketched, ...rest } = options;
  checkSketch(name, options);
  if (matvecs >= A.shape[1]) return { probed: yield* unitVectorSteps(A, options) };
  const { distribution = "signs" } = rest;
  const vectors = Math.floor(matvecs / 3);
  const setup = { ...rest, name, matvecs, vectors, distribution, images: "none" } as const;
  const sketch = yield* sketchSteps(sketched, setup);
  if (sketch.interruption) return { sketched: sketch };
  const before: PlusPlusState = sketch.state;
  const spent = before.sketched;
  const enclosing = (probes: HutchinsonState) => ({ ...before, matvecs: spent + probes.matvecs, probes });
  const steps = probeSteps(A, {
    ...rest,
    state: before.probes,
    name,
    matvecs,
    entries,
    watch: entries === "none" ? "trace" : "entries",
    blocks: [],
    deflation: before.range.basis,
    spent,
    enclosing,
  });
  let step = await steps.next();
  for (; !step.done; step = await steps.next()) yield enclosing(step.value);
  return step.value.state.probes >= 2 || spent < 2 ? { probed: step.value } : sketchAlone(before, step.value);
}

/** The sketch as the result of a run that ended before there were two probes. */
function sketchAlone(state: PlusPlusState, { outcome }: ProbeRun): PlusPlusRun {
  const { status, message, matvecs } = outcome;
  const interruption = status === "nonfinite" || status === "aborted" ? { status, happened: message } : undefined;
  return { sketched: { state, matvecs, interruption } };
}
