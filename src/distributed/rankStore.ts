import { checkObject } from "../errors/index.ts";
import type { StateStore } from "../linalg/runs/stateStore.ts";
import type { BasisRows } from "../linalg/vectors/arithmetic.ts";
import type { Communicator } from "./communicator.ts";
import { exclusively } from "./exclusively.ts";
import { gatherBasis } from "./gatherBasis.ts";
import { hash } from "./hashes.ts";
import { errorOnAllRanks, onAllRanks } from "./onAllRanks.ts";

/**
 * The store of a run on several ranks, whose states are the same on all of them, but for the rows of a basis that is split over them: rank 0 saves
 * and clears, and every rank loads. A split basis is saved whole, so that any number of ranks, or one, can go on with it: for that moment rank 0
 * needs memory for all of it, and every rank does when it loads. The file must be
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
    async save(state) {
      const whole = await withWholeBases(state, communicator);
      await byFirst(() => store.save(whole));
    },
    clear: () => byFirst(() => store.clear()),
    async load() {
      const state = await onAllRanks(communicator, () => store.load());
      await checkSame(state, communicator);
      return state;
    },
  };
}

/** The state with every split basis whole on rank 0, where it is saved, and left out on the others. */
async function withWholeBases(state: unknown, communicator: Communicator): Promise<unknown> {
  if (typeof state !== "object" || state === null || ArrayBuffer.isView(state)) return state;
  if (Array.isArray(state)) return inOrder(state, (part) => withWholeBases(part, communicator));
  if ("allRows" in state) return gatherBasis(state as BasisRows, communicator, { onto: 0 });
  const parts = await inOrder(
    Object.entries(state),
    async ([name, part]) => [name, await withWholeBases(part, communicator)] as const,
  );
  return Object.fromEntries(parts);
}

/** Ranks make their exchanges in one order. */
async function inOrder<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await work(item));
  return results;
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
