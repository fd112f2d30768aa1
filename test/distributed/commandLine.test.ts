import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { build } from "../../scripts/build.mjs";
import { type Job, type JobOptions, runJob, testWith } from "./mpiRun.ts";

const folder = mkdtempSync(join(tmpdir(), "onnx-curvature-ranks-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeAll(() => {
  if (!build()) throw new Error("src does not compile");
});

const options = [
  "--data",
  "examples/digits/digits_train.csv.gz",
  "--scale",
  "16",
  "--loss",
  "crossEntropy",
  "--rows",
  "0:200",
];
const cost = [
  "--dtype",
  "float64",
  "--probes",
  "4",
  "--steps",
  "6",
  "--density-probes",
  "2",
  "--eigenvalues",
  "1",
  "--matrices",
  "hessian,empiricalFisher",
];

function report(ranks: number, ...more: readonly string[]): Promise<Job> {
  return reportOn({ ranks }, ...more);
}

function reportOn(settings: JobOptions, ...more: readonly string[]): Promise<Job> {
  const { ranks } = settings;
  const command = [
    process.execPath,
    "dist/cli/main.js",
    "report",
    "examples/digits/digits_mlp.onnx",
    ...options,
    ...cost,
  ];
  return runJob([...command, "--out", join(folder, String(ranks)), ...more], settings);
}

/** The numbers of a report by their paths, but for its times and the rows of a batch, of which a rank has fewer. */
function numbersIn(value: unknown, path = ""): readonly (readonly [path: string, value: number])[] {
  if (typeof value === "number") return /seconds|batchSize/i.test(path) ? [] : [[path, value]];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, part]) => numbersIn(part, `${path}/${name}`));
}

testWith("openMpi")("two ranks write the report of one process, once", async () => {
  const [two, one] = [await report(2), await report(1)];
  expect({ code: two.code, lines: two.stderr.split("\n").filter((line) => line.startsWith("Wrote ")).length }).toEqual({
    code: 0,
    lines: 1,
  });
  expect(one.code).toBe(0);
  const [found, expected] = [2, 1].map(
    (ranks) => JSON.parse(readFileSync(join(folder, `${ranks}/report.json`), "utf8")) as object,
  );
  const [left, right] = [numbersIn(found), numbersIn(expected)];
  expect(left.map(([path]) => path)).toEqual(right.map(([path]) => path));
  expect(left.length).toBeGreaterThan(500);
  const far = left.filter(
    ([, value], i) => !(Math.abs(value - right[i]![1]) <= 1e-10 * Math.max(1, Math.abs(right[i]![1]))),
  );
  expect(far).toEqual([]);
  expect({ ...found, data: 0 }).toMatchObject({ accuracy: (expected as { accuracy: number }).accuracy });
  expect((found as { data: unknown }).data).toEqual({ ...(expected as { data: object }).data, batchSize: 100 });
});

testWith("openMpi")(
  "an error of all ranks is printed once, and a missing file ends the job with its name",
  async () => {
    const broken = join(folder, "broken.csv");
    writeFileSync(broken, "1,2,3\n");
    const failed = await report(2, "--data", broken);
    expect(failed.code).toBe(1);
    expect(failed.stderr.match(/error: rank 0 of 2: .*broken.csv/g)).toHaveLength(1);
  },
);

/** The process of a rank of the job that has this argument. */
function processOf(rank: number, argument: string): number | undefined {
  const read = (id: string, file: string) => {
    try {
      return readFileSync(`/proc/${id}/${file}`, "utf8").split("\0");
    } catch {
      return [];
    }
  };
  const ids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const found = ids.find(
    (id) => read(id, "cmdline").includes(argument) && read(id, "environ").includes(`OMPI_COMM_WORLD_RANK=${rank}`),
  );
  return found === undefined ? undefined : Number(found);
}

const long = ["--density-probes", "40", "--no-relative", "--no-rounding"];

const read = (name: string) => JSON.parse(readFileSync(join(name, "report.json"), "utf8"));

let made: ReturnType<typeof numbersIn> | undefined;

/** The numbers of the long report of two ranks that nothing disturbs. */
async function undisturbed(): Promise<ReturnType<typeof numbersIn>> {
  const out = join(folder, "undisturbed");
  if (made === undefined) expect((await report(2, ...long, "--out", out)).code).toBe(0);
  made ??= numbersIn(read(out));
  return made;
}

testWith("openMpi")(
  "SIGTERM to one rank stops all of them, and --resume finishes with the numbers of an undisturbed run",
  async () => {
    const out = join(folder, "stopped");
    let sent = false;
    const onError = (text: string) => {
      if (sent || !text.includes("Empirical Fisher")) return;
      sent = true;
      process.kill(processOf(1, out)!, "SIGTERM");
    };
    const stopped = await reportOn({ ranks: 2, onError }, ...long, "--out", out);
    expect(stopped).toMatchObject({ code: 130, stderr: expect.stringContaining("error: stopped") });
    expect(stopped.stderr.match(/error: stopped by a signal to another rank after Hessian; wrote these/g)).toHaveLength(
      1,
    );
    expect([read(out).partial, Object.keys(read(out).matrices)]).toEqual([true, ["hessian"]]);
    expect((await report(2, ...long, "--out", out, "--resume")).code).toBe(0);
    expect(numbersIn(read(out))).toEqual(await undisturbed());
  },
);

testWith("openMpi")(
  "a report whose rank is killed goes on from --state, with the numbers of an undisturbed run",
  async () => {
    const [out, state] = [join(folder, "killed"), join(folder, "report.state")];
    let sent = false;
    const onError = (text: string) => {
      if (sent || !text.includes("Empirical Fisher")) return;
      sent = true;
      process.kill(processOf(1, out)!, "SIGKILL");
    };
    const kept = [...long, "--out", out, "--state", state];
    expect((await reportOn({ ranks: 2, onError }, ...kept)).code).toBe(137);
    expect([existsSync(state), existsSync(join(out, "report.json"))]).toEqual([true, false]);
    const other = await report(3, ...kept);
    expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining("stateStore expects") });
    expect(
      other.stderr.match(/error: rank 0 of 3: stateStore expects .* ranks 3, got one with .*ranks 2/g),
    ).toHaveLength(1);
    expect((await report(2, ...kept)).code).toBe(0);
    expect(numbersIn(read(out))).toEqual(await undisturbed());
    expect(existsSync(state)).toBe(false);
  },
);
