import { CurvatureError } from "../../errors/index.ts";
import { formatDims, type Precision, type Vector } from "../../tensors/index.ts";
import type { LinearOperator } from "./operator.ts";

// The checks at the door of every algorithm. `name` is the function that the caller called.

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0;

/** Any object with `shape` and `matvec`. */
export function checkOperator(name: string, A: LinearOperator): void {
  const shape: unknown = A?.shape;
  if (!Array.isArray(shape) || shape.length !== 2 || !shape.every(isCount) || typeof A.matvec !== "function") {
    const message = `${name} expects an operator with shape [rows, columns] and matvec(x), got ${described(A)}; wrap a function in both`;
    throw new CurvatureError("argument", message);
  }
}

function described(A: unknown): string {
  if (typeof A !== "object" || A === null) return A === null ? "null" : typeof A;
  const { shape, matvec } = A as Partial<LinearOperator>;
  return `shape ${Array.isArray(shape) ? formatDims(shape) : String(shape)} and matvec of type ${typeof matvec}`;
}

/** Operator with as many rows as columns. */
export function checkSquare(name: string, A: LinearOperator): void {
  checkOperator(name, A);
  if (A.shape[0] !== A.shape[1]) {
    const message = `${name} expects a square operator, got shape ${formatDims(A.shape)}; compose it with its adjoint to make one`;
    throw new CurvatureError("shape", message);
  }
}

/** Square operator that does not declare itself unsymmetric. */
export function checkDeclaredSymmetric(name: string, A: LinearOperator): void {
  checkSquare(name, A);
  const message = `${name} expects a symmetric operator, got one that declares symmetric: false; if A equals A', pass { ...A, symmetric: true }`;
  checkArgument(A.symmetric !== false, message);
}

/** Vector of finite numbers of this length, which is that of the operator's columns or rows. */
export function checkVector(
  name: string,
  x: Vector,
  { what, length, as = "columns" }: { what: string; length: number; as?: "columns" | "rows" },
): void {
  const isVector = x instanceof Float64Array || x instanceof Float32Array;
  if (!isVector || x.length !== length) {
    const got = isVector ? `${x.length} entries` : typeof x;
    const message = `${name} expects ${what} to be a Float32Array or Float64Array of ${length} entries as the operator has ${as}, got ${got}`;
    throw new CurvatureError("shape", message);
  }
  const at = x.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) {
    const message = `${name} expects ${what} to be finite, got ${x[at]} at entry ${at}; look for where it was computed`;
    throw new CurvatureError("numeric", message);
  }
}

/** Refuses an argument for which a condition does not hold. `message` says what is expected, what came and what to do. */
export function checkArgument(holds: boolean, message: string): asserts holds {
  if (!holds) throw new CurvatureError("argument", message);
}

/** Option that is one of some words. */
export function checkChoice(name: string, option: string, value: string, choices: readonly string[]): void {
  if (choices.includes(value)) return;
  const quoted = choices.map((choice) => `"${choice}"`);
  const listed = `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}`;
  throw new CurvatureError("argument", `${name} expects ${option} to be ${listed}, got "${value}"`);
}

/** Option that counts something: 1, 2, 3, ... */
export function checkCount(name: string, option: string, value: unknown): void {
  checkArgument(isCount(value), `${name} expects ${option} to be a positive integer, got ${String(value)}`);
}

/** Seed of random draws: required, since the library keeps no global random state. */
export function checkSeed(name: string, seed: unknown): void {
  const message = `${name} draws random vectors and expects seed to be a finite number, got ${String(seed)}; pass for example seed: 0`;
  checkArgument(Number.isFinite(seed), message);
}

/** Option that is zero or a positive finite number. */
export function checkNonnegative(name: string, option: string, value: unknown): void {
  const holds = typeof value === "number" && value >= 0 && value < Number.POSITIVE_INFINITY;
  checkArgument(holds, `${name} expects ${option} to be zero or a positive finite number, got ${String(value)}`);
}

/** Option that is a positive finite number. */
export function checkPositive(name: string, option: string, value: number): void {
  const holds = value > 0 && value < Number.POSITIVE_INFINITY;
  checkArgument(holds, `${name} expects ${option} to be a positive finite number, got ${value}`);
}

/** Operators of equal shapes, `what` in the message. */
export function checkSameShape(
  name: string,
  A: LinearOperator,
  { B, what = "operators" }: { readonly B: LinearOperator; readonly what?: string },
): void {
  if (A.shape[0] === B.shape[0] && A.shape[1] === B.shape[1]) return;
  const message = `${name} expects ${what} of equal shapes, got ${formatDims(A.shape)} and ${formatDims(B.shape)}`;
  throw new CurvatureError("shape", message);
}

/** Saved state of the same method for an operator with as many columns, and the same seed where the state keeps one. */
export function checkState(
  name: string,
  state: { readonly method: string; readonly columns: number; readonly seed?: number | undefined },
  expected: { readonly method: string; readonly columns: number; readonly seed?: number | undefined },
): void {
  const { method, columns, seed } = expected;
  if (state?.method !== method || state.columns !== columns || state.seed !== seed) {
    const seeded = (value: number | undefined) => (value === undefined ? "" : ` and seed ${value}`);
    const message =
      `${name} resumes from a state of method ${method} with ${columns} columns${seeded(seed)}, got method ${state?.method} with ` +
      `${state?.columns} columns${seeded(state?.seed)}; pass the state that the same call gave`;
    throw new CurvatureError("argument", message);
  }
}

/** Function of the caller. */
export function checkFunction(name: string, what: string, f: unknown): void {
  const got = f === null ? "null" : typeof f;
  checkArgument(typeof f === "function", `${name} expects ${what} to be a function, got ${got}`);
}

/** Precision of the operator's products; float64 where it does not say. */
export function precision(A: LinearOperator): Precision {
  return A.dtype === "float32" ? "float32" : "float64";
}

/** Relative residual that the methods ask for by default: what rounding of the operator's products leaves in reach. */
export function defaultTolerance(A: LinearOperator): number {
  return precision(A) === "float32" ? 1e-4 : 1e-8;
}

/** Distance from 1 to the next number in this precision. */
export function epsilon(dtype: Precision): number {
  return dtype === "float32" ? 2 ** -23 : Number.EPSILON;
}
