import { column, type Matrix, type Precision, type Vector } from "../../tensors/index.ts";
import { eigh } from "../dense/index.ts";
import type { Arithmetic } from "../vectors/arithmetic.ts";
import { growingBasis, leadingColumns, orthogonalize, withColumn } from "../vectors/basis.ts";
import { axpy, dot, maxAbs, multiply, norm, scaled } from "../vectors/vector.ts";
import { besideLocked, columnsOf, foremost, type RitzPairs, trailingBlock, type Which } from "./ritzPairs.ts";
import { diagonalOf } from "./thickRestart.ts";

// A block Krylov space and what the operator is on it. With a basis V of which the first `multiplied` columns V_1 have been multiplied, and
// the rest X have not, `A V_1 = V_1 H + X C`: H is the projection and C the coupling. Restarts keep this form, which holds for any V_1.

/** Plain data, from which the space can grow again. */
export interface BlockSpace {
  /** `[n, multiplied + block]`, orthonormal in the inner product. */
  readonly basis: Matrix;
  /** Of an inner product `x' B y`: B times the basis. */
  readonly dual?: Matrix | undefined;
  readonly multiplied: number;
  /** `[multiplied, multiplied]`, symmetric. */
  readonly projected: Matrix;
  /** `[block, multiplied]` */
  readonly coupling: Matrix;
  /** Leading columns that have converged and are not coupled to the others: these live in their complement. */
  readonly locked?: number | undefined;
}

/** Eigenpairs of the projection, the most wanted first; `residualNorms` are the norms of `C s`. */
export type BlockRitz = Omit<RitzPairs, "coupling">;

/** A vector and, of another inner product, B times it. */
export interface DualPair {
  readonly vector: Vector;
  readonly dual?: Vector | undefined;
}

/** Number of columns of the basis that have not been multiplied. */
export function openColumns({ basis, multiplied }: BlockSpace): number {
  return basis.columns - multiplied;
}

/** The space without a column, `dual` in an inner product. */
export function emptySpace(basis: Matrix, dual?: Matrix): BlockSpace {
  const none: Matrix = { rows: 0, columns: 0, data: new Float64Array(0) };
  return { basis, dual, multiplied: 0, projected: none, coupling: none };
}

/** A saved space with room to grow. */
export function resumedSpace(
  space: BlockSpace,
  { capacity, dtype }: { readonly capacity: number; readonly dtype: Precision },
): BlockSpace {
  const room = (Q: Matrix) => growingBasis(Q, { capacity, dtype });
  return { ...space, basis: room(space.basis), dual: space.dual && room(space.dual) };
}

/**
 * The Ritz pairs of a space, and the norms of their residuals. Others come before a locked pair only where they are ahead of it by more than
 * `advantage` times the largest absolute value.
 */
export async function blockRitz(space: BlockSpace, which: Which, advantage = 0): Promise<BlockRitz> {
  const { multiplied: size, locked = 0, projected } = space;
  const open = await eigh(trailingBlock(projected, locked));
  const values = Float64Array.from({ length: size }, (_, i) =>
    i < locked ? projected.data[i * size + i]! : open.values[i - locked]!,
  );
  const { order, ...sorted } = foremost(values, which, { locked, advantage });
  const coordinates = besideLocked(open.vectors, { order, locked });
  const residuals = multiply(space.coupling, coordinates);
  return { ...sorted, coordinates, residualNorms: Float64Array.from(order, (_, i) => norm(column(residuals, i))) };
}

/**
 * The space after its open columns were multiplied. The products are orthogonalized against the whole basis, whose coefficients are the new
 * columns of H; what is left becomes the next block, and its coefficients the coupling. Directions that are exhausted are replaced by `fresh`.
 */
export async function grown(
  space: BlockSpace,
  products: readonly DualPair[],
  tools: {
    readonly arithmetic: Arithmetic;
    readonly rounding: number;
    readonly fresh: (space: BlockSpace, index: number) => Promise<DualPair>;
    /**
     * The pair with its dual computed anew from its vector, orthonormal with that: where both come from the recurrence alone, what rounding and
     * solves put between them grows by each normalization.
     */
    readonly exact: (pair: DualPair, space: BlockSpace) => Promise<DualPair>;
  },
): Promise<BlockSpace> {
  const { multiplied } = space;
  const block = products.length;
  const size = multiplied + block;
  const projected = new Float64Array(size * size);
  for (let j = 0; j < multiplied; j++) projected.set(column(space.projected, j), j * size);
  const coupling = new Float64Array(block * size);
  let next: BlockSpace = space;
  let scale = maxAbs(space.projected.data);
  for (let j = 0; j < block; j++) {
    const found = await orthogonalizedPair(products[j]!, next, tools.arithmetic);
    found.coefficients.subarray(0, size).forEach((c, i) => {
      projected[(multiplied + j) * size + i] = c;
    });
    coupling.set(found.coefficients.subarray(size), (multiplied + j) * block);
    scale = Math.max(scale, maxAbs(found.coefficients));
    const exhausted = found.norm <= tools.rounding * scale;
    if (next.basis.columns === space.basis.rows) continue;
    if (!exhausted) coupling[(multiplied + j) * block + (next.basis.columns - size)] = found.norm;
    next = appended(
      next,
      exhausted ? await tools.fresh(next, j) : await tools.exact(scaledPair(1 / found.norm, found), next),
    );
  }
  const symmetric = mirrored(projected, { size, from: multiplied });
  const rows = next.basis.columns - size;
  const trimmed = rows === block ? coupling : compacted(coupling, { block, rows, size });
  return {
    ...next,
    multiplied: size,
    projected: { rows: size, columns: size, data: symmetric },
    coupling: { rows, columns: size, data: trimmed },
  };
}

/** The space of some Ritz vectors, of which the first `locked` are locked, and the open columns, which are left out where `alone` says so. */
export async function shrunk(
  space: BlockSpace,
  ritz: BlockRitz,
  {
    chosen,
    locked,
    alone = false,
    capacity,
    dtype,
    arithmetic,
  }: {
    readonly chosen: readonly number[];
    readonly locked: number;
    readonly alone?: boolean | undefined;
    readonly capacity: number;
    readonly dtype: Precision;
    readonly arithmetic: Arithmetic;
  },
): Promise<BlockSpace> {
  const { multiplied } = space;
  const S = columnsOf(ritz.coordinates, chosen);
  const kept = async (Q: Matrix) => {
    let basis = growingBasis(await arithmetic.combine(leadingColumns(Q, multiplied), S), { capacity, dtype });
    for (let j = multiplied; j < Q.columns && !alone; j++) basis = withColumn(basis, column(Q, j));
    return basis;
  };
  return {
    basis: await kept(space.basis),
    dual: space.dual && (await kept(space.dual)),
    multiplied: chosen.length,
    projected: diagonalOf(ritz.values, chosen),
    coupling: alone ? { rows: 0, columns: chosen.length, data: new Float64Array(0) } : multiply(space.coupling, S),
    locked: locked > 0 ? locked : undefined,
  };
}

/** A vector less its part in the basis, in the space's inner product. */
export async function orthogonalizedPair(
  pair: DualPair,
  space: BlockSpace,
  arithmetic: Arithmetic,
): Promise<DualPair & { readonly coefficients: Float64Array; readonly norm: number }> {
  const { basis, dual } = space;
  if (!dual || !pair.dual) return orthogonalize(pair.vector, basis, arithmetic);
  const coefficients = new Float64Array(basis.columns);
  let { vector, dual: image } = pair;
  // Three passes whatever the norms say: with a solver in the inner product a pass may leave more than rounding.
  for (let pass = 0; pass < 3; pass++) {
    const c = await arithmetic.project(basis, image);
    vector = await arithmetic.subtract(vector, basis, c);
    image = await arithmetic.subtract(image, dual, c);
    axpy(1, c, coefficients);
  }
  return { vector, dual: image, coefficients, norm: Math.sqrt(Math.max(dot(vector, image), 0)) };
}

/** The pair times a number. */
export function scaledPair(factor: number, { vector, dual }: DualPair): DualPair {
  return { vector: scaled(factor, vector), dual: dual && scaled(factor, dual) };
}

/** The space with one more open column. */
export function appended(space: BlockSpace, { vector, dual }: DualPair): BlockSpace {
  return { ...space, basis: withColumn(space.basis, vector), dual: space.dual && dual && withColumn(space.dual, dual) };
}

/** Columns `from ...` of a symmetric matrix written to its rows as well; where both are there, their mean. */
function mirrored(H: Float64Array, { size, from }: { readonly size: number; readonly from: number }): Float64Array {
  for (let j = from; j < size; j++) {
    for (let i = 0; i < j; i++) {
      const upper = H[j * size + i]!;
      const value = i < from ? upper : (upper + H[i * size + j]!) / 2;
      H[j * size + i] = H[i * size + j] = value;
    }
  }
  return H;
}

function compacted(
  C: Float64Array,
  { block, rows, size }: { readonly block: number; readonly rows: number; readonly size: number },
): Float64Array {
  const result = new Float64Array(rows * size);
  for (let j = 0; j < size; j++) result.set(C.subarray(j * block, j * block + rows), j * rows);
  return result;
}
