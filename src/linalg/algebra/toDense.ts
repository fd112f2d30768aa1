import { CurvatureError } from "../../errors/index.ts";
import { formatDims, type Matrix, type Vector, zeros } from "../../tensors/index.ts";
import { callMatmat, checkProducts } from "../operator/callOperator.ts";
import { checkCount, checkOperator, precision } from "../operator/checks.ts";
import type { LinearOperator, RunOptions } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { checkSignal } from "../operator/structure.ts";

/** Options of `toDense`. */
export interface ToDenseOptions extends RunOptions {
  /** Which columns, by index from 0; default all. */
  readonly columns?: ArrayLike<number>;
  /** Unit vectors that are multiplied at once; the memory of a product grows with it. Default 32. */
  readonly columnsAtOnce?: number | undefined;
}

/**
 * Dense matrix `[m, n]` of an operator, by products with unit vectors: n of them, or as many as columns are asked for. Column k of
 * the result belongs to `columns[k]`. Meant for n up to some thousand.
 *
 * @throws CurvatureError "argument" for an index out of range, a matrix larger than an array can be, or an operator that returns the same array
 * again, "shape" for products of another length, "numeric" for entries that are not finite, "aborted" when the signal stops it
 */
export async function toDense(A: LinearOperator, options: ToDenseOptions = {}): Promise<Matrix> {
  checkOptions("toDense", options, "columns columnsAtOnce signal onProgress");
  const { columns, columnsAtOnce = 32, signal, onProgress } = options;
  checkOperator("toDense", A);
  checkCount("toDense", "columnsAtOnce", columnsAtOnce);
  const [rows, width] = A.shape;
  const length = columns?.length ?? width;
  if (columns) checkColumns(columns, width);
  const data = allocate(A, length);
  for (let start = 0; start < length; start += columnsAtOnce) {
    checkSignal("toDense", signal, `${start} of ${length} columns`);
    const count = Math.min(columnsAtOnce, length - start);
    const units = zeros(width * count, precision(A));
    for (let k = 0; k < count; k++) units[k * width + (columns ? columns[start + k] : start + k)] = 1;
    const X = { rows: width, columns: count, data: units };
    const block = await callMatmat(A, X, { name: "toDense", options: { signal } });
    data.set(block.data, start * rows);
    onProgress?.({ stage: "toDense", done: start + count, total: length });
  }
  checkProducts("toDense", data, rows);
  return { rows, columns: length, data };
}

function checkColumns(columns: ArrayLike<number>, width: number): void {
  if (columns.length === 0)
    throw new CurvatureError("argument", "toDense expects at least one column, got an empty list");
  for (let k = 0; k < columns.length; k++) {
    const index = columns[k];
    if (Number.isInteger(index) && index >= 0 && index < width) continue;
    const message = `toDense expects columns to be integers from 0 to ${width - 1}, got ${String(index)} at position ${k}`;
    throw new CurvatureError("argument", message);
  }
}

function allocate(A: LinearOperator, columns: number): Vector {
  try {
    return zeros(A.shape[0] * columns, precision(A));
  } catch (cause) {
    const message = `toDense of ${formatDims(A.shape)} with ${columns} columns does not fit into memory; ask for fewer columns`;
    throw new CurvatureError("argument", message, { cause });
  }
}
