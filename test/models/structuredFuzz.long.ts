import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runCases } from "./fuzzProcess.ts";

/*
 * 5,000 files that are nearly as they should be, in processes of their own: none may crash its process, take more than 10
 * seconds of the processors or more than the memory limit, and every refusal is an error of the library in one line. FUZZ_SEEDS=FIRST-END runs
 * others.
 */
const [first, end] = (process.env.FUZZ_SEEDS ?? "0-5000").split("-").map(Number);

test(`structured cases ${first} to ${end}`, async () => {
  const folder = mkdtempSync(join(tmpdir(), "structured-"));
  try {
    const outcomes = await runCases({ script: "structuredWorker.ts", given: [folder], first, end });
    process.stdout.write(`${JSON.stringify({ ...outcomes, counts: Object.fromEntries(outcomes.counts) })}\n`);
    expect(outcomes.defects).toEqual([]);
    expect(outcomes.counts.get("computed")).toBeGreaterThan(0.1 * (end - first));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
