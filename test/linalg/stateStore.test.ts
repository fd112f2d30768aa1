import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { stateStore } from "../../src/linalg/index.ts";
import { runToEnd } from "../../src/linalg/runs/index.ts";
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

  test("refuses states of other settings, where it is told its own", async () => {
    const path = join(folder, "settings");
    const settings = { dtype: "float32", batchSize: 64, cache: 2 ** 31, threads: "all" };
    const state = { method: "m", settings: "its own", x: Float64Array.of(1, 2) };
    await stateStore(path, { settings }).save(state);
    expect(await stateStore(path, { settings: { ...settings } }).load()).toEqual(state);
    expect(await stateStore(path).load()).toEqual(state);
    const expected = `stateStore expects the state in ${path} to be of a run with`;
    const remedy = "products have other bits then: use the settings of the state, or clear it and start again";
    await expect(stateStore(path, { settings: { ...settings, cache: 0, threads: 1 } }).load()).rejects.toMatchObject({
      code: "argument",
      message: `${expected} cache 0, threads 1, got one with cache 2147483648, threads all; ${remedy}`,
    });
    const { dtype: _, ...fewer } = settings;
    await expect(stateStore(path, { settings: fewer }).load()).rejects.toThrow(
      `${expected} dtype unknown, got one with dtype float32; ${remedy}`,
    );
    await stateStore(path).save(state);
    await expect(stateStore(path, { settings: { cache: 0 } }).load()).rejects.toThrow(
      `${expected} cache 0, got one with cache unknown; ${remedy}`,
    );
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

describe("damage and company", () => {
  const state = {
    method: "cg",
    matvecs: 7,
    x: Float64Array.from({ length: 40 }, (_, i) => Math.sin(i)),
    r: Float32Array.of(1, 2, 3),
    nested: { $: "number", text: "x", __proto__null: [1, { $: "Float64Array" }] },
  };

  test("2,000 flipped bits: each is refused with one line", async () => {
    const path = join(folder, "flipped");
    const store = stateStore(path);
    await store.save(state);
    const whole = readFileSync(path);
    const message = `stateStore expects a complete state in ${path}, got something else; clear it and start again`;
    const bits = 8 * whole.length;
    for (let i = 0; i < 2000; i++) {
      const bit = Math.floor((i * bits) / 2000);
      const flipped = Buffer.from(whole);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      writeFileSync(path, flipped);
      await expect(store.load(), `bit ${bit}`).rejects.toMatchObject({ code: "file", message });
    }
    writeFileSync(path, whole);
    expect(await store.load()).toEqual(state);
  });

  test("objects whose keys look like our own marks, and keys that objects inherit", async () => {
    const store = stateStore(join(folder, "marks"));
    const odd = Object.fromEntries([
      ["$", 1],
      ["__proto__", { $: "undefined", constructor: [-0] }],
      ["toString", "x"],
    ]);
    await store.save(odd);
    const loaded = (await store.load()) as typeof odd;
    expect(Object.entries(loaded)).toEqual(Object.entries(odd));
  });

  test("many saves at once leave one of them whole, and nothing beside it", async () => {
    const home = join(folder, "company");
    const path = join(home, "state");
    for (let round = 0; round < 30; round++) {
      const states = Array.from({ length: 4 }, (_, k) => ({ k, x: new Float64Array(2000 * (k + 1)).fill(k) }));
      await Promise.all(states.map((each) => stateStore(path).save(each)));
      const { k, x } = (await stateStore(path).load()) as (typeof states)[number];
      expect(x).toEqual(states[k]!.x);
      expect(readdirSync(home)).toEqual(["state"]);
    }
  });

  test("removes what processes left that are no more, and nothing else", async () => {
    const home = join(folder, "left");
    const path = join(home, "state");
    await stateStore(path).save({ a: 1 });
    const ended = spawnSync(process.execPath, ["-e", ""]).pid;
    const name = (pid: number | string) => `state.${pid}.${"0".repeat(8)}-0000-0000-0000-${"0".repeat(12)}.tmp`;
    const [left, recent, running, other] = [
      name(ended),
      name(ended).replace("-0000-", "-1111-"),
      name(process.pid),
      "state.notes.tmp",
    ];
    for (const each of [left, recent, running, other]) writeFileSync(join(home, each), "");
    for (const each of [left, running, other]) utimesSync(join(home, each), 1, 1);
    await stateStore(path).save({ a: 2 });
    expect(readdirSync(home).sort()).toEqual(["state", recent, running, other].sort());
  });

  test("a save that fails leaves the state before and nothing beside it", async () => {
    const home = join(folder, "failing");
    const path = join(home, "state");
    mkdirSync(path, { recursive: true });
    await expect(stateStore(path).save({ a: 1 })).rejects.toThrow();
    expect(readdirSync(home)).toEqual(["state"]);
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
      const [resumed, undisturbed] = [await runToEnd(run({ state })), await runToEnd(run({}))];
      expect(resumed, name).toEqual(undisturbed);
      expect(undisturbed.matvecs).toBeGreaterThan((state as { matvecs: number }).matvecs);
    }
  });
});
