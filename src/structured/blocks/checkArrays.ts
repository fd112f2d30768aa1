import { CurvatureError } from "../../errors/index.ts";
import type { DenseMatrix } from "../../linalg/dense/index.ts";

/**
 * A copy of the entries of a block.
 *
 * @throws CurvatureError "argument" for entries that are not finite
 */
export function checkEntries(name: string, entries: Float64Array): Float64Array {
  checkFinite(name, entries);
  return entries.slice();
}

/**
 * Refuses entries that are not finite.
 *
 * @throws CurvatureError "argument" for such an entry, with its place
 */
export function checkFinite(name: string, entries: Float64Array): void {
  // 0 times what is not finite is NaN.
  let sum = 0;
  for (let i = 0; i < entries.length; i++) sum += 0 * entries[i];
  if (sum === 0) return;
  const i = entries.findIndex((x) => !Number.isFinite(x));
  throw new CurvatureError("argument", `${name}: entries must be finite, got ${entries[i]} at ${i}`);
}

/**
 * A copy of a symmetric factor of a block.
 *
 * @throws CurvatureError "shape" for a matrix that is not square, "argument" for one that is not finite or not symmetric to 1e-9 of its
 *   largest entry
 */
export function checkSymmetricFactor(name: string, { rows, columns, data }: DenseMatrix): DenseMatrix {
  if (rows !== columns || data.length !== rows * columns) {
    throw new CurvatureError(
      "shape",
      `${name}: a factor must be square, got ${rows} x ${columns} with ${data.length} entries`,
    );
  }
  const entries = checkEntries(name, data);
  let largest = 0;
  for (let i = 0; i < entries.length; i++) largest = Math.max(largest, Math.abs(entries[i]));
  for (const [i, j] of asymmetries({ rows, columns, data: entries }, 1e-9 * largest)) {
    const difference = Math.abs(entries[j * rows + i] - entries[i * rows + j]);
    throw new CurvatureError(
      "argument",
      `${name}: a factor must be symmetric, but its entries ${i}, ${j} and ${j}, ${i} differ by ${difference.toPrecision(3)}`,
    );
  }
  return { rows, columns, data: entries };
}

/** Tiles of this many rows and columns stay in the processor's caches, transposed ones too. */
const TILE = 32;

/** The places above the diagonal at which a matrix differs from its transpose by more than a limit. */
function* asymmetries(matrix: DenseMatrix, limit: number): Generator<readonly [row: number, column: number]> {
  const { rows: n, data } = matrix;
  for (let column = 0; column < n; column += TILE) {
    for (let row = 0; row <= column; row += TILE) {
      for (let j = column; j < Math.min(column + TILE, n); j++) {
        const end = Math.min(row + TILE, j);
        for (let i = row; i < end; i++) {
          if (Math.abs(data[j * n + i] - data[i * n + j]) > limit) yield [i, j];
        }
      }
    }
  }
}

/**
 * Checks that a square matrix is orthogonal, by `Q (Q' x) = x` for one vector x, in n^2 operations.
 *
 * @throws CurvatureError "argument" for one that is not finite or not orthogonal to 1e-6
 */
export function checkOrthogonal(name: string, { rows: n, data }: DenseMatrix): void {
  // No vector of equal or alternating signs: those are left as they are by some matrices that are not orthogonal.
  const x = Float64Array.from({ length: n }, (_, i) => Math.cos(i * i + 1));
  const back = new Float64Array(n);
  for (let j = 0; j < n; j++) {
    const column = data.subarray(j * n, (j + 1) * n);
    let along = 0;
    for (let i = 0; i < n; i++) along += column[i] * x[i];
    for (let i = 0; i < n; i++) back[i] += along * column[i];
  }
  const error = x.reduce((worst, own, i) => Math.max(worst, Math.abs(back[i] - own)), 0);
  if (error <= 1e-6) return;
  throw new CurvatureError(
    "argument",
    `${name}: a basis must be an orthogonal matrix, got one for which Q Q' x differs from x by ${error.toPrecision(3)}; take the eigenvectors of a factor`,
  );
}
