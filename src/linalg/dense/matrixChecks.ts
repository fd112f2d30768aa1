import { CurvatureError } from "../../errors/index.ts";
import type { Matrix, Vector } from "../../tensors/index.ts";
import { isFiniteVector, maxAbs } from "../vectors/vector.ts";

// The checks at the door of functions of dense matrices. `name` is the function that the caller called.

/** Largest asymmetry, relative to the largest entry, that is taken for rounding: matrices made of float32 products stay below it. */
const ASYMMETRY_LIMIT = 1e-3;

/** Matrix of at least one entry, all of them finite. */
export function checkMatrix(name: string, A: Matrix): void {
  if (!(A?.data instanceof Float64Array || A?.data instanceof Float32Array)) {
    const got = A === null ? "null" : typeof A;
    const message = `${name} expects a matrix { rows, columns, data } with its entries in a Float32Array or Float64Array, got ${got}`;
    throw new CurvatureError("argument", message);
  }
  if (!(A.rows >= 1 && A.columns >= 1)) {
    throw new CurvatureError("shape", `${name} expects a matrix of at least 1 x 1, got ${A.rows} x ${A.columns}`);
  }
  if (A.data.length !== A.rows * A.columns) {
    const message = `${name} expects ${A.rows} x ${A.columns} = ${A.rows * A.columns} entries in data, got ${A.data.length}`;
    throw new CurvatureError("shape", message);
  }
  checkFinite(name, A.data);
}

/** Vector without an entry that is infinite or NaN. */
export function checkFinite(name: string, x: Vector): void {
  if (!(x instanceof Float64Array || x instanceof Float32Array)) {
    throw new CurvatureError(
      "argument",
      `${name} expects a Float32Array or Float64Array, got ${x === null ? "null" : typeof x}`,
    );
  }
  if (isFiniteVector(x)) return;
  const at = x.findIndex((value) => !Number.isFinite(value));
  const message = `${name} expects finite entries, got ${x[at]} at entry ${at}; look for the product or data row that it came from`;
  throw new CurvatureError("numeric", message);
}

/** Matrix with as many rows as columns, all entries finite. */
export function checkSquareMatrix(name: string, A: Matrix): void {
  checkMatrix(name, A);
  if (A.rows !== A.columns) {
    throw new CurvatureError("shape", `${name} expects a square matrix, got ${A.rows} x ${A.columns}`);
  }
}

/**
 * `(A + A') / 2` in float64, the symmetric matrix closest to A.
 *
 * @throws CurvatureError "numeric" where A and A' differ by more than 1e-3 of the largest entry, more than rounding
 */
export function symmetricPart(name: string, A: Matrix): Float64Array {
  checkSquareMatrix(name, A);
  return symmetrized(name, { ...A, data: Float64Array.from(A.data) });
}

/** The same in the memory of A, which it overwrites. */
export function symmetrizedInPlace(name: string, A: Matrix & { readonly data: Float64Array }): Float64Array {
  checkSquareMatrix(name, A);
  return symmetrized(name, A);
}

function symmetrized(name: string, { rows: n, data }: Matrix & { readonly data: Float64Array }): Float64Array {
  const limit = ASYMMETRY_LIMIT * maxAbs(data);
  for (let j = 0; j < n; j++) {
    for (let i = 0; i < j; i++) {
      const [upper, lower] = [data[j * n + i], data[i * n + j]];
      if (Math.abs(upper - lower) > limit) {
        const message = `${name} expects a symmetric matrix, got ${upper} at (${i}, ${j}) and ${lower} at (${j}, ${i})`;
        throw new CurvatureError("numeric", message);
      }
      data[j * n + i] = data[i * n + j] = upper / 2 + lower / 2;
    }
  }
  return data;
}
