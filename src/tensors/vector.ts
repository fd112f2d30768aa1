import type { Precision } from "./dtype.ts";

/** Flat vector of real numbers. */
export type Vector = Float32Array | Float64Array;

/** Dense matrix stored by columns: column k is `data.subarray(k * rows, (k + 1) * rows)`. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Vector;
}

/** Vector of zeros. */
export function zeros(length: number, dtype: Precision): Vector {
  return dtype === "float64" ? new Float64Array(length) : new Float32Array(length);
}

/** Precision of a vector. */
export function precisionOf(vector: Vector): Precision {
  return vector instanceof Float32Array ? "float32" : "float64";
}

/** The vector in the requested precision: itself if it already has it, else a converted copy. */
export function toPrecision(vector: Vector, dtype: Precision): Vector {
  if (dtype === "float64") return vector instanceof Float64Array ? vector : Float64Array.from(vector);
  return vector instanceof Float32Array ? vector : Float32Array.from(vector);
}

/** Column k of a matrix, as a view of its data. */
export function column(matrix: Matrix, k: number): Vector {
  return matrix.data.subarray(k * matrix.rows, (k + 1) * matrix.rows);
}
