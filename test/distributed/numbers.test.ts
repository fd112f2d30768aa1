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
  expect(Object.keys(worst).length).toBeGreaterThan(8);
  expect(Object.fromEntries(Object.entries(worst).filter(([, error]) => !(error <= 1e-12)))).toEqual({});
}

const withMpi = testWith("openMpi");

withMpi("two ranks give the numbers of one process for every loss, and the same bits on both", async () => {
  expectSame(await numbers(2));
});
