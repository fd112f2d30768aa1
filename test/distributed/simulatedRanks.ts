import type { Communicator, Numbers } from "../../src/distributed/index.ts";
import { interruptionOf } from "../../src/distributed/interruption.ts";

/** The exchange of one step: what each rank gave, once all have. */
interface Meeting {
  readonly given: Numbers[];
  readonly complete: Promise<void>;
  readonly resolve: () => void;
}

/**
 * Runs a program on ranks that are turns of this process: the exchanges of `Communicator` between promises. Sums are added in the order of the
 * ranks. Gives the result of each.
 */
export function onSimulatedRanks<T>(
  size: number,
  program: (communicator: Communicator) => Promise<T>,
): Promise<readonly T[]> {
  const meetings: Meeting[] = [];
  const meetingOf = (step: number): Meeting => {
    let resolve = () => {};
    const complete = new Promise<void>((done) => {
      resolve = done;
    });
    meetings[step] ??= { given: new Array(size), complete, resolve };
    return meetings[step];
  };
  const communicatorOf = (rank: number): Communicator => {
    let step = 0;
    const meet = async (own: Numbers): Promise<readonly Numbers[]> => {
      const { given, complete, resolve } = meetingOf(step++);
      given[rank] = own.slice();
      if (given.every((each) => each !== undefined) && Object.keys(given).length === size) resolve();
      await complete;
      return given;
    };
    return {
      rank,
      size,
      interruption: interruptionOf(size),
      async allReduce(values, operation = "sum") {
        const all = await meet(values);
        const pair = operation === "sum" ? (a: number, b: number) => a + b : (a: number, b: number) => Math.max(a, b);
        for (let i = 0; i < values.length; i++) values[i] = all.map((each) => each[i]!).reduce(pair);
        return values;
      },
      async allGather(own, into) {
        (await meet(own)).forEach((each, at) => {
          into.set(each, at * own.length);
        });
        return into;
      },
      async broadcast(values, root = 0) {
        values.set((await meet(values))[root]!);
        return values;
      },
      barrier: async () => void (await meet(new Float64Array(0))),
      abort(code, reason) {
        throw new Error(`rank ${rank} aborted with ${code}: ${reason}`);
      },
      close: async () => {},
    };
  };
  return Promise.all(Array.from({ length: size }, (_, rank) => program(communicatorOf(rank))));
}
