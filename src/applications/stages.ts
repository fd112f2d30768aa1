import { CurvatureError } from "../errors/index.ts";
import type { Outcome, RunOptions } from "../linalg/index.ts";

/** Work in stages of known cost, with one total progress. */
export interface Stages {
  /**
   * Runs one stage. Its progress, in units that add up to at most `cost`, is added to the total. At its end the whole `cost` counts as
   * done, independent of the units reported.
   */
  run<T>(
    stage: { readonly name: string; readonly cost: number },
    work: (options: RunOptions) => Promise<T>,
  ): Promise<T>;
}

/** Creates stages of a total cost, which report to `onProgress` and stop at the signal. */
export function stages(total: number, { signal, onProgress }: RunOptions): Stages {
  let finished = 0;
  return {
    async run({ name, cost }, work) {
      if (signal?.aborted) throw new CurvatureError("aborted", `aborted before ${name}`);
      const tell = (done: number) => onProgress?.({ stage: name, done: finished + Math.min(done, cost), total });
      tell(0);
      const result = await work({ ...(signal ? { signal } : {}), onProgress: ({ done }) => tell(done) });
      tell(cost);
      finished += cost;
      return result;
    },
  };
}

/**
 * Checks that the result of an algorithm can be reported. A result that exhausted its budget can, with the error that it states.
 *
 * @throws CurvatureError "aborted" if the signal stopped it, "numeric" if products were not finite
 */
export function completed<T extends Outcome>(result: T, what: string): T {
  if (result.status === "aborted") throw new CurvatureError("aborted", `${what}: ${result.message}`);
  if (result.status === "nonfinite") throw new CurvatureError("numeric", `${what}: ${result.message}`);
  return result;
}
