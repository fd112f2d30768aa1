import { CurvatureError } from "../errors/index.ts";
import { column, type Matrix, toPrecision, type Vector } from "../tensors/index.ts";
import { precision } from "./checks.ts";
import type { LinearOperator, RunOptions } from "./operator.ts";
import { isFiniteVector } from "./vector.ts";

/** Why an algorithm has to stop with what it has. */
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
  /** `A x`, or why there is none. `state` gives what the algorithm can be resumed from if the operator throws. */
  matvec(x: Vector, state: () => unknown): Promise<Vector | Interruption>;
  /** `A X` column by column, through `matmat` where the operator has it; columns before an interruption are kept. */
  block(
    X: Matrix,
    state: () => unknown,
  ): Promise<{ readonly columns: readonly Vector[]; readonly interruption?: Interruption }>;
  /** Tells the caller's `onProgress` how many products are done. */
  report(error?: number): void;
}

/** Told apart from a vector. */
export function isInterruption(result: Vector | Interruption): result is Interruption {
  return "status" in result;
}

/** The one place where algorithms call operators. */
export function products(
  A: LinearOperator,
  {
    name,
    matvecs,
    used = 0,
    signal,
    onProgress,
  }: RunOptions & { readonly name: string; readonly matvecs: number; readonly used?: number },
): Products {
  let count = used;
  const options: RunOptions = signal === undefined ? {} : { signal };
  const aborted = (): Interruption => ({ status: "aborted", happened: `${name} was aborted after ${count} products` });

  /** Runs `work` for `width` products; whatever the operator throws becomes one error with its cause and a state to resume from. */
  async function guarded<T>(width: number, state: () => unknown, work: () => Promise<T>): Promise<T | Interruption> {
    if (signal?.aborted) return aborted();
    try {
      const result = await work();
      count += width;
      return result;
    } catch (cause) {
      if (signal?.aborted) return aborted();
      const code = cause instanceof CurvatureError ? cause.code : "runtime";
      const reason = cause instanceof Error ? cause.message : String(cause);
      const message = `${name} expected product ${count + 1} of the operator, which failed: ${reason}; resume from error.state`;
      throw new CurvatureError(code, message, { cause, state: state() });
    }
  }

  function checked(y: Vector, product: number): Vector | Interruption {
    if (y?.length !== A.shape[0]) {
      const message = `${name} expected products of ${A.shape[0]} entries as the operator's shape says, got ${y?.length}; correct its shape or matvec`;
      throw new CurvatureError("shape", message);
    }
    if (isFiniteVector(y)) return toPrecision(y, precision(A));
    return { status: "nonfinite", happened: `product ${product} of ${name} has entries that are infinite or NaN` };
  }

  async function matvec(x: Vector, state: () => unknown): Promise<Vector | Interruption> {
    const y = await guarded(1, state, () => A.matvec(x, options));
    return y !== undefined && isInterruption(y) ? y : checked(y, count);
  }

  async function block(X: Matrix, state: () => unknown) {
    const columns: Vector[] = [];
    const whole = A.matmat && X.columns > 1 ? await guarded(X.columns, state, () => A.matmat!(X, options)) : undefined;
    if (whole && "status" in whole) return { columns, interruption: whole };
    const first = count - X.columns + 1;
    for (let k = 0; k < X.columns; k++) {
      const y = whole ? checked(column(whole, k).slice(), first + k) : await matvec(column(X, k), state);
      if (isInterruption(y)) return { columns, interruption: y };
      columns.push(y);
    }
    return { columns };
  }

  return {
    get used() {
      return count;
    },
    get left() {
      return matvecs - count;
    },
    matvec,
    block,
    report(error) {
      const total = Number.isFinite(matvecs) ? { total: matvecs } : {};
      onProgress?.({ stage: name, done: count, ...total, ...(error === undefined ? {} : { error }) });
    },
  };
}
