import type { Value } from "../../graph/index.ts";
import type { DenseMatrix } from "../../linalg/dense/index.ts";
import { matmul, reshape } from "../../primitives/index.ts";
import { squaredTimes } from "./denseBlock.ts";
import type { Clipped, Spectrum } from "./spectralBlock.ts";

/** Sizes of the matrices V [m, n] that a Kronecker block multiplies. */
export interface KroneckerSizes {
  readonly m: number;
  readonly n: number;
}

/** x [K, m n] as matrices; one matrix without the axis K, so that the engine multiplies matrices. */
export function asMatrices(x: Value, { m, n }: KroneckerSizes): Value {
  const [columns] = x.shape;
  return reshape(x, columns === 1 ? [m, n] : [columns, m, n]);
}

/** Matrices [m, n] or [K, m, n] as [K, m n]. */
export function asVectors(V: Value, { m, n }: KroneckerSizes): Value {
  return reshape(V, [V.shape.length === 2 ? 1 : V.shape[0], m * n]);
}

/** The basis `Q_A (x) Q_B` of matrices [m, n]; without Q_A, the unit vectors on the left. */
export function kroneckerSpectrum(
  eigenvalues: Clipped,
  { QA, QB, sizes }: { readonly QA: DenseMatrix | undefined; readonly QB: DenseMatrix; readonly sizes: KroneckerSizes },
): Spectrum {
  const { m, n } = sizes;
  return {
    ...eigenvalues,
    // Stored by columns, the eigenvectors are the rows of Q'.
    basis: {
      ...(QA && { left: { data: QA.data, dims: [m, m] } }),
      right: { data: QB.data, dims: [n, n] },
    },
    toBasis(x, { left, right }) {
      const V = asMatrices(x, sizes);
      return asVectors(matmul(left === undefined ? V : matmul(left, V), right, { transposeB: true }), sizes);
    },
    fromBasis(x, { left, right }) {
      const V = asMatrices(x, sizes);
      return asVectors(matmul(left === undefined ? V : matmul(left, V, { transposeA: true }), right), sizes);
    },
    sides: { QA, QB, m, n },
    diagonalOf: (x) => kroneckerDiagonal(x, { QA, QB, sizes }),
  };
}

/** (Q_A o Q_A) X (Q_B o Q_B)' for X [m, n], row-major. */
function kroneckerDiagonal(
  X: Float64Array,
  {
    QA,
    QB,
    sizes: { m, n },
  }: { readonly QA: DenseMatrix | undefined; readonly QB: DenseMatrix; readonly sizes: KroneckerSizes },
): Float64Array {
  const result = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    result.set(squaredTimes(QB.data, { size: n, x: X.subarray(i * n, (i + 1) * n) }), i * n);
  }
  if (QA === undefined) return result;
  const mixed = new Float64Array(m * n);
  for (let k = 0; k < m; k++) {
    const row = result.subarray(k * n, (k + 1) * n);
    for (let i = 0; i < m; i++) {
      const weight = QA.data[k * m + i] ** 2;
      for (let j = 0; j < n; j++) mixed[i * n + j] += weight * row[j];
    }
  }
  return mixed;
}

/** All products of two lists, row-major [m, n]. */
export function outer(a: ArrayLike<number>, b: ArrayLike<number>): Float64Array {
  const result = new Float64Array(a.length * b.length);
  for (let i = 0; i < a.length; i++) {
    for (let j = 0; j < b.length; j++) result[i * b.length + j] = a[i] * b[j];
  }
  return result;
}
