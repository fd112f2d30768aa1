import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { type Job, runRanks } from "./mpiRun.ts";

interface Finished {
  readonly digest: string;
  readonly steps: number;
  /** Methods that began from a saved state. */
  readonly resumed: number;
  readonly status: readonly string[];
}

/** How many ranks run, and over how many shards for an ordered reduction. */
export interface RestartOptions {
  readonly ranks: number;
  readonly restartRanks?: number;
  readonly shards?: number;
}

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "restart-"));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function run(
  folder: string,
  { ranks, shards, killAt = "never" }: RestartOptions & { readonly killAt?: string },
): Promise<Job> {
  return runRanks("restart", { ranks, args: [folder, killAt, ...(shards === undefined ? [] : [String(shards)])] });
}

/** The results of a run that nothing disturbs. */
export async function undisturbed(options: RestartOptions): Promise<Finished> {
  return inFolder(async (folder) => finished(await run(folder, options)));
}

function finished({ code, stdout, stderr }: Job): Finished {
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout) as Finished;
}

/** Kills a rank at a step, runs again, and expects the bits of the undisturbed run. */
export async function expectSameAfterKill(killAt: number, expected: Finished, options: RestartOptions): Promise<void> {
  await inFolder(async (folder) => {
    const killed = await run(folder, { ...options, killAt: String(killAt) });
    expect(killed.code).not.toBe(0);
    expect(readdirSync(folder)).toContain("eigsh.state");
    const again = finished(await run(folder, { ...options, ranks: options.restartRanks ?? options.ranks }));
    expect(again).toMatchObject({ digest: expected.digest, status: expected.status });
    expect(again.resumed).toBeGreaterThan(0);
    expect(again.steps).toBeLessThan(expected.steps);
  });
}
