import type { Precision } from "./dtype.ts";

/** Flat vector of real numbers. */
export type Vector = Float32Array | Float64Array;

/** Dense matrix in columns: column k is `data.subarray(k * rows, (k + 1) * rows)`. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Vector;
}

/** Vector of zeros. */
export function zeros(length: number, dtype: Precision): Vector {
  return dtype === "float64" ? new Float64Array(length) : new Float32Array(length);
}

/** The vector in the asked precision: itself if it has it already, else a converted copy. */
export function toPrecision(vector: Vector, dtype: Precision): Vector {
  if (dtype === "float64") return vector instanceof Float64Array ? vector : Float64Array.from(vector);
  return vector instanceof Float32Array ? vector : Float32Array.from(vector);
}

/** Column k of a matrix, as a view on its data. */
export function column(matrix: Matrix, k: number): Vector {
  return matrix.data.subarray(k * matrix.rows, (k + 1) * matrix.rows);
}
