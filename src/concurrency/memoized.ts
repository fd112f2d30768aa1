/** A piece of work that is done once: call it for its result. */
export interface Memoized<T> {
  (): Promise<T>;
  /** The result, where somebody has asked for it already; undefined before the first call and after a failure. */
  known(): Promise<T> | undefined;
}

/** Runs `work` at the first call and gives its result to every later one; a failure is not kept, so that a later call tries again. */
export function memoized<T>(work: () => Promise<T>): Memoized<T> {
  let result: Promise<T> | undefined;
  const call = () => {
    result ??= work().catch((error: unknown) => {
      result = undefined;
      throw error;
    });
    return result;
  };
  return Object.assign(call, { known: () => result });
}
