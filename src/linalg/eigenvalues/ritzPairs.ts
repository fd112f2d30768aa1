import { column, type Matrix } from "../../tensors/index.ts";
import { eigh } from "../dense/index.ts";
import { maxAbs } from "../vectors/vector.ts";

/** Values of `which`, the default first. */
export const WHICH = ["largest", "smallest", "magnitude", "both"] as const;

/** End of the spectrum that is asked for, or both, or the largest in absolute value. */
export type Which = (typeof WHICH)[number];

/** Projection of A on a basis of kept Ritz vectors and the Lanczos vectors after them. */
export interface Projection {
  readonly kept: { readonly values: Float64Array; readonly coupling: Float64Array };
  readonly alpha: Float64Array;
  readonly beta: Float64Array;
  /** Kept vectors, the first ones, that have converged and are not coupled to the others: these live in their complement. Default 0. */
  readonly locked?: number | undefined;
}

/** Eigenpairs of a projected matrix, foremost first. */
export interface RitzPairs {
  readonly values: Float64Array;
  /** `[size, size]`, column i holds the coordinates of Ritz vector i in the basis. */
  readonly coordinates: Matrix;
  /** Coupling of each Ritz vector to the next basis vector; `residualNorms` are its absolute values. */
  readonly coupling: Float64Array;
  /** Norms of the residuals, by the recurrence. */
  readonly residualNorms: Float64Array;
  /** Whether each is a locked vector. */
  readonly locked: readonly boolean[];
  /** Largest absolute value. */
  readonly scale: number;
}

/** Number of basis vectors that the projected matrix is about. */
export function projectedColumns({ kept, alpha }: Projection): number {
  return kept.values.length + alpha.length;
}

/**
 * Ritz pairs of a state, foremost first by `which`. By the Lanczos relation the residual of pair i is `beta s_i`, s the last coordinate. Others come
 * before a locked pair only where they are ahead of it by more than `advantage` times the largest absolute value.
 */
export async function ritzPairs(state: Projection, which: Which, advantage = 0): Promise<RitzPairs> {
  const size = projectedColumns(state);
  const { locked = 0 } = state;
  const open = withoutLocked(state);
  const made = open.alpha.length === 0 ? afterRestart(open) : await decomposed(open, size - locked);
  const values = Float64Array.of(...state.kept.values.subarray(0, locked), ...made.values);
  const coupling = Float64Array.of(...new Float64Array(locked), ...made.coupling);
  const { order, ...sorted } = foremost(values, which, { locked, advantage });
  const chosen = Float64Array.from(order, (i) => coupling[i]!);
  const coordinates = besideLocked(made.coordinates, { order, locked });
  return { ...sorted, coordinates, coupling: chosen, residualNorms: chosen.map(Math.abs) };
}

/**
 * The values of a projection, foremost first, and where each comes from. Others come before one of the first `locked` values only where they are
 * ahead of it by more than `advantage` times the largest absolute value.
 */
export function foremost(
  values: Float64Array,
  which: Which,
  { locked, advantage }: { readonly locked: number; readonly advantage: number },
) {
  const scale = maxAbs(values);
  const order = preference(values, which, { count: locked, by: advantage * scale });
  return { order, values: Float64Array.from(order, (i) => values[i]!), locked: order.map((i) => i < locked), scale };
}

/** Coordinates of locked vectors, which are the first ones of the basis, and of combinations Q of the others, in an order. */
export function besideLocked(
  Q: Matrix,
  { order, locked }: { readonly order: readonly number[]; readonly locked: number },
): Matrix {
  const size = order.length;
  const data = new Float64Array(size * size);
  order.forEach((from, to) => {
    if (from < locked) data[to * size + from] = 1;
    else data.set(column(Q, from - locked), to * size + locked);
  });
  return { rows: size, columns: size, data };
}

function withoutLocked({ kept, alpha, beta, locked = 0 }: Projection): Projection {
  return { kept: { values: kept.values.subarray(locked), coupling: kept.coupling.subarray(locked) }, alpha, beta };
}

interface Decomposition {
  readonly values: Float64Array;
  readonly coordinates: Matrix;
  readonly coupling: Float64Array;
}

/** Right after a restart the projected matrix is diagonal. */
function afterRestart({ kept }: Projection): Decomposition {
  const size = kept.values.length;
  const data = new Float64Array(size * size);
  for (let i = 0; i < size; i++) data[i * size + i] = 1;
  return { values: kept.values, coordinates: { rows: size, columns: size, data }, coupling: kept.coupling };
}

async function decomposed(state: Projection, size: number): Promise<Decomposition> {
  const { values, vectors } = await eigh({ rows: size, columns: size, data: projectedMatrix(state, size) });
  const beta = state.beta[state.beta.length - 1]!;
  const coupling = Float64Array.from(values, (_, i) => beta * vectors.data[i * size + size - 1]!);
  return { values, coordinates: vectors, coupling };
}

/** Kept values on the diagonal, their coupling as an arrow to the column after them, then tridiagonal. */
function projectedMatrix({ kept, alpha, beta }: Projection, size: number): Float64Array {
  const T = new Float64Array(size * size);
  const first = kept.values.length;
  const set = (i: number, j: number, value: number) => {
    T[i * size + j] = T[j * size + i] = value;
  };
  kept.values.forEach((value, i) => {
    set(i, i, value);
    set(i, first, kept.coupling[i]!);
  });
  alpha.forEach((value, s) => {
    set(first + s, first + s, value);
    if (s + 1 < alpha.length) set(first + s, first + s + 1, beta[s]!);
  });
  return T;
}

/** Values that are preferred where others are ahead by no more than some amount. */
interface Favoured {
  /** Number of these values, which come first. */
  readonly count: number;
  readonly by: number;
}

/** Indices of ascending or unordered values, most wanted first; "both" takes turns, largest first. */
export function preference(
  values: Float64Array,
  which: Which,
  favoured: Favoured = { count: 0, by: 0 },
): readonly number[] {
  const { count, by } = favoured;
  const all = Array.from(values, (_, i) => i);
  const bonus = (i: number) => (i < count ? by : 0);
  const high = (i: number) => values[i]! + bonus(i);
  const low = (i: number) => values[i]! - bonus(i);
  const size = (i: number) => Math.abs(values[i]!) + bonus(i);
  const descending = [...all].sort((i, j) => high(j) - high(i));
  if (which === "largest") return descending;
  const ascending = [...all].sort((i, j) => low(i) - low(j));
  if (which === "smallest") return ascending;
  if (which === "magnitude") return [...descending].sort((i, j) => size(j) - size(i));
  const turns = new Set<number>();
  while (turns.size < values.length) {
    turns.add(descending.find((index) => !turns.has(index))!);
    const next = ascending.find((index) => !turns.has(index));
    if (next !== undefined) turns.add(next);
  }
  return [...turns];
}

/** Indices of the k foremost values in the order that `which` says; in descending order where both ends were taken in turns. */
export function resultOrder(
  values: Float64Array,
  { k, which }: { readonly k: number; readonly which: Which },
): readonly number[] {
  return preference(values.slice(0, k), which === "both" ? "largest" : which);
}

/** Some columns of a matrix, in this order. */
export function columnsOf(matrix: Matrix, indices: readonly number[]): Matrix {
  const data = new Float64Array(matrix.rows * indices.length);
  indices.forEach((from, to) => {
    data.set(column(matrix, from), to * matrix.rows);
  });
  return { rows: matrix.rows, columns: indices.length, data };
}

/** The block of a square matrix without its first rows and columns. */
export function trailingBlock({ rows, data }: Matrix, from: number): Matrix {
  const size = rows - from;
  const block = new Float64Array(size * size);
  for (let j = 0; j < size; j++) block.set(data.subarray((from + j) * rows + from, (from + j + 1) * rows), j * size);
  return { rows: size, columns: size, data: block };
}
