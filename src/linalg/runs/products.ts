import { CurvatureError } from "../../errors/index.ts";
import { column, type Matrix, type Vector } from "../../tensors/index.ts";
import { adjoint } from "../operator/adjoint.ts";
import { receivedForms, receivedMatrix, receivedVector } from "../operator/callOperator.ts";
import type { LinearOperator, RunOptions } from "../operator/operator.ts";
import { isFiniteVector } from "../vectors/vector.ts";

/** Reason why an algorithm stops early. */
export interface Interruption {
  readonly status: "nonfinite" | "aborted";
  readonly happened: string;
}

/** The products of one run of an algorithm with its operator: counted, checked, stoppable. */
export interface Products {
  /** Products made so far, those before a resumed state included. */
  readonly used: number;
  /** Products that the budget still allows. */
  readonly left: number;
  /**
   * `A x`, or why there is none. `state` gives the state to resume from if the operator throws. `isFinite` may decide, with
   * sums over the product that the algorithm needs anyway whether all of its entries are finite.
   */
  matvec(x: Vector, state: () => unknown, isFinite?: (y: Vector) => boolean): Promise<Vector | Interruption>;
  /** `A' x`, counted as a product like any other. */
  adjointMatvec(x: Vector, state: () => unknown): Promise<Vector | Interruption>;
  /** `A X` column by column, through `matmat` where the operator has it; columns before an interruption are kept. */
  block(
    X: Matrix,
    state: () => unknown,
  ): Promise<{ readonly columns: readonly Vector[]; readonly interruption?: Interruption | undefined }>;
  /** `x' A x` of each column x of X by the operator's own `quadraticForms`, counted as products; those before an interruption are kept. */
  quadraticForms(
    X: Matrix,
    state: () => unknown,
  ): Promise<{ readonly values: Float64Array; readonly interruption?: Interruption | undefined }>;
  /** Reports the number of products to the caller's `onProgress`. */
  report(error?: number): void;
}

/**
 * Columns that are multiplied together unless the caller says otherwise. What operators gain by it is the cost of starting, which no longer
 * counts for vectors of millions of entries, and a block of these would be copied more often than it gains.
 */
export function usualBlockSize(n: number): number {
  return Math.max(1, Math.min(8, Math.floor(2 ** 21 / n)));
}

/** Whether a product or a step gave an interruption instead of its result. */
export function isInterruption(result: object): result is Interruption {
  return "status" in result;
}

/** The one place where algorithms call operators. */
export function products(
  A: LinearOperator,
  options: RunOptions & { readonly name: string; readonly matvecs: number; readonly used?: number | undefined },
): Products {
  const { name, matvecs, used = 0, signal, onProgress } = options;
  const ledger: Ledger = { A, name, count: used, signal };
  return {
    get used() {
      return ledger.count;
    },
    get left() {
      return matvecs - ledger.count;
    },
    matvec: (x, state, isFinite) => product(ledger, { operator: A, x, state, isFinite }),
    adjointMatvec: (x, state) => product(ledger, { operator: adjoint(A), x, state }),
    block: (X, state) => block(ledger, X, state),
    quadraticForms: (X, state) => forms(ledger, X, state),
    report(error) {
      const total = Number.isFinite(matvecs) ? { total: matvecs } : {};
      onProgress?.({ stage: name, done: ledger.count, ...total, ...(error === undefined ? {} : { error }) });
    },
  };
}

/** Products with a preconditioner of the function `name`, which no budget bounds; none without one. */
export function preconditionerProducts(
  M: LinearOperator | undefined,
  { name, signal }: { readonly name: string; readonly signal?: AbortSignal | undefined },
): Products | undefined {
  const title = `the preconditioner of ${name}`;
  return M && products(M, { signal, name: title, matvecs: Number.POSITIVE_INFINITY });
}

interface Ledger {
  readonly A: LinearOperator;
  readonly name: string;
  readonly signal: AbortSignal | undefined;
  count: number;
}

/** One product with A or its transpose. */
async function product(
  ledger: Ledger,
  {
    operator,
    x,
    state,
    isFinite,
  }: {
    readonly operator: LinearOperator;
    readonly x: Vector;
    readonly state: () => unknown;
    readonly isFinite?: ((y: Vector) => boolean) | undefined;
  },
): Promise<Vector | Interruption> {
  const { signal } = ledger;
  const made = await callOperator(ledger, {
    width: 1,
    state,
    work: () => operator.matvec(x, { signal }),
  });
  if ("interruption" in made) return made.interruption;
  const y = receivedVector(operator, made.result, { name: ledger.name, given: x, owner: ledger.A });
  return finite(ledger, y, { count: ledger.count, isFinite });
}

async function block(ledger: Ledger, X: Matrix, state: () => unknown) {
  const { A, signal } = ledger;
  const columns: Vector[] = [];
  const together = A.matmat !== undefined && X.columns > 1;
  const work = () => A.matmat!(X, { signal });
  const made = together ? await callOperator(ledger, { width: X.columns, state, work }) : undefined;
  if (made && "interruption" in made) return { columns, interruption: made.interruption };
  const whole = made && receivedMatrix(A, made.result, { name: ledger.name, given: X.data, columns: X.columns });
  const before = ledger.count - X.columns;
  for (let k = 0; k < X.columns; k++) {
    const y = whole
      ? finite(ledger, column(whole, k), { count: before + k + 1 })
      : await product(ledger, { operator: A, x: column(X, k), state });
    if (isInterruption(y)) return { columns, interruption: y };
    columns.push(y);
  }
  return { columns };
}

async function forms(ledger: Ledger, X: Matrix, state: () => unknown) {
  const { A, name, signal } = ledger;
  const work = () => A.quadraticForms!(X, { signal });
  const made = await callOperator(ledger, { width: X.columns, state, work, what: "quadratic form" });
  if ("interruption" in made) return { values: new Float64Array(0), interruption: made.interruption };
  const values = receivedForms(name, made.result, X.columns);
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return { values };
  const happened = `quadratic form ${ledger.count - X.columns + at + 1} of ${name} is infinite or NaN`;
  return { values: values.subarray(0, at), interruption: { status: "nonfinite" as const, happened } };
}

/** Runs `work` for `width` products; whatever the operator throws becomes one error with its cause and a state to resume from. */
async function callOperator<T>(
  ledger: Ledger,
  {
    width,
    state,
    work,
    what = "product",
  }: { width: number; state: () => unknown; work: () => Promise<T>; what?: "product" | "quadratic form" },
): Promise<{ readonly result: T } | { readonly interruption: Interruption }> {
  const { name, signal } = ledger;
  const aborted = () => ({
    interruption: { status: "aborted" as const, happened: `${name} was aborted after ${ledger.count} products` },
  });
  if (signal?.aborted) return aborted();
  try {
    const result = await work();
    ledger.count += width;
    return { result };
  } catch (cause) {
    if (signal?.aborted) return aborted();
    const code = cause instanceof CurvatureError ? cause.code : "runtime";
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `${name} expected ${what} ${ledger.count + 1} of the operator, which failed: ${reason}`;
    const from = state();
    const remedy = from === undefined ? "" : "; resume from error.state";
    throw new CurvatureError(code, message + remedy, { cause, state: from });
  }
}

/** A product, if every entry is finite. */
function finite(
  { name }: Ledger,
  y: Vector,
  {
    count,
    isFinite = isFiniteVector,
  }: { readonly count: number; readonly isFinite?: ((y: Vector) => boolean) | undefined },
): Vector | Interruption {
  if (isFinite(y)) return y;
  return { status: "nonfinite", happened: `product ${count} of ${name} has entries that are infinite or NaN` };
}
