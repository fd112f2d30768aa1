import { checkObject } from "../errors/index.ts";
import type { StateStore } from "../linalg/runs/stateStore.ts";
import type { Communicator } from "./communicator.ts";
import { exclusively } from "./exclusively.ts";
import { hash } from "./hashes.ts";
import { errorOnAllRanks, onAllRanks } from "./onAllRanks.ts";

/**
 * The store of a run on several ranks, whose states are the same on all of them: rank 0 saves and clears, and every rank loads. The file must be
 * in a folder that all ranks see, or be copied to each. Give `stateStore` the settings of the risk, which say how many ranks or shards made the
 * state: with the same number of these, a run that was killed at any time goes on with the bits of one that was not.
 *
 * @throws CurvatureError on all ranks: as the store where rank 0 cannot save or a rank cannot load, and "file" if ranks load different states
 */
export function rankStore(store: StateStore, communicator: Communicator): StateStore {
  checkObject(store, "rankStore expects a store made by stateStore", ["save", "load", "clear"]);
  checkObject(communicator, "rankStore expects a communicator", ["rank", "size"]);
  const byFirst = (work: () => Promise<void>) =>
    onAllRanks(communicator, async () => {
      if (communicator.rank === 0) await work();
    });
  return {
    save: (state) => byFirst(() => store.save(state)),
    clear: () => byFirst(() => store.clear()),
    async load() {
      const state = await onAllRanks(communicator, () => store.load());
      await checkSame(state, communicator);
      return state;
    },
  };
}

async function checkSame(state: unknown, communicator: Communicator): Promise<void> {
  const { size } = communicator;
  const own = Float64Array.of(hashOf(state));
  const all = await exclusively(communicator, () => communicator.allGather(own, new Float64Array(size)));
  const other = all.findIndex((value) => value !== all[0]);
  if (other < 0) return;
  throw errorOnAllRanks(
    "file",
    `rank ${other} loaded another state than rank 0; put the file where all ranks see it, or give each a copy of that of rank 0`,
  );
}

/** Hash of plain data, arrays of numbers included. */
function hashOf(state: unknown): number {
  const sum = hash();
  const add = (value: unknown): void => {
    if (ArrayBuffer.isView(value)) sum.add(value.constructor.name).add(value);
    else if (typeof value === "object" && value !== null) {
      for (const [name, part] of Object.entries(value)) {
        sum.add(name);
        add(part);
      }
    } else sum.add(`${typeof value} ${Object.is(value, -0) ? "-0" : String(value)}`);
  };
  add(state);
  return sum.value();
}
