import { CurvatureError } from "../../errors/index.ts";
import { column, formatDims, type Matrix, toPrecision, type Vector, zeros } from "../../tensors/index.ts";
import { isFiniteVector } from "../vectors/vector.ts";
import { precision } from "./checks.ts";
import type { LinearOperator, RunOptions } from "./operator.ts";
import { checkSignal } from "./structure.ts";

// The one place where products of operators are taken over from whoever wrote the operator. Algorithms keep products and write over them,
// so that a product has to be memory of its own: an operator that writes every product into the same array would change those before.

/** Who calls an operator, and with which options. */
export interface OperatorCall {
  /** Function that the user called, for messages. */
  readonly name: string;
  readonly options?: RunOptions | undefined;
}

/** A product as it came. */
interface Received {
  readonly name: string;
  /** The vectors that were multiplied. */
  readonly given: Vector;
  /** Operator that is answerable for the memory; that of an adjoint is the operator it belongs to. */
  readonly owner?: LinearOperator | undefined;
}

/**
 * `A x` `[m]`, in A's precision, as memory of its own. Entries may be infinite or NaN.
 *
 * @throws CurvatureError as `receivedVector`
 */
export async function callMatvec(A: LinearOperator, x: Vector, { name, options }: OperatorCall): Promise<Vector> {
  return receivedVector(A, await A.matvec(x, options), { name, given: x });
}

/**
 * `A X` `[m, k]` for X `[n, k]`, by the operator's own `matmat` or column by column with progress told after each. Reads X before it returns
 * its promise if the operator does. Entries may be infinite or NaN.
 *
 * @throws CurvatureError as `receivedVector`, "aborted" when the signal stops it
 */
export async function callMatmat(A: LinearOperator, X: Matrix, { name, options = {} }: OperatorCall): Promise<Matrix> {
  const { signal, onProgress } = options;
  const { columns } = X;
  checkSignal(name, signal, `0 of ${columns} products`);
  if (A.matmat) return receivedMatrix(A, await A.matmat(X, options), { name, given: X.data, columns });
  const rows = A.shape[0];
  const data = zeros(rows * columns, precision(A));
  const own = columns === 1 ? X : { ...X, data: X.data.slice() };
  for (let k = 0; k < columns; k++) {
    checkSignal(name, signal, `${k} of ${columns} products`);
    data.set(await callMatvec(A, column(own, k), { name, options: { signal } }), k * rows);
    onProgress?.({ stage: name, done: k + 1, total: columns });
  }
  return { rows, columns, data };
}

/**
 * A product `[m]` as an algorithm may keep it and write over it: in the operator's precision, in memory that no other product has. An operator
 * that returns the vector it was given, as an identity may, has it copied.
 *
 * @throws CurvatureError "shape" for anything but a vector of `m` entries, "argument" for memory that the operator has given before
 */
export function receivedVector(A: LinearOperator, y: Vector, received: Received): Vector {
  const { name } = received;
  const [rows] = A.shape;
  if (!isVector(y)) {
    const message = `${name} expected products to be a Float32Array or Float64Array of ${rows} entries, got ${described(y)}; correct matvec`;
    throw new CurvatureError("shape", message);
  }
  if (y.length !== rows) {
    const message = `${name} expected products of ${rows} entries as the operator's shape says, got ${y.length}; correct its shape or matvec`;
    throw new CurvatureError("shape", message);
  }
  return toPrecision(ownMemory(A, y, received), precision(A));
}

/**
 * Products `[m, k]` of k vectors at once, under the conditions of `receivedVector`.
 *
 * @throws CurvatureError "shape" for anything but a matrix of `m` rows and `k` columns, "argument" for memory that the operator has given before
 */
export function receivedMatrix(
  A: LinearOperator,
  Y: Matrix,
  { columns, ...received }: Received & { readonly columns: number },
): Matrix {
  const [rows] = A.shape;
  const fits = isVector(Y?.data) && Y.rows === rows && Y.columns === columns && Y.data.length === rows * columns;
  if (!fits) {
    const message = `${received.name} expected matmat to give a matrix ${formatDims([rows, columns])} with its entries in a Float32Array or Float64Array, got ${describedMatrix(Y)}; correct matmat`;
    throw new CurvatureError("shape", message);
  }
  return { rows, columns, data: toPrecision(ownMemory(A, Y.data, received), precision(A)) };
}

/**
 * Quadratic forms `[k]` as an operator gave them, copied.
 *
 * @throws CurvatureError "shape" for anything but a Float64Array of k numbers
 */
export function receivedForms(name: string, forms: Float64Array, columns: number): Float64Array {
  if (forms instanceof Float64Array && forms.length === columns) return forms.slice();
  const got = isVector(forms)
    ? `${(forms as Vector).length} in a ${(forms as Vector).constructor.name}`
    : described(forms);
  const message = `${name} expected the operator's quadraticForms to give a Float64Array of ${columns} numbers, one a column, got ${got}; correct it`;
  throw new CurvatureError("shape", message);
}

/**
 * Numbers of products that a function hands on as its own result.
 *
 * @param entries of a product each, one product after the other
 * @throws CurvatureError "numeric" where one is infinite or NaN
 */
export function checkProducts(name: string, data: Vector, entries: number): void {
  if (isFiniteVector(data)) return;
  const at = data.findIndex((value) => !Number.isFinite(value));
  const place =
    entries === 1 ? `quadratic form ${at + 1}` : `entry ${at % entries} of product ${Math.floor(at / entries) + 1}`;
  const message = `${name} expected finite products, got ${data[at]} at ${place}; look for overflow in the operator and try float64`;
  throw new CurvatureError("numeric", message);
}

/** Bytes of an array buffer that a product lies in: from `start` up to `end`. */
interface Range {
  readonly start: number;
  end: number;
}

/** Memory of the products that each operator has given; it is forgotten together with the products. */
const memory = new WeakMap<LinearOperator, WeakMap<ArrayBufferLike, Range[]>>();

function ownMemory(A: LinearOperator, y: Vector, { name, given, owner = A }: Received): Vector {
  if (y.buffer === given.buffer) return y.slice();
  const known = memory.get(owner) ?? new WeakMap<ArrayBufferLike, Range[]>();
  memory.set(owner, known);
  const start = y.byteOffset;
  const end = start + y.byteLength;
  const ranges = known.get(y.buffer);
  if (ranges === undefined) {
    known.set(y.buffer, [{ start, end }]);
    return y;
  }
  if (ranges.some((range) => start < range.end && range.start < end)) {
    const message = `${name} expected a new array for each product, got one that the operator has returned before, so that its products overwrite each other; return a copy, y.slice()`;
    throw new CurvatureError("argument", message);
  }
  const last = ranges.at(-1)!;
  if (last.end === start) last.end = end;
  else ranges.push({ start, end });
  return y;
}

function isVector(y: unknown): y is Vector {
  return y instanceof Float64Array || y instanceof Float32Array;
}

function described(y: unknown): string {
  if (y === null) return "null";
  if (Array.isArray(y)) return "an Array";
  return typeof y === "object" ? `an object of type ${y.constructor?.name ?? "Object"}` : typeof y;
}

function describedMatrix(Y: unknown): string {
  if (typeof Y !== "object" || Y === null) return described(Y);
  const { rows, columns, data } = Y as { readonly [name: string]: unknown };
  const entries = isVector(data) ? `${data.length} entries` : described(data);
  return `${String(rows)} x ${String(columns)} with ${entries}`;
}
