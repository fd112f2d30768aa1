import { column, type Matrix } from "../tensors/index.ts";
import { eigh } from "./dense/index.ts";
import { maxAbs } from "./vector.ts";

/** End of the spectrum that is asked for, or both, or the largest in absolute value. */
export type Which = "largest" | "smallest" | "magnitude" | "both";

/** Projection of A on a basis of kept Ritz vectors and the Lanczos vectors after them. */
export interface Projection {
  readonly kept: { readonly values: Float64Array; readonly coupling: Float64Array };
  readonly alpha: Float64Array;
  readonly beta: Float64Array;
}

/** Eigenpairs of a projected matrix, foremost first. */
export interface RitzPairs {
  readonly values: Float64Array;
  /** `[size, size]`, column i holds the coordinates of Ritz vector i in the basis. */
  readonly coordinates: Matrix;
  /** Coupling of each Ritz vector to the next basis vector; `residualNorms` are its absolute values. */
  readonly coupling: Float64Array;
  readonly residualNorms: Float64Array;
  /** Largest absolute value. */
  readonly scale: number;
}

/** Number of basis vectors that the projected matrix is about. */
export function projectedColumns({ kept, alpha }: Projection): number {
  return kept.values.length + alpha.length;
}

/** Ritz pairs of a state, foremost first by `which`. By the Lanczos relation the residual of pair i is `beta s_i`, s the last coordinate. */
export async function ritzPairs(state: Projection, which: Which): Promise<RitzPairs> {
  const size = projectedColumns(state);
  const { values, coordinates, coupling } =
    state.alpha.length === 0 ? afterRestart(state) : await decomposed(state, size);
  const order = preference(values, which);
  const data = new Float64Array(size * size);
  order.forEach((from, to) => {
    data.set(column(coordinates, from), to * size);
  });
  const chosen = Float64Array.from(order, (i) => coupling[i]!);
  return {
    values: Float64Array.from(order, (i) => values[i]!),
    coordinates: { rows: size, columns: size, data },
    coupling: chosen,
    residualNorms: chosen.map(Math.abs),
    scale: maxAbs(values),
  };
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

/** Indices of ascending or unordered values, most wanted first; "both" takes turns, largest first. */
export function preference(values: Float64Array, which: Which): readonly number[] {
  const descending = Array.from(values, (_, i) => i).sort((i, j) => values[j]! - values[i]!);
  if (which === "largest") return descending;
  if (which === "smallest") return descending.reverse();
  if (which === "magnitude") return descending.sort((i, j) => Math.abs(values[j]!) - Math.abs(values[i]!));
  const turns: number[] = [];
  for (let i = 0, j = descending.length - 1; i <= j; i++, j--) {
    turns.push(descending[i]!);
    if (i < j) turns.push(descending[j]!);
  }
  return turns;
}
