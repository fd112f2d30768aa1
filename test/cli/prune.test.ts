import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { arrays, crossEntropy, empiricalRisk, type FileModel, loadModel } from "../../src/index.ts";
import { DATA, digitLines, folderOf, MODEL, run } from "./commandLine.ts";

const common = ["--data", DATA, "--scale", "16", "--loss", "crossEntropy", "--rows", ":200"];

/** The loss of a model on the first rows of the digits. */
async function lossOf(model: FileModel, count = 200): Promise<number> {
  const table = digitLines(count).map((line) => line.split(",").map(Number));
  const data = arrays({
    inputs: { data: Float32Array.from(table.flatMap((row) => row.slice(0, 64).map((x) => x / 16))), dims: [count, 64] },
    targets: { data: Int32Array.from(table, (row) => row[64]!), dims: [count] },
  });
  const risk = await empiricalRisk({ model, loss: crossEntropy(), data });
  try {
    return await risk.loss();
  } finally {
    await risk.dispose();
  }
}

test("prune writes a report and a model with the stated loss and zeros, the rest byte for byte", async () => {
  const folder = folderOf({ "test.csv": digitLines(60).join("\n") });
  const [out, state] = [join(folder, "out"), join(folder, "state")];
  const args = ["prune", MODEL, ...common, "--sparsity", "0.3,0.6", "--test", join(folder, "test.csv")];
  const { code, stdout, stderr } = await run(
    ...args,
    ...["--method", "magnitude,kfac,woodfisher", "--damping", "0.01", "--state", state, "--out", out, "--json"],
  );
  expect(stderr).toContain(`Wrote ${join(out, "report.html")} and ${join(out, "pruned.onnx")}`);
  expect(code).toBe(0);
  expect(existsSync(state)).toBe(false);
  const { curves, written, candidates } = JSON.parse(stdout);
  expect(candidates).toBe(1184);
  expect(curves.map(({ method }: { readonly method: string }) => method)).toEqual(["magnitude", "kfac", "woodFisher"]);
  for (const { points } of curves) {
    expect(points.map(({ removed }: { readonly removed: number }) => removed)).toEqual([355, 710]);
    expect(points[1].loss).toBeGreaterThan(points[0].loss);
    expect(points[1]).not.toHaveProperty("theta");
  }
  expect(written).toMatchObject({ method: "kfac", file: join(out, "pruned.onnx") });
  const model = await loadModel(join(out, "pruned.onnx"));
  const weights = model.parameters.filter(({ dims }) => dims.length > 1).flatMap(({ data }) => [...data]);
  expect(weights.filter((w) => w === 0)).toHaveLength(710);
  expect(await lossOf(model)).toBeCloseTo(written.loss, 5);
  // Only the numbers of the four tensors have changed.
  const [before, after] = [readFileSync(MODEL), readFileSync(join(out, "pruned.onnx"))];
  expect(after.length).toBe(before.length);
  const changed = before.reduce((sum, byte, i) => sum + Number(byte !== after[i]), 0);
  expect(changed).toBeGreaterThan(0);
  expect(changed).toBeLessThanOrEqual(4 * 1210);
  const page = readFileSync(join(out, "report.html"), "utf8");
  expect(page.match(/<svg/g)).toHaveLength(4);
  expect(page).toContain("WoodFisher");
  expect(page).not.toMatch(/<script|https?:\/\/(?!www\.w3\.org)/);
});

test("prune prints a table, by patterns and by rows", async () => {
  const out = join(folderOf(), "out");
  const pattern = await run("prune", MODEL, ...common, "--pattern", "2:4", "--method", "magnitude", "--out", out);
  expect(pattern.code).toBe(0);
  expect(pattern.stdout).toMatch(/the whole network +0\.00 %/);
  expect(pattern.stdout).toMatch(/magnitude +50\.00 %/);
  expect(pattern.stdout).toMatch(/written: magnitude at 50\.00 %, loss [\d.]+/);
  const rows = await run(
    ...["prune", MODEL, ...common, "--units", "rows", "--tensors", "0.weight", "--sparsity", "0.25"],
    ...["--method", "woodfisher", "--out", out],
  );
  expect(rows.stdout).toMatch(/WoodFisher +25\.00 %/);
});

test("prune takes hidden units out of the file", async () => {
  const out = join(folderOf(), "out");
  const { code, stdout } = await run(
    ...["prune", MODEL, ...common, "--units", "channels", "--sparsity", "0.25", "--method", "woodfisher", "--out", out],
  );
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /0\.weight: 4 of 16 units taken out\n2\.weight: all units stay, since its units are an output/,
  );
  const model = await loadModel(join(out, "pruned.onnx"));
  expect(model.parameters.map(({ dims }) => dims)).toEqual([[12, 64], [12], [10, 12], [10]]);
  expect(await lossOf(model)).toBeCloseTo(Number(/written: .* loss ([\d.e+-]+)/.exec(stdout)![1]), 3);
});

test("bad input gets one line", async () => {
  const cases: readonly (readonly [readonly string[], string])[] = [
    [["--sparsity", "1.5"], 'Expected shares from 0 to 1 separated by commas, such as 0.5,0.9; got "1.5".'],
    [
      ["--method", "best"],
      "Expected names among magnitude, first-order, obd, obs, sequential, kfac, ekfac, woodfisher",
    ],
    [["--sparsity", "0.5", "--pattern", "2:4"], "error: expected --sparsity or --pattern, got both"],
    [["--pattern", "4:2"], 'pattern as "N:M"'],
    [["--tensors", "conv"], "finds no parameter to prune that matches conv"],
    [["--test", "nowhere.csv"], "nowhere.csv"],
  ];
  for (const [args, message] of cases) {
    const { code, stderr } = await run("prune", MODEL, ...common, ...args, "--out", join(folderOf(), "out"));
    expect(code).toBeGreaterThan(0);
    expect(stderr.trim().split("\n").at(-1)).toContain(message);
  }
});
