import { spawn } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { build } from "../../scripts/build.mjs";
import { stream } from "../../src/random/index.ts";
import { DATA, folderOf, MODEL } from "./commandLine.ts";

beforeAll(() => expect(build()).toBe(true));

const COMMON = [MODEL, "--data", DATA, "--scale", "16", "--loss", "crossEntropy", "--rows", ":400", "--json"];

const COMMANDS = {
  tune: ["tune", ...COMMON, "--steps", "12"],
  "tune --method adam": ["tune", ...COMMON, "--method", "adam", "--steps", "60"],
  landscape: ["landscape", ...COMMON, "--points", "15"],
  prune: ["prune", ...COMMON, "--sparsity", "0.5,0.8", "--steps", "3", "--method", "obs,magnitude"],
  quantize: ["quantize", ...COMMON, "--bits", "3,4,8", "--budget", "4"],
  influence: ["influence", ...COMMON, "--self"],
  uncertainty: ["uncertainty", ...COMMON, "--test", DATA, "--link", "monteCarlo", "--samples", "200"],
} as const;

/** Kills of each command, as far as it has so many states. */
const KILLS = 6;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly killed: boolean;
}

/** Runs a command; with a state, it is killed some time after the next state has been written. */
function runToEndOrKill(
  args: readonly string[],
  kill?: { readonly state: string; readonly delay: number },
): Promise<Ended> {
  const child = spawn(process.execPath, ["dist/cli/main.js", ...args]);
  const text = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk) => {
    text.stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    text.stderr += chunk;
  });
  let killed = false;
  const written = (path: string) => (existsSync(path) ? statSync(path, { throwIfNoEntry: false })?.mtimeMs : undefined);
  const before = kill && written(kill.state);
  const watch = setInterval(() => {
    if (kill === undefined || killed || [undefined, before].includes(written(kill.state))) return;
    killed = true;
    setTimeout(() => child.kill("SIGKILL"), kill.delay);
  }, 2);
  return new Promise((resolve) => {
    child.on("close", (code, signal) => {
      clearInterval(watch);
      resolve({ code, ...text, killed: signal === "SIGKILL" });
    });
  });
}

/** The numbers of a run, without its times, the products that it took and the files that it wrote. */
function numbersOf(stdout: string): unknown {
  const timeless = (key: string, value: unknown) =>
    /seconds|^files?$|^out$|^path$|^matvecs$/i.test(key) ? undefined : value;
  return JSON.parse(stdout, timeless);
}

test.each(Object.entries(COMMANDS))(
  "%s, killed again and again, ends with the numbers of an undisturbed run",
  async (name, args) => {
    const random = stream(1, name);
    const folder = folderOf();
    const undisturbed = await runToEndOrKill([...args, "--out", join(folder, "one")]);
    expect(undisturbed).toMatchObject({ code: 0 });
    const state = join(folder, "state");
    const again = [...args, "--out", join(folder, "two"), "--state", state];
    let kills = 0;
    let last: Ended;
    do {
      last = await runToEndOrKill(again, kills < KILLS ? { state, delay: 40 * random.uniform() } : undefined);
      if (last.killed) kills++;
    } while (last.killed);
    process.stdout.write(`${name}: ${kills} kills\n`);
    expect(last).toMatchObject({ code: 0 });
    expect(kills).toBeGreaterThan(0);
    expect(numbersOf(last.stdout)).toEqual(numbersOf(undisturbed.stdout));
  },
);
