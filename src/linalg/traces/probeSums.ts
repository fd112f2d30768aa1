import { stream } from "../../random/index.ts";
import { column, type Matrix, type Vector, zeros } from "../../tensors/index.ts";
import { addSample, noSamples, type SampleSums } from "../statistics/sampleMean.ts";
import type { Arithmetic } from "../vectors/arithmetic.ts";
import { fillProbe, type ProbeDistribution } from "../vectors/probes.ts";
import { dot, innerProducts } from "../vectors/vector.ts";
import { projectedOut } from "./deflation.ts";

/** Range of indices `start, ..., end - 1` whose diagonal block's trace is asked for. */
export interface DiagonalBlock {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** Quantity that is summed entry by entry: nothing, the diagonal of A, or the squared norms of its rows, the diagonal of `A A'`. */
export type Entries = "none" | "diagonal" | "rowNorms";

/** The part of every quantity that lies in a deflation basis, summed over the columns of it so far. */
export interface DeflatedSums {
  readonly columns: number;
  readonly trace: number;
  readonly squaredFrobenius?: number | undefined;
  readonly blocks: readonly number[];
  readonly entries: Float64Array;
}

/** Sums over the probes so far: plain data, from which the run can go on. */
export interface HutchinsonState {
  readonly method: "hutchinson";
  readonly columns: number;
  readonly seed: number;
  readonly distribution: ProbeDistribution;
  /** Whether the probes are the unit vectors in a random order. */
  readonly unitVectors: boolean;
  /** Products so far, those with the deflation basis included. */
  readonly matvecs: number;
  /** Number of probes so far. */
  readonly probes: number;
  readonly trace: SampleSums;
  /** Absent, here and in `deflated`, in a run by quadratic forms, which give the trace alone. */
  readonly squaredFrobenius?: SampleSums | undefined;
  readonly blocks: readonly SampleSums[];
  /** One entry a row; empty where nothing is asked for entry by entry. */
  readonly entries: { readonly sum: Float64Array; readonly squares: Float64Array };
  readonly deflated: DeflatedSums;
}

/** Rules by which products become samples. */
export interface Sampling {
  readonly kind: Entries;
  readonly blocks: readonly DiagonalBlock[];
  readonly deflation: Matrix | undefined;
  /** Whether what is estimated is `(I - P) A (I - P)` rather than `A (I - P)`, P the projection on the deflation basis. */
  readonly twoSided: boolean;
  readonly arithmetic: Arithmetic;
}

/** State before the first product. */
export function initialSums(
  setup: Pick<HutchinsonState, "columns" | "seed" | "distribution" | "unitVectors">,
  { blocks, entries }: { readonly blocks: number; readonly entries: number },
): HutchinsonState {
  return {
    method: "hutchinson",
    ...setup,
    matvecs: 0,
    probes: 0,
    trace: noSamples,
    squaredFrobenius: noSamples,
    blocks: Array.from({ length: blocks }, () => noSamples),
    entries: { sum: new Float64Array(entries), squares: new Float64Array(entries) },
    deflated: {
      columns: 0,
      trace: 0,
      squaredFrobenius: 0,
      blocks: new Array<number>(blocks).fill(0),
      entries: new Float64Array(entries),
    },
  };
}

/** Random order of 0, ..., n - 1 (Fisher and Yates). */
export function shuffled(n: number, seed: number): readonly number[] {
  const random = stream(seed, "order");
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/**
 * The next probes `[n, count]`; each has a stream of its own, so that they do not depend on how they are cut into blocks. Written over the
 * block `before`, which nobody needs any more, where that has the same size.
 */
export function probeBlock(
  { columns: n, probes, seed, distribution }: HutchinsonState,
  {
    count,
    dtype,
    order,
    before,
  }: {
    count: number;
    dtype: "float32" | "float64";
    order: readonly number[] | undefined;
    before?: Matrix | undefined;
  },
): Matrix {
  const fits = before?.columns === count && !order;
  const data = fits ? before.data : zeros(n * count, dtype);
  for (let k = 0; k < count; k++) {
    if (order) data[k * n + order[probes + k]] = 1;
    else fillProbe(data.subarray(k * n, (k + 1) * n), { distribution, stream: stream(seed, "probe", probes + k) });
  }
  return { rows: n, columns: count, data };
}

/** The probes `[n, count]` less their part in the deflation basis. */
export async function projectedProbes(V: Matrix, { deflation, arithmetic }: Sampling): Promise<Matrix> {
  if (!deflation || deflation.columns === 0) return V;
  const data = V.data.slice();
  for (let k = 0; k < V.columns; k++) data.set(await projectedOut(column(V, k), deflation, arithmetic), k * V.rows);
  return { ...V, data };
}

/** The state with one more sample for each product `y = A (I - P) v`. */
export async function withSamples(
  state: HutchinsonState,
  { V, W, products, sampling }: { V: Matrix; W: Matrix; products: readonly Vector[]; sampling: Sampling },
): Promise<HutchinsonState> {
  const entries = { sum: state.entries.sum.slice(), squares: state.entries.squares.slice() };
  const { kind, blocks, deflation, twoSided, arithmetic } = sampling;
  let { trace, squaredFrobenius, blocks: sums } = state;
  for (const [k, y] of products.entries()) {
    const count = state.probes + k;
    const [v, w] = [column(V, k), column(W, k)];
    // Of a matrix that is not square only norms are asked for.
    const { xx, xy } = y.length === v.length ? innerProducts(y, w) : { xx: dot(y, y), xy: 0 };
    squaredFrobenius &&= addSample(squaredFrobenius, xx, count);
    if (y.length === v.length) trace = addSample(trace, xy, count);
    const entrywise = kind === "diagonal" || blocks.length > 0;
    const z = entrywise && twoSided ? await projectedOut(y, deflation, arithmetic) : y;
    sums = sums.map((sum, b) => addSample(sum, partialDot(v, z, blocks[b]), count));
    if (kind !== "none") addEntries(entries, { x: kind === "diagonal" ? v : y, y: z, count });
  }
  const done = products.length;
  return {
    ...state,
    matvecs: state.matvecs + done,
    probes: state.probes + done,
    trace,
    squaredFrobenius,
    blocks: sums,
    entries,
  };
}

/** The state without the sums for the norm, from which a run by quadratic forms goes on. */
export function withoutNorms(state: HutchinsonState): HutchinsonState {
  const { squaredFrobenius: _sampled, ...rest } = state;
  const { squaredFrobenius: _exact, ...deflated } = state.deflated;
  return { ...rest, deflated };
}

/** The state without norms, with one more sample for each quadratic form `w' A w`, `w = (I - P) v`. */
export function withSampledForms(state: HutchinsonState, forms: Float64Array): HutchinsonState {
  const trace = forms.reduce((sums, form, k) => addSample(sums, form, state.probes + k), state.trace);
  return { ...state, matvecs: state.matvecs + forms.length, probes: state.probes + forms.length, trace };
}

/** The state without norms, with the exact parts `q' A q` of more columns q of the deflation basis. */
export function withDeflatedForms(state: HutchinsonState, forms: Float64Array): HutchinsonState {
  const { deflated } = state;
  const trace = forms.reduce((sum, form) => sum + form, deflated.trace);
  const columns = deflated.columns + forms.length;
  return { ...state, matvecs: state.matvecs + forms.length, deflated: { ...deflated, columns, trace } };
}

/**
 * The state with the exact parts of more columns q of the deflation basis Q, `y = A q`. With `P = Q Q'`,
 *
 *   tr A = sum q' y + tr (I - P) A (I - P),   ||A||_F^2 = sum ||y||^2 + ||A (I - P)||_F^2,   A = A P + A (I - P),
 *
 * and for symmetric A, where `A - (I - P) A (I - P) = A P + (I - P) A P` up to a transpose that leaves the diagonal as it is, the diagonal
 * of the exact part is `sum (y + (I - P) y) * q`.
 */
export async function withDeflated(
  state: HutchinsonState,
  { products, sampling }: { products: readonly Vector[]; sampling: Sampling },
): Promise<HutchinsonState> {
  const { kind, blocks, deflation, twoSided, arithmetic } = sampling;
  const entries = state.deflated.entries.slice();
  let { columns, trace, squaredFrobenius, blocks: sums } = state.deflated;
  for (const y of products) {
    const q = column(deflation!, columns++);
    if (squaredFrobenius !== undefined) squaredFrobenius += dot(y, y);
    if (y.length === q.length) trace += dot(q, y);
    const rest = twoSided ? await projectedOut(y, deflation, arithmetic) : undefined;
    const z = rest ? y.map((value, i) => value + rest[i]) : y;
    sums = sums.map((sum, b) => sum + partialDot(q, z, blocks[b]));
    if (kind === "rowNorms") for (let i = 0; i < y.length; i++) entries[i] = entries[i] + y[i] * y[i];
    if (kind === "diagonal") for (let i = 0; i < z.length; i++) entries[i] = entries[i] + q[i] * z[i];
  }
  const deflated = { columns, trace, squaredFrobenius, blocks: sums, entries };
  return { ...state, matvecs: state.matvecs + products.length, deflated };
}

function partialDot(x: Vector, y: Vector, { start, end }: { start: number; end: number }): number {
  let sum = 0;
  for (let i = start; i < end; i++) sum += x[i] * y[i];
  return sum;
}

/** `addSample` for every entry of the sample `x * y`. */
function addEntries(
  { sum, squares }: { sum: Float64Array; squares: Float64Array },
  { x, y, count }: { x: Vector; y: Vector; count: number },
): void {
  const share = count / (count + 1);
  for (let i = 0; i < sum.length; i++) {
    const sample = x[i] * y[i];
    const deviation = count === 0 ? 0 : sample - sum[i] / count;
    sum[i] = sum[i] + sample;
    squares[i] = squares[i] + deviation * deviation * share;
  }
}
