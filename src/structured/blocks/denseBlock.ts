import { memoized } from "../../concurrency/index.ts";
import { type DenseMatrix, eigh } from "../../linalg/dense/index.ts";
import { matmul } from "../../primitives/index.ts";
import type { Block } from "./block.ts";
import { checkSymmetricFactor } from "./checkArrays.ts";
import { clipComputed, spectralBlock } from "./spectralBlock.ts";

/**
 * A dense block. Functions of it take one eigendecomposition, 9 size^3 operations.
 *
 * @param matrix symmetric and positive semidefinite, [size, size], copied
 * @throws CurvatureError "shape" or "argument" for another matrix
 */
export function denseBlock(matrix: DenseMatrix): Block {
  const own = checkSymmetricFactor("denseBlock", matrix);
  const size = own.rows;
  const stored = { data: own.data, dims: [size, size] };
  const decomposition = memoized(() => eigh(own));
  const block = spectralBlock({
    kind: "dense",
    size,
    arrays: { matrix: stored },
    async spectrum() {
      const { values, vectors } = await decomposition();
      return {
        ...clipComputed("dense", values),
        // Stored by columns, the eigenvectors are the rows of Q'.
        basis: { vectors: { data: vectors.data, dims: [size, size] } },
        toBasis: (x, basis) => matmul(x, basis.vectors, { transposeB: true }),
        fromBasis: (x, basis) => matmul(x, basis.vectors),
        diagonalOf: (x) => squaredTimes(vectors.data, { size, x }),
      };
    },
    plain: { form: "dense", arrays: { matrix: stored }, build: (x, { matrix: M }) => matmul(x, M) },
    plainDiagonal: () => diagonalOf(own),
    plainSquaredNorm: () => sumOfSquares(own.data),
  });
  return {
    ...block,
    eigenvectors: async () => (await decomposition()).vectors,
    plusDiagonal(added) {
      const data = own.data.slice();
      for (let i = 0; i < size; i++) data[i * (size + 1)] += added[i];
      return denseBlock({ rows: size, columns: size, data });
    },
  };
}

/** (Q o Q) x, for Q stored by columns. */
export function squaredTimes(
  Q: Float64Array,
  { size, x }: { readonly size: number; readonly x: Float64Array },
): Float64Array {
  const result = new Float64Array(size);
  for (let j = 0; j < size; j++) {
    for (let i = 0; i < size; i++) result[i] += Q[j * size + i] ** 2 * x[j];
  }
  return result;
}

/** The squared Frobenius norm of entries. */
export function sumOfSquares(entries: Float64Array): number {
  return entries.reduce((sum, x) => sum + x * x, 0);
}

/** The diagonal of a square matrix. */
export function diagonalOf({ rows, data }: DenseMatrix): Float64Array {
  return Float64Array.from({ length: rows }, (_, i) => data[i * rows + i]);
}
