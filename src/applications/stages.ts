import { CurvatureError } from "../errors/index.ts";
import type { Outcome, RunOptions } from "../linalg/index.ts";

/** Work in stages, each of a cost known beforehand, told as one whole. */
export interface Stages {
  /**
   * Runs one stage. Its own progress, in units that add up to at most `cost`, becomes that of the whole; at its end the whole cost counts
   * as done, whatever it took.
   */
  run<T>(
    stage: { readonly name: string; readonly cost: number },
    work: (options: RunOptions) => Promise<T>,
  ): Promise<T>;
}

/** Stages of a total cost, which tell `onProgress` and stop at the signal. */
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
 * The result of an algorithm whose numbers can be reported: what ran out of its budget can, with the error it states.
 *
 * @throws CurvatureError "aborted" where the signal stopped it, "numeric" where products were not finite
 */
export function completed<T extends Outcome>(result: T, what: string): T {
  if (result.status === "aborted") throw new CurvatureError("aborted", `${what}: ${result.message}`);
  if (result.status === "nonfinite") throw new CurvatureError("numeric", `${what}: ${result.message}`);
  return result;
}
