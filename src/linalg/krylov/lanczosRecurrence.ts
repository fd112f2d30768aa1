import type { Vector } from "../../tensors/index.ts";
import { checkState, precision } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { type Interruption, isInterruption, type Products } from "../runs/products.ts";
import { normalized, withoutKnownTerms } from "../vectors/basis.ts";
import { maxAbs, norm } from "../vectors/vector.ts";
import { appended, isExhausted } from "./lanczos.ts";

/** The recurrence after `matvecs` steps: plain data, from which it can go on. */
export interface LanczosRecurrenceState {
  readonly method: "lanczosRecurrence";
  readonly columns: number;
  readonly matvecs: number;
  /** `[n]` each, unit vectors: the one that is multiplied next, and the one before it; the latter is absent at the start. */
  readonly newest: Vector;
  readonly before?: Vector | undefined;
  /** `[matvecs]`, diagonal of T. */
  readonly alpha: Float64Array;
  /** `[matvecs]`, subdiagonal of T; the last one is 0 where nothing is left. */
  readonly beta: Float64Array;
}

/** Options of the recurrence as a part of another method. */
export interface LanczosRecurrence {
  readonly name: string;
  /** Number of steps, each one product. */
  readonly steps: number;
  /** `[n]`, other than zero, need not be normalized; changed. */
  readonly start: Vector;
  /** Where an earlier run stopped. */
  readonly state?: LanczosRecurrenceState | undefined;
  /** State of the method that this is a part of, for `error.state`. */
  readonly enclosing: (state: LanczosRecurrenceState) => unknown;
}

/**
 * The three-term recurrence of Lanczos (1950) alone, `beta_j q_(j+1) = A q_j - alpha_j q_j - beta_(j-1) q_(j-1)`: T without the basis, so that
 * memory is three vectors and a step costs 8 n operations beside its product. As vectors of eigenvalues that have been found come back, T
 * gets further copies of these, whose weights share what one copy has in exact arithmetic: it is the T of an exact run with a matrix whose
 * eigenvalues are tiny clusters around those of A (Greenbaum, 1989). Sums over the quadrature are as good as those (Knizhnerman, 1996), and
 * the steps that make copies are lost.
 */
export async function* lanczosRecurrence(
  A: LinearOperator,
  run: Products,
  { name, steps, start, state: saved, enclosing }: LanczosRecurrence,
): AsyncGenerator<
  LanczosRecurrenceState,
  { readonly state: LanczosRecurrenceState; readonly interruption?: Interruption | undefined },
  void
> {
  const columns = A.shape[1];
  const empty = new Float64Array(0);
  const method = "lanczosRecurrence";
  let state: LanczosRecurrenceState = saved ?? {
    method,
    columns,
    matvecs: 0,
    newest: normalized(start),
    alpha: empty,
    beta: empty,
  };
  checkState(name, state, { method, columns });
  while (state.matvecs < steps && state.beta[state.matvecs - 1] !== 0) {
    const current = state;
    const w = await run.matvec(current.newest, () => enclosing(current));
    if (isInterruption(w)) return { state, interruption: w };
    state = advanced(A, current, w);
    run.report();
    yield state;
  }
  return { state };
}

function advanced(A: LinearOperator, state: LanczosRecurrenceState, w: Vector): LanczosRecurrenceState {
  const { newest, before } = state;
  const known = { newest, before, beta: state.beta[state.matvecs - 1] ?? 0 };
  const alpha = appended(state.alpha, withoutKnownTerms(w, known));
  const length = norm(w);
  const scale = Math.max(maxAbs(alpha), maxAbs(state.beta));
  const exhausted = state.matvecs + 1 === state.columns || isExhausted(length, { scale, dtype: precision(A) });
  const beta = appended(state.beta, exhausted ? 0 : length);
  const next = { ...state, matvecs: state.matvecs + 1, alpha, beta };
  return exhausted ? next : { ...next, before: newest, newest: normalized(w) };
}
