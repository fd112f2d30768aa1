import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { build } from "../../scripts/build.mjs";
import { runJob, testWith } from "./mpiRun.ts";

const folder = mkdtempSync(join(tmpdir(), "study-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeAll(() => {
  if (!build() || !existsSync("dist/distributed/mpi/index.js")) throw new Error("src does not compile");
});

testWith("openMpi")(
  "examples/cluster/study.mjs finds the same eigenvalues on one and on three ranks, and leaves no state",
  async () => {
    const [one, three] = [
      await runJob([process.execPath, "examples/cluster/study.mjs", folder], { ranks: 1 }),
      await runJob([process.execPath, "examples/cluster/study.mjs", folder], { ranks: 3 }),
    ];
    const [, values] = /^1 ranks, converged after \d+ products: (.*)\n$/.exec(one.stdout) ?? [];
    expect(values?.split(" ")).toHaveLength(5);
    expect(three.stdout).toMatch(/^3 ranks, converged after \d+ products: /);
    const [found, expected] = [three.stdout.split(": ")[1]!, values!].map((text) => text.trim().split(" ").map(Number));
    // float32, printed with six digits.
    for (const [i, value] of expected!.entries()) expect(Math.abs(found![i]! - value)).toBeLessThan(1e-4 * value);
    expect(readdirSync(folder)).toEqual([]);
  },
);
