import { CurvatureError } from "../../errors/index.ts";
import { formatDims, type Matrix, type Precision, type Vector } from "../../tensors/index.ts";
import type { Arithmetic } from "../vectors/arithmetic.ts";
import { checkArgument, precision } from "./checks.ts";
import type { LinearOperator } from "./operator.ts";

// What the operators of the algebra have in common: checks at their doors, and the rules by which knowledge passes from operands to results.

/** Input of a product: a vector of as many entries as the operator has columns. */
export function checkInput(name: string, x: Vector, shape: LinearOperator["shape"]): void {
  if ((x instanceof Float64Array || x instanceof Float32Array) && x.length === shape[1]) return;
  const got = ArrayBuffer.isView(x) ? `${x.length} entries in a ${x.constructor.name}` : typeof x;
  const expected = `a Float32Array or Float64Array of ${shape[1]} entries`;
  throw new CurvatureError("shape", `matvec of ${name} ${formatDims(shape)} expects ${expected}, got ${got}`);
}

/** Input of a product with several vectors: a matrix of as many rows as the operator has columns. */
export function checkInputs(name: string, X: Matrix, shape: LinearOperator["shape"]): void {
  const isVector = X?.data instanceof Float64Array || X?.data instanceof Float32Array;
  if (isVector && X.rows === shape[1] && X.columns >= 1 && X.data.length === X.rows * X.columns) return;
  const message =
    `matmat of ${name} ${formatDims(shape)} expects a matrix of ${shape[1]} rows, at least one column and all its entries, ` +
    `got ${X?.rows} x ${X?.columns} with ${X?.data?.length} entries`;
  throw new CurvatureError("shape", message);
}

/** Products of an operator whose `times` gives those of several columns at once. */
export function columnProducts(
  name: string,
  { shape, times }: Pick<LinearOperator, "shape"> & { readonly times: (X: Matrix) => Matrix | Promise<Matrix> },
): Required<Pick<LinearOperator, "matvec" | "matmat">> {
  return {
    async matvec(x) {
      checkInput(name, x, shape);
      return (await times({ rows: x.length, columns: 1, data: x })).data;
    },
    async matmat(X) {
      checkInputs(name, X, shape);
      return times(X);
    },
  };
}

/** Declarations of a caller about an operator: only square ones are symmetric, and semidefinite ones are symmetric. */
export function checkFlags(
  name: string,
  {
    shape,
    symmetric,
    psd,
  }: { readonly shape: LinearOperator["shape"]; readonly symmetric: boolean; readonly psd: boolean },
): void {
  const fits = !symmetric || shape[0] === shape[1];
  checkArgument(fits, `${name} expects a square shape where symmetric is true, got ${formatDims(shape)}`);
  const message = `${name} expects symmetric to be true where psd is, got false; leave symmetric out`;
  checkArgument(symmetric || !psd, message);
}

/** Finite number, of which an operator is built. */
export function checkScalar(name: string, option: string, value: unknown): void {
  checkArgument(Number.isFinite(value), `${name} expects ${option} to be a finite number, got ${String(value)}`);
}

/** Stops where the caller's signal says so; `progress` is what has been done so far, as the message says it. */
export function checkSignal(name: string, signal: AbortSignal | undefined, progress: string): void {
  if (signal?.aborted)
    throw new CurvatureError("aborted", `${name} was aborted after ${progress}`, { cause: signal.reason });
}

/** Precision of a sum: float64 where one of the terms is, so that no term loses digits. */
export function widestPrecision(A: LinearOperator, B: LinearOperator): Precision {
  return precision(A) === "float64" || precision(B) === "float64" ? "float64" : "float32";
}

/** Arithmetic for vectors of `length` entries in this precision, from the first operand that has such vectors on both sides. */
export function sharedArithmetic(
  operands: readonly LinearOperator[],
  { length, dtype }: { readonly length: number; readonly dtype: Precision },
): { readonly arithmetic?: Arithmetic | undefined } {
  for (const A of operands) {
    if (A.arithmetic && A.shape[0] === length && A.shape[1] === length && precision(A) === dtype) {
      return { arithmetic: A.arithmetic };
    }
  }
  return {};
}

/** Whether products with the transpose can be had. */
export function hasAdjoint(A: LinearOperator): boolean {
  return A.symmetric || A.adjoint !== undefined;
}

/** Shape, symmetry, precision and arithmetic that an operator of one operand takes over from it. */
export function structureOf(A: LinearOperator) {
  const { shape, symmetric } = A;
  const dtype = precision(A);
  return { shape, dtype, symmetric, ...sharedArithmetic([A], { length: shape[0], dtype }) };
}

/** The exact trace, where the operator knows it or its diagonal. */
export function exactTrace(A: LinearOperator): (() => Promise<number>) | undefined {
  if (A.trace) return () => A.trace!();
  if (A.diagonal) return async () => sum(await A.diagonal!());
  return undefined;
}

/** Sum of all entries, in float64. */
export function sum(x: Vector): number {
  let total = 0;
  for (const value of x) total += value;
  return total;
}
