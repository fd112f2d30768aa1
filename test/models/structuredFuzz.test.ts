import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runCases } from "./fuzzProcess.ts";

test("60 structured cases are computed or refused in one line", async () => {
  const folder = mkdtempSync(join(tmpdir(), "structured-"));
  try {
    const { defects, counts } = await runCases({ script: "structuredWorker.ts", given: [folder], first: 0, end: 60 });
    expect(defects).toEqual([]);
    expect(counts.get("computed")).toBeGreaterThan(5);
    expect(counts.get("file")).toBeGreaterThan(5);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
