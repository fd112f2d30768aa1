import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { arrays, crossEntropy, empiricalRisk, loadModel, saveModel } from "../../src/index.ts";
import { DATA, digitLines, folderOf, MODEL, run } from "./commandLine.ts";

const common = ["--data", DATA, "--scale", "16", "--loss", "crossEntropy"];

/** The first rows of the digits as a data set. */
function firstRows(count: number) {
  const table = digitLines(count).map((line) => line.split(",").map(Number));
  return arrays({
    inputs: { data: Float32Array.from(table.flatMap((row) => row.slice(0, 64).map((x) => x / 16))), dims: [count, 64] },
    targets: { data: Int32Array.from(table, (row) => row[64]!), dims: [count] },
  });
}

/** A file of the digits network with other weights. */
async function otherFile(folder: string, factor: number): Promise<string> {
  const model = await loadModel(MODEL);
  const theta = Float32Array.from(
    model.parameters.flatMap(({ data }) => [...data]),
    (x) => factor * x,
  );
  const path = join(folder, `factor${factor}.onnx`);
  await saveModel(model, theta, path);
  return path;
}

test("tune lowers the loss and writes a file that has it", async () => {
  const folder = folderOf();
  const start = await otherFile(folder, 0.5);
  const out = join(folder, "tuned.onnx");
  const args = [
    "tune",
    start,
    ...common,
    "--rows",
    ":300",
    "--steps",
    "4",
    "--weight-decay",
    "1e-4",
    "--out",
    out,
    "--json",
  ];
  const { code, stdout, stderr } = await run(...args);
  expect(code).toBe(0);
  expect(stderr).toContain(`Wrote ${out}`);
  const result = JSON.parse(stdout);
  expect(result.loss).toBeLessThan(0.5 * result.lossBefore);
  expect(result.steps).toHaveLength(4);
  const risk = await empiricalRisk({ model: await loadModel(out), loss: crossEntropy(), data: firstRows(300) });
  expect(await risk.loss()).toBeCloseTo(result.loss, 5);
  await risk.dispose();
});

test.each(["hessian-free", "natural-gradient", "levenberg-marquardt", "gradient-descent", "adam"])(
  "tune --method %s, with validation rows, frozen weights, and a state that is gone at the end",
  async (method) => {
    const folder = folderOf({ "validation.csv": digitLines(40).join("\n") });
    const [start, out, state] = [await otherFile(folder, 0.7), join(folder, "tuned.onnx"), join(folder, "state")];
    const { code, stdout } = await run(
      ...["tune", start, ...common, "--rows", ":200", "--steps", "3", "--method", method, "--freeze", "0.*"],
      ...["--validation", join(folder, "validation.csv"), "--state", state, "--out", out],
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/before: loss [\d.]+, accuracy [\d.]+ %/);
    expect(existsSync(state)).toBe(false);
    const [before, after] = [await loadModel(start), await loadModel(out)];
    expect(after.parameters[0]!.data).toEqual(before.parameters[0]!.data);
    expect(after.parameters[2]!.data).not.toEqual(before.parameters[2]!.data);
  },
);

test("landscape draws a plane and a line, with numbers", async () => {
  const folder = folderOf();
  const out = join(folder, "landscape.html");
  const plane = await run("landscape", MODEL, ...common, "--rows", ":200", "--points", "5", "--out", out);
  expect(plane.code).toBe(0);
  expect(plane.stdout).toContain("eigenvector 1: length 1.000, slope");
  const page = readFileSync(out, "utf8");
  expect(page.match(/<svg/g)).toHaveLength(4);
  expect(page).not.toMatch(/<script|https?:\/\/(?!www\.w3\.org)/);
  const other = await otherFile(folder, 0.5);
  const line = await run(
    ...["landscape", MODEL, ...common, "--rows", ":200", "--points", "3", "--line", "--directions", "checkpoint"],
    ...["--to", other, "--accuracy", "--out", out, "--json"],
  );
  const { values, axes, loss } = JSON.parse(line.stdout);
  expect(values).toHaveLength(3);
  expect(values[1][0]).toBeCloseTo(loss, 6);
  expect(axes[0].name).toBe("to the other checkpoint");
  const risk = await empiricalRisk({ model: await loadModel(other), loss: crossEntropy(), data: firstRows(200) });
  expect(values[2][0]).toBeCloseTo(await risk.loss(), 4);
  await risk.dispose();
});

test("merge writes the weights between two models, and compare tells them apart", async () => {
  const folder = folderOf();
  const [a, b, out] = [await otherFile(folder, 0.9), await otherFile(folder, 1.1), join(folder, "merged.onnx")];
  const merged = await run("merge", a, b, ...common, "--rows", ":200", "--method", "average", "--out", out);
  expect(merged.code).toBe(0);
  expect(merged.stdout).toContain("loss on the rows of");
  const [original, mean] = [await loadModel(MODEL), await loadModel(out)];
  original.parameters.forEach(({ data }, i) => {
    for (const [k, entry] of data.entries()) expect(mean.parameters[i]!.data[k]).toBeCloseTo(entry, 5);
  });
  const weighted = await run("merge", a, b, ...common, "--rows", ":200", "--out", out, "--json");
  expect(JSON.parse(weighted.stdout)).toMatchObject({ file: out, damping: 1e-3 });
  const byFactors = await run(
    "merge",
    a,
    b,
    ...common,
    "--rows",
    ":200",
    "--curvature",
    "kfac",
    "--out",
    out,
    "--json",
  );
  expect(JSON.parse(byFactors.stdout)).toMatchObject({ file: out, damping: 1e-3, status: "converged" });
  expect(JSON.parse(byFactors.stdout).tasks).not.toEqual(JSON.parse(weighted.stdout).tasks);
  const compared = await run(
    "compare",
    a,
    b,
    ...common,
    "--rows",
    ":200",
    "--probes",
    "10",
    "--json",
    "--out",
    join(folder, "page.html"),
  );
  const page = readFileSync(join(folder, "page.html"), "utf8");
  for (const title of ["Trace of the Hessian", "Adaptive sharpness"]) expect(page).toContain(title);
  const rows = JSON.parse(compared.stdout);
  expect(rows.map(({ file }: { readonly file: string }) => file)).toEqual([a, b]);
  for (const row of rows) expect(row.stableLearningRate * row.largestEigenvalue.value).toBeCloseTo(2, 5);
  expect((await run("compare", a, ...common, "--rows", ":100", "--probes", "5")).stdout).toContain("stable rate");
});

test("bad input gets one line", async () => {
  const cases: readonly (readonly [readonly string[], string])[] = [
    [["merge", MODEL, ...common], "error: expected two models or more, got 1"],
    [
      ["merge", MODEL, MODEL, ...common, "--method", "average", "--curvature", "kfac"],
      "error: expected --curvature with --method matrix; an average takes no matrix",
    ],
    [
      ["merge", MODEL, MODEL, ...common, "--task-data", DATA],
      "error: expected --task-data once for each of 2 models, got 1",
    ],
    [
      ["landscape", MODEL, ...common, "--directions", "checkpoint"],
      "error: expected --directions checkpoint together with --to FILE",
    ],
    [["compare", MODEL, "none.onnx", ...common], "error: none.onnx: no such file; check the path of the model."],
    [["tune", MODEL, ...common, "--freeze", "nothing"], "finds no parameter to freeze that matches nothing"],
    [["tune", MODEL, "--loss", "crossEntropy"], "required option '--data <file>' not specified"],
  ];
  for (const [args, message] of cases) {
    const folder = folderOf();
    const out = args[0] === "compare" ? [] : ["--out", join(folder, "out")];
    const { code, stderr } = await run(...args, ...out);
    expect(code).toBeGreaterThan(0);
    expect(stderr).toContain(message);
    expect(stderr.trim()).not.toContain("\n");
  }
});
