import { CurvatureError } from "../errors/index.ts";
import type { Communicator } from "./communicator.ts";
import { interruptionOf } from "./interruption.ts";

/**
 * The communicator of a single process: rank 0 of 1. Exchanges return at once. A program written for many ranks runs with it unchanged, also
 * in a browser.
 */
export function selfCommunicator(): Communicator {
  return {
    rank: 0,
    size: 1,
    allReduce: async (values) => values,
    async allGather(own, into) {
      into.set(own);
      return into;
    },
    broadcast: async (values) => values,
    barrier: async () => {},
    interruption: interruptionOf(1),
    abort(code, reason = "no reason given") {
      throw new CurvatureError("runtime", `rank 0 of 1 aborted with code ${code}: ${reason}`);
    },
    close: async () => {},
  };
}
