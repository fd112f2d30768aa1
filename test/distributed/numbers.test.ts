import { expect } from "vitest";
import { runRanks, testWith } from "./mpiRun.ts";

interface Numbers {
  readonly size: number;
  readonly worst: { readonly [quantity: string]: number };
  readonly differing: readonly string[];
  readonly digest: string;
  readonly settings: readonly { readonly [name: string]: unknown }[];
}

/** Ignored rows, weights of rows and classes; tokens; two outputs. */
const SOME = "smoothing|ignored tokens";

const ORDERED = "smoothing;uneven;ordered";
const ALONE = "one number a row;uneven";

/** What each number of ranks computes, in one start: cases, cut and reduction. */
const REQUESTS: { readonly [ranks: number]: readonly string[] } = {
  1: [ALONE, ORDERED],
  // A case of every loss.
  2: ["smoothing|binary|two outputs;uneven", "error with weights|poisson|without a likelihood;uneven", ALONE, ORDERED],
  3: [`${SOME};hole`, "ignored tokens;ignored"],
  4: ["ignored tokens;even", "one number a row;last"],
  5: [ORDERED],
};

const jobs = new Map<number, Promise<readonly Numbers[]>>();

/** The numbers of one of `REQUESTS`. Ranks take longer to start than to compute, so that those of one number start once. */
async function numbers(ranks: number, request: string): Promise<Numbers> {
  const job = jobs.get(ranks) ?? started(ranks);
  jobs.set(ranks, job);
  const at = REQUESTS[ranks]!.indexOf(request);
  expect(at).toBeGreaterThanOrEqual(0);
  return (await job)[at]!;
}

async function started(ranks: number): Promise<readonly Numbers[]> {
  const { code, stdout, stderr } = await runRanks("numbers", { ranks, args: REQUESTS[ranks]! });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Numbers);
}

function expectSame({ worst, differing }: Numbers): void {
  expect(differing).toEqual([]);
  expect(Object.keys(worst).length).toBeGreaterThanOrEqual(6);
  expect(Object.fromEntries(Object.entries(worst).filter(([, error]) => !(error <= 1e-12)))).toEqual({});
}

const withMpi = testWith("openMpi");

for (const request of REQUESTS[2]!.slice(0, 2)) {
  withMpi(
    `two ranks with other numbers of rows give the numbers of one process, and each the same bits: ${request}`,
    async () => expectSame(await numbers(2, request)),
  );
}

withMpi("so do estimators and solvers on four ranks, which split their bases", async () => {
  const four = await numbers(4, "ignored tokens;even");
  expectSame(four);
  expect(four.settings.length).toBeGreaterThan(0);
  for (const settings of four.settings) expect(settings).toMatchObject({ ranks: 4, basis: "split" });
  expect(Object.keys(four.worst)).toEqual(expect.arrayContaining(["eigenvalues", "tridiagonal", "basis", "ownRows"]));
});

withMpi("so do three ranks one of which has no rows", async () => {
  expectSame(await numbers(3, `${SOME};hole`));
});

withMpi("so do three ranks where all labels of one are ignored", async () => {
  expectSame(await numbers(3, "ignored tokens;ignored"));
});

withMpi("so do four ranks with all rows on the last", async () => {
  expectSame(await numbers(4, "one number a row;last"));
});

withMpi("an ordered reduction gives the same bits on one, two and more ranks than shards", async () => {
  const first = await numbers(1, ORDERED);
  expectSame(first);
  expect(first.settings).toEqual([expect.objectContaining({ reduction: "ordered", shards: 4, batchSize: 2 })]);
  for (const ranks of [2, 5]) {
    const other = await numbers(ranks, ORDERED);
    expectSame(other);
    expect(other.digest).toBe(first.digest);
    expect(other.settings).toEqual(first.settings);
  }
});

withMpi(
  "a tree records the number of ranks in the settings, on which bits depend, and one rank adds nothing",
  async () => {
    const two = await numbers(2, ALONE);
    expect(two.settings).toEqual([expect.objectContaining({ reduction: "tree", ranks: 2 })]);
    const one = await numbers(1, ALONE);
    expect(Object.values(one.worst).every((error) => error === 0)).toBe(true);
    expect(one.settings).toEqual([expect.not.objectContaining({ reduction: "tree" })]);
  },
);

for (const [launcher, title] of [
  ["mpich", "MPICH"],
  ["standard", "a library with the standard ABI of MPI 5"],
] as const) {
  testWith(launcher)(`${title} gives the numbers of one process`, async () => {
    const { code, stdout } = await runRanks("numbers", { ranks: 2, launcher, args: ["smoothing;uneven"] });
    expect(code).toBe(0);
    expectSame(JSON.parse(stdout) as Numbers);
  });
}
