import { CurvatureError } from "../../errors/index.ts";
import type { DenseMatrix } from "../../linalg/dense/index.ts";
import { cholesky, choleskySolve } from "../../linalg/index.ts";

// Derivation. Rounding row i of V [m, n] moves it by e_i [n]; the rows that are still free, F, may move as well. With the quadratic model
// tr(D' H D) / 2 of a block H (x) B the least change for D_i = e_i is, by Lagrange multipliers,
//
//   D_F = [H^-1]_Fi / [H^-1]_ii e_i,     H^-1 of the rows that are not yet rounded,
//
// whatever B is, since all entries of the row are fixed at once (Hassibi and Stork, 1993, for one weight). Taking row i out of H^-1 is a step of
// Gaussian elimination, and with the upper Cholesky factor H^-1 = U' U all steps are there at once: [H^-1]_Fi / [H^-1]_ii at step i is
// U_iF / U_ii (Frantar et al., 2023).

/** Order in which the rows are rounded. */
export type CompensationOrder = "stored" | "diagonal";

/** What `compensatedRounding` rounds, and how. */
export interface CompensatedRoundingOptions {
  /** H, [m, m], symmetric and positive semidefinite. */
  readonly block: DenseMatrix;
  /** The nearest point of the grid of entry (row, column). */
  readonly round: (weight: number, entry: { readonly row: number; readonly column: number }) => number;
  /** Share of the mean diagonal of H that is added to it. */
  readonly damping: number;
  readonly order: CompensationOrder;
}

/** Weights rounded with compensation. */
export interface CompensatedRounding {
  /** [m, n], row-major. */
  readonly values: Float64Array;
  /** tr(D' H D) with H undamped, for rounding to the nearest points and for the values returned. */
  readonly plainError: number;
  readonly error: number;
  /** Columns that keep their nearest points, since compensation would raise their error: it is greedy. */
  readonly keptPlain: number;
}

/**
 * Rounds the rows of V [m, n] in turn, and moves the rows not yet rounded so that they make up for the error as far as they can. Columns share H and do
 * not influence one another. A column whose error with H would be larger than that of plain rounding keeps plain rounding, so that the result is never
 * worse. Takes m^3 + 2 m^2 n operations and two matrices [m, m].
 *
 * @throws CurvatureError "numeric" where the damped block is not positive definite
 */
export async function compensatedRounding(
  weights: Float64Array,
  options: CompensatedRoundingOptions,
): Promise<CompensatedRounding> {
  const { block, round } = options;
  const m = block.rows;
  const n = weights.length / m;
  const place = (k: number) => ({ row: Math.floor(k / n), column: k % n });
  const plain = weights.map((weight, k) => round(weight, place(k)));
  const plainErrors = columnErrors(plain, weights, block);
  const values = await greedy(weights, options);
  const errors = values === undefined ? plainErrors : columnErrors(values, weights, block);
  let keptPlain = 0;
  const best = plain.slice();
  for (let column = 0; column < n; column++) {
    if (values === undefined || !(errors[column]! < plainErrors[column]!)) {
      keptPlain++;
      continue;
    }
    for (let row = 0; row < m; row++) best[row * n + column] = values[row * n + column]!;
  }
  const least = plainErrors.map((error, column) => Math.min(error, errors[column]!));
  return { values: best, plainError: sum(plainErrors), error: sum(least), keptPlain };
}

/** The greedy sequence; undefined where H is zero, so that nothing is there to make up for anything. */
async function greedy(
  weights: Float64Array,
  { block, round, damping, order }: CompensatedRoundingOptions,
): Promise<Float64Array | undefined> {
  const m = block.rows;
  const n = weights.length / m;
  const rows = rowOrder(block, order);
  const U = await inverseFactor(block, { rows, damping });
  if (U === undefined) return undefined;
  const moved = weights.slice();
  const values = new Float64Array(weights.length);
  for (let i = 0; i < m; i++) {
    const row = rows[i]!;
    for (let column = 0; column < n; column++) {
      const k = row * n + column;
      values[k] = round(moved[k]!, { row, column });
      const error = (values[k]! - moved[k]!) / U[i * m + i]!;
      if (error === 0) continue;
      for (let j = i + 1; j < m; j++) moved[rows[j]! * n + column]! += error * U[i * m + j]!;
    }
  }
  return values;
}

function rowOrder({ rows: m, data }: DenseMatrix, order: CompensationOrder): readonly number[] {
  const rows = Array.from({ length: m }, (_, i) => i);
  return order === "stored" ? rows : rows.sort((a, b) => data[b * (m + 1)]! - data[a * (m + 1)]! || a - b);
}

/** U, [m, m] row-major and upper triangular, with U' U = (H + d I)^-1 in the order of `rows`. */
async function inverseFactor(
  { rows: m, data }: DenseMatrix,
  { rows, damping }: { readonly rows: readonly number[]; readonly damping: number },
): Promise<Float64Array | undefined> {
  let trace = 0;
  for (let i = 0; i < m; i++) trace += data[i * (m + 1)]!;
  if (!(trace > 0)) return undefined;
  const permuted = new Float64Array(m * m);
  for (let j = 0; j < m; j++) {
    for (let i = 0; i < m; i++) permuted[j * m + i] = data[rows[j]! * m + rows[i]!]!;
    permuted[j * (m + 1)]! += (damping * trace) / m;
  }
  const unit = new Float64Array(m * m);
  for (let i = 0; i < m; i++) unit[i * (m + 1)] = 1;
  try {
    const L = await cholesky({ rows: m, columns: m, data: permuted });
    const inverse = await choleskySolve(L, { rows: m, columns: m, data: unit });
    // The lower factor of the inverse by columns is its transpose, the upper one, by rows.
    return (await cholesky(inverse)).data;
  } catch (cause) {
    if (!(cause instanceof CurvatureError)) throw cause;
    throw new CurvatureError(
      "numeric",
      `compensated rounding needs a positive definite block, got one that is not with damping ${damping} of its mean diagonal; raise damping`,
      { cause },
    );
  }
}

/** d' H d for each column d of the changes, [n]. */
function columnErrors(values: Float64Array, weights: Float64Array, { rows: m, data }: DenseMatrix): Float64Array {
  const n = weights.length / m;
  const errors = new Float64Array(n);
  const d = new Float64Array(m);
  for (let column = 0; column < n; column++) {
    for (let i = 0; i < m; i++) d[i] = values[i * n + column]! - weights[i * n + column]!;
    for (let j = 0; j < m; j++) {
      if (d[j] === 0) continue;
      let product = 0;
      for (let i = 0; i < m; i++) product += data[j * m + i]! * d[i]!;
      errors[column]! += d[j]! * product;
    }
  }
  return errors;
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}
