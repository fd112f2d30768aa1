import { column, type Matrix } from "../../tensors/index.ts";
import { cholesky } from "../dense/index.ts";
import { axpy, norm, scal, transposedProduct } from "../vectors/vector.ts";

/** Nyström approximation of a shifted matrix, `F F'` with `F = (A + shift I) Omega C^-1` and `C' C = Omega' (A + shift I) Omega`, L = C'. */
export interface NystromFactor {
  /** `[n, m]` in float64. */
  readonly F: Matrix;
  /** `[m, m]`, lower triangular. */
  readonly L: Matrix;
  readonly shift: number;
}

/**
 * The factor, from test vectors Omega and products `Y = A Omega` `[n, m]`, with a shift of the size of rounding, which keeps the Cholesky
 * factorization positive where A has rank below m (Tropp, Yurtsever, Udell and Cevher, 2017, algorithm 3; Li et al., 2017). Estimates of
 * `A + shift I` are unbiased, so that what is estimated loses nothing when the shift is taken off again. undefined where A is not
 * positive semidefinite: where a shift of the square root of the rounding, relative to A, does not make it so. Y must not be zero. `3 n m^2`
 * operations beside the dense ones.
 */
export async function nystromFactor(
  Omega: Matrix,
  Y: Matrix,
  { epsilon }: { readonly epsilon: number },
): Promise<NystromFactor | undefined> {
  const { rows: n, columns: m } = Y;
  const size = norm(Y.data) / Math.sqrt(n);
  const H = transposedProduct(Omega, Y);
  const G = transposedProduct(Omega, Omega);
  for (let shift = epsilon * size; shift <= Math.sqrt(epsilon) * size; shift *= 10) {
    const shifted = { ...H, data: H.data.map((value, i) => value + shift * G.data[i]) };
    const L = await factored(shifted);
    if (!L) continue;
    const data = Float64Array.from(Y.data, (value, i) => value + shift * Omega.data[i]);
    return { F: solvedFromRight({ rows: n, columns: m, data }, L), L, shift };
  }
  return undefined;
}

/** The Cholesky factor, or undefined where the matrix is not positive definite. */
async function factored(H: Matrix): Promise<Matrix | undefined> {
  try {
    return await cholesky(H);
  } catch {
    return undefined;
  }
}

/** `Y L^-T` by columns: forward substitution on rows of Y. Changes Y. */
function solvedFromRight(Y: Matrix, L: Matrix): Matrix {
  const m = L.rows;
  for (let j = 0; j < m; j++) {
    const y = column(Y, j);
    for (let k = 0; k < j; k++) axpy(-L.data[k * m + j], column(Y, k), y);
    scal(1 / L.data[j * m + j], y);
  }
  return Y;
}

/** `L^-1`, by columns: the squared norm of column i is entry (i, i) of `(L L')^-1`. */
export function inverseFactor(L: Matrix): Matrix {
  const m = L.rows;
  const data = new Float64Array(m * m);
  for (let k = 0; k < m; k++) {
    const x = data.subarray(k * m, (k + 1) * m);
    for (let i = k; i < m; i++) {
      let sum = i === k ? 1 : 0;
      for (let j = k; j < i; j++) sum -= L.data[j * m + i] * x[j];
      x[i] = sum / L.data[i * m + i];
    }
  }
  return { rows: m, columns: m, data };
}

/** `L^-1` of the Cholesky factor of `Omega' Omega`: inner products of its columns are the entries of the inverse of that. */
export async function inverseGramFactor(Omega: Matrix): Promise<Matrix | undefined> {
  const L = await factored(transposedProduct(Omega, Omega));
  return L && inverseFactor(L);
}
