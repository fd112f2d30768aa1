import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { rankStore, selfCommunicator } from "../../src/distributed/index.ts";
import { stateStore } from "../../src/linalg/index.ts";
import { testWith } from "./mpiRun.ts";
import { expectSameAfterKill, undisturbed } from "./restartSuite.ts";

testWith("openMpi")(
  "a run that is killed in its second method goes on with the bits of an undisturbed one",
  async () => {
    const expected = await undisturbed({ ranks: 2 });
    expect(expected.status).toEqual(["converged", "converged"]);
    await expectSameAfterKill(expected.steps - 2, expected, { ranks: 2 });
  },
);

testWith("openMpi")("with an ordered reduction also on another number of ranks", async () => {
  const options = { ranks: 2, shards: 4 };
  await expectSameAfterKill(7, await undisturbed(options), { ...options, restartRanks: 3 });
});

test("a store of ranks is that of its single rank, and takes stores and communicators only", async () => {
  const folder = mkdtempSync(join(tmpdir(), "rank-store-"));
  const store = rankStore(stateStore(join(folder, "x")), selfCommunicator());
  expect(await store.load()).toBeUndefined();
  await store.save({ values: Float64Array.of(-0, 1), name: "x" });
  expect(await store.load()).toEqual({ values: Float64Array.of(-0, 1), name: "x" });
  await store.clear();
  expect(await store.load()).toBeUndefined();
  rmSync(folder, { recursive: true });
  expect(() => rankStore({} as never, selfCommunicator())).toThrow("rankStore expects a store made by stateStore");
  expect(() => rankStore(store, {} as never)).toThrow("rankStore expects a communicator, got an object without rank");
});
