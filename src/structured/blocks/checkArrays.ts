import { CurvatureError } from "../../errors/index.ts";
import type { DenseMatrix } from "../../linalg/dense/index.ts";

/**
 * A copy of the entries of a block.
 *
 * @throws CurvatureError "argument" for entries that are not finite
 */
export function checkEntries(name: string, entries: Float64Array): Float64Array {
  const at = entries.findIndex((x) => !Number.isFinite(x));
  if (at === -1) return Float64Array.from(entries);
  throw new CurvatureError("argument", `${name}: entries must be finite, got ${entries[at]} at ${at}`);
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
  const largest = entries.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  for (let j = 0; j < columns; j++) {
    for (let i = 0; i < j; i++) {
      const difference = Math.abs(entries[j * rows + i] - entries[i * rows + j]);
      if (difference <= 1e-9 * largest) continue;
      throw new CurvatureError(
        "argument",
        `${name}: a factor must be symmetric, but its entries ${i}, ${j} and ${j}, ${i} differ by ${difference.toPrecision(3)}`,
      );
    }
  }
  return { rows, columns, data: entries };
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
