import { CurvatureError } from "../../errors/index.ts";
import { column, type Matrix, type Vector } from "../../tensors/index.ts";
import { checkFinite } from "../dense/matrixChecks.ts";
import { precision } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import type { Arithmetic } from "../vectors/arithmetic.ts";
import { transposedProduct } from "../vectors/vector.ts";

/** Largest entry of `Q' Q - I` that counts as rounding of orthonormal columns. */
const LIMITS = { float64: 1e-8, float32: 1e-4 };

/** Orthonormal basis `[n, k]`, k < n, of what is taken out of an operator of n columns and treated exactly. */
export function checkDeflation(name: string, basis: Matrix, A: LinearOperator): void {
  const n = A.shape[1];
  const { rows, columns, data } = basis;
  if (rows !== n || !(columns < n) || data?.length !== rows * columns) {
    const message = `${name} expects deflation to be a basis of ${n} rows and fewer columns, got ${rows} x ${columns} with ${data?.length} entries`;
    throw new CurvatureError("shape", message);
  }
  checkFinite(`${name} (deflation)`, data);
  if (columns === 0) return;
  const products = transposedProduct(basis, basis).data;
  const precise = data instanceof Float64Array ? precision(A) : "float32";
  for (let i = 0; i < products.length; i++) {
    const off = Math.abs(products[i] - (i % (columns + 1) === 0 ? 1 : 0));
    if (off <= LIMITS[precise]) continue;
    const message = `${name} expects deflation to have orthonormal columns, got Q'Q off by ${off.toPrecision(2)}; take Q of its qr`;
    throw new CurvatureError("numeric", message);
  }
}

/** `v - Q (Q' v)`, as a new vector; v itself where Q has no column. */
export async function projectedOut(v: Vector, basis: Matrix | undefined, arithmetic: Arithmetic): Promise<Vector> {
  if (!basis || basis.columns === 0) return v;
  return arithmetic.subtract(v, basis, await arithmetic.project(basis, v));
}

/** Columns `start, ..., start + count - 1` of a matrix, as a view. */
export function columnRange(Q: Matrix, { start, count }: { start: number; count: number }): Matrix {
  const first = column(Q, start);
  const data = Q.data.subarray(start * first.length, (start + count) * first.length);
  return { rows: Q.rows, columns: count, data };
}
