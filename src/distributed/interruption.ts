/**
 * A wish to stop on which ranks agree. A signal of the system reaches ranks at different times; if each stopped at once, the others would wait in
 * their next exchange. So a rank states its wish in the next exchange that settles a call, and then the signals of all ranks fire within that call.
 */
export interface Interruption {
  /** Fires on all ranks within the same call; give it to runs as `signal`. */
  readonly signal: AbortSignal;
  /** Whether this rank wishes to stop. */
  isRequested(): boolean;
  /** States the wish. A single process stops at once. */
  request(): void;
  /** Fires the signal: called on every rank once they know that one of them wishes it. */
  agree(): void;
}

/** The wish of one of `size` ranks, not yet stated. */
export function interruptionOf(size: number): Interruption {
  const controller = new AbortController();
  let requested = false;
  return {
    signal: controller.signal,
    isRequested: () => requested,
    request() {
      requested = true;
      if (size === 1) controller.abort();
    },
    agree: () => controller.abort(),
  };
}
