import { expect } from "vitest";
import { runRanks, testWith } from "./mpiRun.ts";

interface Numbers {
  readonly size: number;
  readonly worst: { readonly [quantity: string]: number };
  readonly differing: readonly string[];
  readonly digest: string;
  readonly settings: readonly { readonly [name: string]: unknown }[];
}

async function numbers(ranks: number, ...args: readonly string[]): Promise<Numbers> {
  const { code, stdout, stderr } = await runRanks("numbers", { ranks, args });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout) as Numbers;
}

function expectSame({ worst, differing }: Numbers): void {
  expect(differing).toEqual([]);
  expect(Object.keys(worst).length).toBeGreaterThanOrEqual(6);
  expect(Object.fromEntries(Object.entries(worst).filter(([, error]) => !(error <= 1e-12)))).toEqual({});
}

const withMpi = testWith("openMpi");

/** A case of every loss. */
const EVERY = ["smoothing|binary|two outputs", "error with weights|poisson|without a likelihood"];

/** Ignored rows, weights of rows and classes; tokens; two outputs. */
const SOME = "smoothing|ignored tokens";

for (const cases of EVERY) {
  withMpi(
    `two ranks with other numbers of rows give the numbers of one process, and each the same bits: ${cases}`,
    async () => {
      expectSame(await numbers(2, cases, "uneven"));
    },
  );
}

withMpi("so do estimators and solvers on four ranks", async () => {
  expectSame(await numbers(4, "ignored tokens", "even"));
});

withMpi("so do three ranks one of which has no rows", async () => {
  expectSame(await numbers(3, SOME, "hole"));
});

withMpi("so do three ranks where all labels of one are ignored", async () => {
  expectSame(await numbers(3, "ignored tokens", "ignored"));
});

withMpi("so do four ranks with all rows on the last", async () => {
  expectSame(await numbers(4, "one number a row", "last"));
});

withMpi("an ordered reduction gives the same bits on one, two and more ranks than shards", async () => {
  const first = await numbers(1, "smoothing", "uneven", "ordered");
  expectSame(first);
  expect(first.settings).toEqual([expect.objectContaining({ reduction: "ordered", shards: 4, batchSize: 2 })]);
  for (const ranks of [2, 5]) {
    const other = await numbers(ranks, "smoothing", "uneven", "ordered");
    expectSame(other);
    expect(other.digest).toBe(first.digest);
    expect(other.settings).toEqual(first.settings);
  }
});

withMpi(
  "a tree records the number of ranks in the settings, on which bits depend, and one rank adds nothing",
  async () => {
    const two = await numbers(2, "one number a row", "uneven");
    expect(two.settings).toEqual([expect.objectContaining({ reduction: "tree", ranks: 2 })]);
    const one = await numbers(1, "one number a row", "uneven");
    expect(Object.values(one.worst).every((error) => error === 0)).toBe(true);
    expect(one.settings).toEqual([expect.not.objectContaining({ reduction: "tree" })]);
  },
);

testWith("mpich")("MPICH gives the numbers of one process", async () => {
  const { code, stdout } = await runRanks("numbers", { ranks: 2, launcher: "mpich", args: ["smoothing", "uneven"] });
  expect(code).toBe(0);
  expectSame(JSON.parse(stdout) as Numbers);
});

testWith("standard")("a library with the standard ABI of MPI 5 gives the numbers of one process", async () => {
  const { code, stdout } = await runRanks("numbers", { ranks: 2, launcher: "standard", args: ["smoothing", "uneven"] });
  expect(code).toBe(0);
  expectSame(JSON.parse(stdout) as Numbers);
});
