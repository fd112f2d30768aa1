import { CurvatureError } from "../../errors/index.ts";
import { stream } from "../../random/index.ts";
import { column, type Matrix, type Precision, type Vector, zeros } from "../../tensors/index.ts";
import { type Arithmetic, type BasisSplit, isBasisRows } from "./arithmetic.ts";
import { probe } from "./probes.ts";
import { axpy, dot, multiply, norm, scal } from "./vector.ts";

// A basis that grows by columns lives in one buffer; states show its leading columns, which no later step changes. On several ranks it may be
// `BasisRows`; the vectors beside it are whole on each of them, so that only what is read of the basis takes an exchange.

/**
 * Buffer for `capacity` columns, with the columns of `start` copied to its front; of the rows of this rank, if `arithmetic` splits them.
 *
 * @throws CurvatureError "argument" for the rows of a rank where the arithmetic has others
 */
export function growingBasis(
  start: Matrix,
  { capacity, dtype, arithmetic }: { capacity: number; dtype: Precision; arithmetic?: Arithmetic | undefined },
): Matrix {
  const { split } = arithmetic ?? {};
  checkRows(start, split);
  const { columns } = start;
  const rows = split?.rows ?? start.rows;
  const data = zeros(rows * Math.max(capacity, columns), dtype);
  const own = (v: Vector) => (split && !isBasisRows(start) ? partOf(v, split) : v);
  for (let k = 0; k < columns; k++) data.set(own(column(start, k)), k * rows);
  const place = split && { firstRow: split.firstRow, allRows: split.allRows };
  return { ...place, rows, columns, data: data.subarray(0, rows * columns) };
}

/** A basis of a state may have been saved on other ranks, or on one. */
function checkRows(start: Matrix, split: BasisSplit | undefined): void {
  if (!isBasisRows(start)) return;
  const { firstRow, rows, allRows } = start;
  if (split?.firstRow === firstRow && split.rows === rows && split.allRows === allRows) return;
  const wanted = split ? `rows ${split.firstRow} to ${split.firstRow + split.rows - 1} of its basis` : "a whole basis";
  throw new CurvatureError(
    "argument",
    `expected a state with ${wanted}, got one with rows ${firstRow} to ${firstRow + rows - 1} of ${allRows}; save states by rankStore, which makes them whole`,
  );
}

/** The entries of a whole vector in the rows of a rank. */
function partOf(v: Vector, { firstRow, rows }: { readonly firstRow: number; readonly rows: number }): Vector {
  return v.subarray(firstRow, firstRow + rows);
}

/** A column of a basis as a whole vector: a view, or gathered from the ranks. */
export async function wholeColumn(Q: Matrix, k: number, { split }: Arithmetic): Promise<Vector> {
  return isBasisRows(Q) && split ? split.whole(column(Q, k)) : column(Q, k);
}

/** A matrix with all of its rows on every rank: itself, or gathered from the ranks. */
export async function wholeMatrix(Q: Matrix, { split }: Arithmetic): Promise<Matrix> {
  if (!isBasisRows(Q) || !split) return Q;
  const { columns, allRows: rows } = Q;
  const data = new (Q.data.constructor as Float64ArrayConstructor)(rows * columns);
  for (let k = 0; k < columns; k++) data.set(await split.whole(column(Q, k)), k * rows);
  return { rows, columns, data };
}

/** `Q S`, summed in float64, with all of its rows on every rank. */
export function wholeProduct(Q: Matrix, S: Matrix, arithmetic: Arithmetic): Promise<Matrix> {
  return wholeMatrix({ ...Q, ...multiply(Q, S) }, arithmetic);
}

/** The first columns of a basis, as a view. */
export function leadingColumns(Q: Matrix, columns: number): Matrix {
  return { ...Q, columns, data: Q.data.subarray(0, Q.rows * columns) };
}

/** The basis with one more column, written behind the others in the buffer of `growingBasis`. */
export function withColumn(Q: Matrix, v: Vector): Matrix {
  const { rows, columns, data } = Q;
  const View = data instanceof Float64Array ? Float64Array : Float32Array;
  const longer = new View(data.buffer as ArrayBuffer, data.byteOffset, rows * (columns + 1));
  longer.set(isBasisRows(Q) ? partOf(v, Q) : v, rows * columns);
  return { ...Q, columns: columns + 1, data: longer };
}

/** A second pass is made where one pass leaves less than this share of the vector (Daniel, Gragg, Kaufman and Stewart, 1976). */
const KEPT_SHARE = Math.SQRT1_2;

/** Passes after which a vector that keeps shrinking lies in the span of the basis to rounding ("twice is enough", Parlett, 1998). */
const MOST_PASSES = 3;

/** `w - Q (Q' w)` for orthonormal Q, by classical Gram-Schmidt, again only where the norm test asks for it. */
export async function orthogonalize(
  w: Vector,
  Q: Matrix,
  arithmetic: Arithmetic,
): Promise<{ readonly vector: Vector; readonly coefficients: Float64Array; readonly norm: number }> {
  const coefficients = new Float64Array(Q.columns);
  let [vector, before] = [w, norm(w)];
  if (Q.columns === 0) return { vector, coefficients, norm: before };
  for (let pass = 1; ; pass++) {
    const c = await arithmetic.project(Q, vector);
    vector = await arithmetic.subtract(vector, Q, c);
    axpy(1, c, coefficients);
    const after = norm(vector);
    if (after >= KEPT_SHARE * before || pass === MOST_PASSES) return { vector, coefficients, norm: after };
    before = after;
  }
}

/** Result of one step of the recurrence. */
export interface LanczosStep {
  /** `q' A q` of the newest basis vector q. */
  readonly alpha: number;
  /** Norm of the part of `A q` outside the basis. */
  readonly beta: number;
  /** Part of `A q` outside the basis, not normalized. */
  readonly next: Vector;
}

/** Takes the terms of the two newest basis vectors from `w = A newest`, which it changes: `w - beta before - alpha newest`. Gives alpha. */
export function withoutKnownTerms(
  w: Vector,
  { newest, before, beta }: { readonly newest: Vector; readonly before: Vector | undefined; readonly beta: number },
): number {
  if (before) axpy(-beta, before, w);
  const alpha = dot(newest, w);
  axpy(-alpha, newest, w);
  return alpha;
}

/**
 * One step of the three-term recurrence `A q_j = beta_(j-1) q_(j-1) + alpha_j q_j + beta_j q_(j+1)` with full reorthogonalization. The two
 * known terms go first, so that the norm test of the full pass sees rounding only. Changes `w = A q_j`.
 */
export async function lanczosStep(
  w: Vector,
  {
    basis,
    newest,
    beta,
    arithmetic,
  }: { basis: Matrix /** Its last column, whole. */; newest: Vector; beta: number; arithmetic: Arithmetic },
): Promise<LanczosStep> {
  const { columns } = basis;
  const before = beta === 0 ? undefined : await wholeColumn(basis, columns - 2, arithmetic);
  const alpha = withoutKnownTerms(w, { newest, before, beta });
  const { vector, coefficients, norm: left } = await orthogonalize(w, basis, arithmetic);
  return { alpha: alpha + coefficients[columns - 1]!, beta: left, next: vector };
}

/** The vector scaled to length 1; changes it. */
export function normalized(x: Vector): Vector {
  scal(1 / norm(x), x);
  return x;
}

/** Random unit vector orthogonal to a basis of fewer columns than rows, its direction uniform. */
export async function randomDirection(
  basis: Matrix,
  { seed, path, dtype, arithmetic }: { seed: number; path: string | number; dtype: Precision; arithmetic: Arithmetic },
): Promise<Vector> {
  const random = stream(seed, "direction", path);
  const rows = isBasisRows(basis) ? basis.allRows : basis.rows;
  for (;;) {
    const v = normalized(probe(rows, { distribution: "gaussian", stream: random, dtype }));
    const { vector, norm: left } = await orthogonalize(v, basis, arithmetic);
    // Of a draw that lies almost in the span only rounding is left: draw again.
    if (left > 1e-3 / Math.sqrt(rows)) return normalized(vector);
  }
}
