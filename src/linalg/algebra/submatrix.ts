import { CurvatureError } from "../../errors/index.ts";
import { type Matrix, type Precision, type Vector, zeros } from "../../tensors/index.ts";
import { adjoint } from "../operator/adjoint.ts";
import { callMatmat, callMatvec } from "../operator/callOperator.ts";
import { checkOperator, precision } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { callQuadraticForms } from "../operator/quadraticForms.ts";
import { checkInput, checkInputs, hasAdjoint, sum } from "../operator/structure.ts";

/** Positions in a vector, from 0. */
export type Indices = ArrayLike<number>;

/**
 * Submatrix `A[rows, columns]` of an operator A, of the shape of the two index lists; a product costs one with A. Indices may come in any
 * order and repeatedly. With the same list on both sides, given once or twice, the submatrix is symmetric, and positive semidefinite,
 * where A is, and knows its diagonal and quadratic forms where A does.
 *
 * @param indices one list for rows and columns, or one for each, where a missing list means all
 * @throws CurvatureError "argument" where a list is empty or an index is out of range
 */
export function submatrix(
  A: LinearOperator,
  indices: Indices | { readonly rows?: Indices | undefined; readonly columns?: Indices | undefined },
): LinearOperator {
  checkOperator("submatrix", A);
  const { rows, columns } = checkedSides(indices, A.shape);
  const principal = rows.length === columns.length && rows.every((index, i) => index === columns[i]);
  const shape = [rows.length, columns.length] as const;
  const dtype = precision(A);
  const places = { indices: columns, length: A.shape[1], dtype };
  return {
    shape,
    dtype,
    symmetric: principal && A.symmetric,
    psd: principal && A.psd,
    async matvec(x, options) {
      checkInput("a submatrix", x, shape);
      const { data } = scatter({ rows: x.length, columns: 1, data: x }, places);
      return gather(await callMatvec(A, data, { name: "submatrix", options }), rows, dtype);
    },
    async matmat(X, options) {
      checkInputs("a submatrix", X, shape);
      const Y = await callMatmat(A, scatter(X, places), { name: "submatrix", options });
      const data = zeros(rows.length * Y.columns, dtype);
      for (let k = 0; k < Y.columns; k++) {
        data.set(gather(Y.data.subarray(k * Y.rows, (k + 1) * Y.rows), rows, dtype), k * rows.length);
      }
      return { rows: rows.length, columns: Y.columns, data };
    },
    ...(principal &&
      A.quadraticForms && {
        async quadraticForms(X, options) {
          checkInputs("a submatrix", X, shape);
          return callQuadraticForms(A, scatter(X, places), { name: "submatrix", options });
        },
      }),
    ...(hasAdjoint(A) && { adjoint: () => submatrix(adjoint(A), { rows: columns, columns: rows }) }),
    ...(principal &&
      A.diagonal && {
        diagonal: async () => gather(await A.diagonal!(), rows, dtype),
        trace: async () => sum(gather(await A.diagonal!(), rows, "float64")),
      }),
  };
}

function checkedSides(
  indices: Parameters<typeof submatrix>[1],
  shape: LinearOperator["shape"],
): { readonly rows: Uint32Array; readonly columns: Uint32Array } {
  if (typeof indices !== "object" || indices === null) {
    const message = `submatrix expects a list of indices or { rows, columns }, got ${indices === null ? "null" : typeof indices}`;
    throw new CurvatureError("argument", message);
  }
  if (!("length" in indices)) checkOptions("submatrix", indices, "rows columns");
  const { rows, columns } = "length" in indices ? { rows: indices, columns: indices } : indices;
  return { rows: checkedIndices("rows", rows, shape[0]), columns: checkedIndices("columns", columns, shape[1]) };
}

function checkedIndices(side: string, indices: Indices | undefined, length: number): Uint32Array {
  if (indices === undefined) return Uint32Array.from({ length }, (_, i) => i);
  if (indices.length === 0) {
    throw new CurvatureError("argument", `submatrix expects at least one index in ${side}, got an empty list`);
  }
  for (let i = 0; i < indices.length; i++) {
    const index = indices[i];
    if (Number.isInteger(index) && index >= 0 && index < length) continue;
    const message = `submatrix expects ${side} to be integers from 0 to ${length - 1}, got ${String(index)} at position ${i}`;
    throw new CurvatureError("argument", message);
  }
  return Uint32Array.from(indices);
}

function gather(x: Vector, indices: Uint32Array, dtype: Precision): Vector {
  const result = zeros(indices.length, dtype);
  for (let i = 0; i < indices.length; i++) result[i] = x[indices[i]];
  return result;
}

/** Columns of X in longer ones, at the indices; what falls on one index is added, in the operator's own precision. */
function scatter(
  { columns, data }: Matrix,
  { indices, length, dtype }: { readonly indices: Uint32Array; readonly length: number; readonly dtype: Precision },
): Matrix {
  const result = zeros(length * columns, dtype);
  for (let k = 0; k < columns; k++) {
    for (let i = 0; i < indices.length; i++) {
      const at = k * length + indices[i];
      result[at] = result[at] + data[k * indices.length + i];
    }
  }
  return { rows: length, columns, data: result };
}
