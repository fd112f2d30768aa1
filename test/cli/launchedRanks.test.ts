import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { DATA, folderOf, MODEL, run } from "./commandLine.ts";

afterEach(() => vi.unstubAllEnvs());

/** A process that Open MPI's mpirun has started as one of two. */
function asRank(rank: number): void {
  vi.stubEnv("OMPI_COMM_WORLD_SIZE", "2");
  vi.stubEnv("OMPI_COMM_WORLD_RANK", String(rank));
}

const rows = ["--data", DATA, "--scale", "16", "--rows", "0:50", "--loss", "cross-entropy"];

describe("under mpirun", () => {
  test.each(["uncertainty", "prune", "quantize", "landscape", "tune", "merge", "compare"])(
    "%s, which every rank would do as a whole, is refused once, in one line",
    async (command) => {
      const models = command === "merge" || command === "compare" ? [MODEL, MODEL] : [MODEL];
      const args = [command, ...models, ...rows, "--out", join(folderOf(), "out")];
      asRank(0);
      expect(await run(...args)).toEqual({
        code: 2,
        stdout: "",
        stderr: `error: expected ${command} to be started as one process, got 2 of Open MPI's mpirun; start it alone (report and influence run on ranks)\n`,
      });
      asRank(1);
      expect(await run(...args)).toEqual({ code: 2, stdout: "", stderr: "" });
    },
  );

  test("inspect and export are done by the first rank", async () => {
    const alone = await run("inspect", MODEL, "--json");
    asRank(0);
    expect(await run("inspect", MODEL, "--json")).toEqual(alone);
    asRank(1);
    expect(await run("inspect", MODEL, "--json")).toEqual({ code: 0, stdout: "", stderr: "" });
    const out = join(folderOf(), "gradient.onnx");
    const written = ["export", MODEL, "--product", "gradient", "--loss", "crossEntropy", "--batch-size", "4"];
    expect(await run(...written, "--out", out)).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(existsSync(out)).toBe(false);
    asRank(0);
    expect((await run(...written, "--out", out)).code).toBe(0);
    expect(existsSync(out)).toBe(true);
  });

  test("help, versions and mistakes are told by the first rank", async () => {
    for (const args of [["--help"], ["--version"], ["report", "--help"], ["reprot"], ["inspect"]]) {
      const alone = await run(...args);
      asRank(0);
      expect(await run(...args)).toEqual(alone);
      asRank(1);
      expect(await run(...args)).toEqual({ code: alone.code, stdout: "", stderr: "" });
      vi.unstubAllEnvs();
    }
  });
});
