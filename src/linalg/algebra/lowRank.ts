import { memoized } from "../../concurrency/index.ts";
import { CurvatureError } from "../../errors/index.ts";
import { type Matrix, type Precision, precisionOf, toPrecision, type Vector } from "../../tensors/index.ts";
import { eigh, qr } from "../dense/index.ts";
import { checkFinite, checkMatrix } from "../dense/matrixChecks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { checkInputs, columnProducts, sum } from "../operator/structure.ts";
import { multiply, transposedProduct } from "../vectors/vector.ts";
import {
  quadraticDiagonal,
  type SpectralForm,
  spectralInverse,
  spectralLogdet,
  weightedSquares,
} from "./spectralForm.ts";

/**
 * Low-rank operator `U diag(s) V'` `[m, n]` from factors U `[m, k]` and V `[n, k]` and weights s `[k]`, in the precision of U; a product
 * costs 2 (m + n) k operations. The factors are kept, and must not change.
 *
 * Without V, `U diag(s) U'` is symmetric, positive semidefinite where no weight is negative, and has quadratic forms at half the cost of
 * products, and inverse (for a damping that makes it regular) and determinant. U need not be orthonormal: the last two take its QR
 * decomposition and the eigendecomposition of `R diag(s) R'`, at most `[k, k]`, when first asked for.
 *
 * @param options.V default U
 * @throws CurvatureError "shape" where a factor is empty or the numbers of columns and weights differ, "numeric" where an entry is not finite
 */
export function lowRank(U: Matrix, s: Vector, options: { readonly V?: Matrix | undefined } = {}): LinearOperator {
  checkOptions("lowRank", options, "V");
  const { V = U } = options;
  checkMatrix("lowRank", U);
  if (V !== U) checkMatrix("lowRank", V);
  checkFinite("lowRank", s);
  if (V.columns !== U.columns || s.length !== U.columns) {
    const message = `lowRank expects as many weights and columns of V as U has columns, ${U.columns}, got ${s.length} and ${V.columns}`;
    throw new CurvatureError("shape", message);
  }
  const weights = Float64Array.from(s);
  const shape = [U.rows, V.rows] as const;
  const dtype = precisionOf(U.data);
  const symmetric = V === U;
  const psd = symmetric && weights.every((weight) => weight >= 0);
  const times = (X: Matrix): Matrix => {
    const Y = multiply(U, weightedRows(transposedProduct(V, X), weights));
    return { ...Y, data: toPrecision(Y.data, dtype) };
  };
  return {
    shape,
    dtype,
    symmetric,
    psd,
    ...columnProducts("a low-rank operator", { shape, times }),
    adjoint: () => (symmetric ? lowRank(U, weights) : lowRank(V, weights, { V: U })),
    ...(U.rows === V.rows && {
      diagonal: async () => toPrecision(quadraticDiagonal(U, weights, { V }), dtype),
      trace: async () => sum(quadraticDiagonal(U, weights, { V })),
    }),
    ...(symmetric && {
      async quadraticForms(X: Matrix) {
        checkInputs("a low-rank operator", X, shape);
        return weightedSquares(U, weights, X);
      },
      ...symmetricStructure(U, weights, { dtype, psd }),
    }),
  };
}

function symmetricStructure(
  U: Matrix,
  weights: Float64Array,
  { dtype, psd }: { readonly dtype: Precision; readonly psd: boolean },
) {
  const rank = Math.min(U.rows, U.columns);
  const form = memoized(() => spectralForm(U, weights));
  const spectral = { name: "a low-rank operator", rows: U.rows, rank, dtype, form };
  return {
    inverse: ({ damping }: { readonly damping: number }) => spectralInverse(spectral, { damping, psd }),
    logdet: ({ damping }: { readonly damping: number }) => spectralLogdet(spectral, { damping }),
  };
}

/** `U diag(s) U' = Q (R diag(s) R') Q' = (Q Z) diag(w) (Q Z)'` with U = Q R and R diag(s) R' = Z diag(w) Z'. */
async function spectralForm(U: Matrix, weights: Float64Array): Promise<SpectralForm> {
  const { Q, R } = await qr(U);
  const Rt = transpose(R);
  const { values, vectors } = await eigh(transposedProduct(Rt, weightedRows(Rt, weights)));
  return { values, vectors: multiply(Q, vectors) };
}

function transpose({ rows, columns, data }: Matrix): Matrix {
  const result = new Float64Array(rows * columns);
  for (let j = 0; j < columns; j++) for (let i = 0; i < rows; i++) result[i * columns + j] = data[j * rows + i];
  return { rows: columns, columns: rows, data: result };
}

/** `diag(weights) X`. */
function weightedRows({ rows, columns, data }: Matrix, weights: Float64Array): Matrix {
  return { rows, columns, data: Float64Array.from(data, (value, i) => value * weights[i % rows]) };
}
