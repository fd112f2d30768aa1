/** An iterative method: when it stops, one step of it, and the result at its end. */
export interface Iteration<State extends object, Reason extends { readonly status: unknown }, Result> {
  /** Reason to stop before another step. */
  stopReason(state: State): Reason | undefined;
  /** The state after one step, or the reason why there is none. */
  step(state: State): Promise<State | Reason>;
  conclude(state: State, reason: Reason): Result | Promise<Result>;
  report(state: State): void;
}

/** Runs a method from a state, its own or a saved one, step by step; yields the state after each. */
export async function* iterate<State extends object, Reason extends { readonly status: unknown }, Result>(
  first: State,
  method: Iteration<State, Reason, Result>,
): AsyncGenerator<State, Result, void> {
  for (let state = first; ; ) {
    const next = method.stopReason(state) ?? (await method.step(state));
    if ("status" in next) return method.conclude(state, next);
    state = next;
    method.report(state);
    yield state;
  }
}
