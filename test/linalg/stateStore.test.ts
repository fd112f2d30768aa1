import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { drive } from "../../src/linalg/drive.ts";
import { stateStore } from "../../src/linalg/stateStore.ts";
import { longRuns } from "./longRuns.ts";

const folder = mkdtempSync(join(tmpdir(), "onnx-curvature-states-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("stateStore", () => {
  test("keeps every bit of plain data, views of larger arrays included", async () => {
    const store = stateStore(join(folder, "deep", "state"));
    expect(await store.load()).toBeUndefined();
    const large = new Float64Array(100).fill(Math.PI);
    const state = {
      method: "m",
      deep: [{ x: large.subarray(3, 7), y: Float32Array.of(1e-40, -0, Number.NaN) }, null, true, "ä\n"],
      numbers: [0.1, 1e-320, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, -0, 2 ** 53],
      counts: [Uint32Array.of(1, 2 ** 31), Int32Array.of(-5), new Uint8Array(0)],
    };
    await store.save(state);
    expect(await store.load()).toEqual({
      ...state,
      deep: [{ ...(state.deep[0] as object), x: large.slice(3, 7) }, ...state.deep.slice(1)],
    });
    const loaded = (await store.load()) as typeof state;
    expect(Object.is(loaded.numbers[5], -0)).toBe(true);
    await store.save({ method: "next" });
    expect(await store.load()).toEqual({ method: "next" });
    expect(readdirSync(join(folder, "deep"))).toEqual(["state"]);
    await store.clear();
    await store.clear();
    expect(await store.load()).toBeUndefined();
  });

  test("refuses what is no plain data, and files that it did not write or that are cut short", async () => {
    const path = join(folder, "bad");
    const store = stateStore(path);
    await expect(store.save({ f: () => 1 })).rejects.toThrow(
      "plain objects, got a function; save what a method yields",
    );
    await expect(store.save(new BigInt64Array(1))).rejects.toThrow("got a BigInt64Array");
    await store.save({ x: new Float64Array(10) });
    writeFileSync(path, readFileSync(path).subarray(0, -8));
    await expect(store.load()).rejects.toMatchObject({
      code: "file",
      message: `stateStore expects a complete state in ${path}, got something else; clear it and start again`,
    });
    writeFileSync(path, 'onnx-curvature state 1\n5\n{"a":');
    await expect(store.load()).rejects.toThrow(/complete state/);
    writeFileSync(path, "something else");
    await expect(store.load()).rejects.toThrow(/complete state/);
    await expect(stateStore(folder).load()).rejects.toThrow(
      `stateStore cannot read ${folder}; look at its permissions`,
    );
  });
});

describe("a process that is killed", () => {
  /** Runs all long runs in a process of its own and kills it in the middle of a round. */
  const killed = () =>
    new Promise<void>((resolve, reject) => {
      const here = fileURLToPath(new URL(".", import.meta.url));
      const loader = `${new URL("registerTypescript.mjs", import.meta.url)}`;
      const child = spawn(process.execPath, ["--import", loader, join(here, "longRuns.ts"), folder]);
      let said = "";
      let errors = "";
      child.stderr.on("data", (text) => {
        errors += text;
      });
      child.stdout.on("data", (text) => {
        said += text;
        if (said.includes("round 7\n")) child.kill("SIGKILL");
      });
      child.on("exit", (_, signal) =>
        signal === "SIGKILL" ? resolve() : reject(new Error(`it ended by itself: ${errors}`)),
      );
    });

  test("leaves states from which every method goes on to the same bits", async () => {
    await killed();
    for (const [name, run] of Object.entries(longRuns)) {
      const state = (await stateStore(join(folder, name)).load()) as never;
      expect((state as { matvecs: number }).matvecs).toBeGreaterThanOrEqual(7);
      const [resumed, undisturbed] = [await drive(run({ state })), await drive(run({}))];
      expect(resumed, name).toEqual(undisturbed);
      expect(undisturbed.matvecs).toBeGreaterThan((state as { matvecs: number }).matvecs);
    }
  });
});
