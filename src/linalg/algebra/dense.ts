import { memoized } from "../../concurrency/index.ts";
import { type Matrix, type Precision, precisionOf, toPrecision } from "../../tensors/index.ts";
import { eigh } from "../dense/index.ts";
import { checkMatrix, symmetricPart } from "../dense/matrixChecks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { checkFlags, columnProducts, sum } from "../operator/structure.ts";
import { multiply, transposedProduct } from "../vectors/vector.ts";
import { spectralInverse, spectralLogdet } from "./spectralForm.ts";

/**
 * Operator of a dense matrix M `[m, n]`, in M's precision; a product costs 2 m n operations. M is kept, and must not change.
 *
 * A symmetric one has inverse and determinant by one eigendecomposition (9 n^3 operations), computed when first asked for and good for every
 * damping.
 *
 * @param options.symmetric default: whether M equals its transpose exactly. Where it does so only up to rounding, say true: M is then
 * replaced by `(M + M') / 2`
 * @param options.psd that M is symmetric and positive semidefinite, which is not checked; default false
 * @throws CurvatureError "shape" where M is empty, "numeric" where it is not finite, or called symmetric and not so to 1e-3 of its
 * largest entry, "argument" where one that is not square is called symmetric
 */
export function dense(
  M: Matrix,
  options: { readonly symmetric?: boolean | undefined; readonly psd?: boolean | undefined } = {},
): LinearOperator {
  checkOptions("dense", options, "symmetric psd");
  const { psd = false, symmetric: declared } = options;
  checkMatrix("dense", M);
  const { rows, columns } = M;
  const exact = isSymmetric(M);
  const symmetric = declared ?? (exact || psd);
  checkFlags("dense", { shape: [rows, columns], symmetric, psd });
  const dtype = precisionOf(M.data);
  const matrix = symmetric && !exact ? { rows, columns, data: toPrecision(symmetricPart("dense", M), dtype) } : M;
  return {
    ...products(matrix, { dtype, transposed: false, flags: { symmetric, psd } }),
    ...(rows === columns && squareStructure(matrix, { dtype })),
    ...(symmetric && symmetricStructure(matrix, { dtype, psd })),
  };
}

/** Products with M, or with its transpose, which needs no second copy. */
function products(
  M: Matrix,
  {
    dtype,
    transposed,
    flags,
  }: { dtype: Precision; transposed: boolean; flags: { readonly symmetric: boolean; readonly psd: boolean } },
): LinearOperator {
  const shape = transposed ? ([M.columns, M.rows] as const) : ([M.rows, M.columns] as const);
  const times = (X: Matrix): Matrix => {
    const Y = transposed ? transposedProduct(M, X) : multiply(M, X);
    return { ...Y, data: toPrecision(Y.data, dtype) };
  };
  return {
    shape,
    dtype,
    ...flags,
    ...columnProducts("a dense operator", { shape, times }),
    adjoint: () => products(M, { dtype, transposed: !transposed, flags }),
  };
}

function squareStructure({ rows, data }: Matrix, { dtype }: { readonly dtype: Precision }) {
  const entries = () => Float64Array.from({ length: rows }, (_, i) => data[i * rows + i]);
  return { diagonal: async () => toPrecision(entries(), dtype), trace: async () => sum(entries()) };
}

function symmetricStructure(M: Matrix, { dtype, psd }: { readonly dtype: Precision; readonly psd: boolean }) {
  const spectral = { name: "a dense operator", rows: M.rows, rank: M.rows, dtype, form: memoized(() => eigh(M)) };
  return {
    inverse: ({ damping }: { readonly damping: number }) => spectralInverse(spectral, { damping, psd }),
    logdet: ({ damping }: { readonly damping: number }) => spectralLogdet(spectral, { damping }),
  };
}

function isSymmetric({ rows, columns, data }: Matrix): boolean {
  if (rows !== columns) return false;
  for (let j = 0; j < columns; j++) {
    for (let i = 0; i < j; i++) if (data[j * rows + i] !== data[i * rows + j]) return false;
  }
  return true;
}
