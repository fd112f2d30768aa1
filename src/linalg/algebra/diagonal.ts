import { CurvatureError } from "../../errors/index.ts";
import { type Matrix, precisionOf, toPrecision, type Vector, zeros } from "../../tensors/index.ts";
import { checkFinite } from "../dense/matrixChecks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkScalar, columnProducts, sum } from "../operator/structure.ts";

/**
 * Diagonal operator `diag(d)` `[n, n]`, with everything known exactly. Positive semidefinite where no entry is negative; precision that
 * of d, which is copied.
 *
 * @throws CurvatureError "shape" where d is empty, "numeric" where an entry is not finite; its inverse throws "numeric" where an entry
 * plus damping is zero, its logdet where one is zero or negative
 */
export function diagonal(d: Vector): LinearOperator {
  if (!(d?.length >= 1))
    throw new CurvatureError("shape", `diagonal expects a vector of at least 1 entry, got ${d?.length ?? typeof d}`);
  checkFinite("diagonal", d);
  const entries = d.slice();
  const n = entries.length;
  const shape = [n, n] as const;
  const dtype = precisionOf(entries);
  /** Columns of X times the diagonal. */
  const times = ({ rows, columns, data }: Matrix): Matrix => {
    const result = zeros(data.length, dtype);
    for (let i = 0; i < data.length; i++) result[i] = entries[i % rows] * data[i];
    return { rows, columns, data: result };
  };
  return {
    shape,
    dtype,
    symmetric: true,
    psd: entries.every((value) => value >= 0),
    ...columnProducts("a diagonal", { shape, times }),
    adjoint: () => diagonal(entries),
    diagonal: async () => entries.slice(),
    trace: async () => sum(entries),
    inverse: ({ damping }) => inverse(entries, damping),
    logdet: async ({ damping }) => logdet(entries, damping),
  };
}

function inverse(entries: Vector, damping: number): LinearOperator {
  const shifted = shiftedBy(entries, damping);
  const at = shifted.indexOf(0);
  if (at >= 0) throw singular("nonzero", at, 0);
  const reciprocal = shifted.map((value) => 1 / value);
  return diagonal(toPrecision(reciprocal, precisionOf(entries)));
}

function logdet(entries: Vector, damping: number): number {
  const shifted = shiftedBy(entries, damping);
  const at = shifted.findIndex((value) => !(value > 0));
  if (at >= 0) throw singular("positive", at, shifted[at]);
  return sum(shifted.map(Math.log));
}

function shiftedBy(entries: Vector, damping: number): Float64Array {
  checkScalar("a diagonal", "damping", damping);
  return Float64Array.from(entries, (value) => value + damping);
}

function singular(expected: string, at: number, got: number): CurvatureError {
  const message = `a diagonal plus damping has to be ${expected} everywhere, got ${got} at entry ${at}; raise the damping`;
  return new CurvatureError("numeric", message);
}
