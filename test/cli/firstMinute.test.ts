import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { zipSync } from "fflate";
import { afterEach, describe, expect, test, vi } from "vitest";
import { lossChoice } from "../../src/cli/lossOption.ts";
import { emphasized } from "../../src/cli/print.ts";
import { crossEntropy, exportProduct, loadModel } from "../../src/index.ts";
import { exportedPath } from "../models/exportedModels.ts";
import { DATA, digitLines, folderOf, MODEL, run } from "./commandLine.ts";

const cheap = ["--probes", "2", "--steps", "2", "--density-probes", "1", "--eigenvalues", "1", "--no-dense"];
const least = ["--matrices", "ggn", ...cheap, "--no-rounding", "--no-relative"];
const digits = ["--data", DATA, "--scale", "16", "--rows", "0:200"];

/** An NPY file of numbers. */
function npy(data: Float32Array | Int32Array, shape: readonly number[]): Uint8Array {
  const type = data instanceof Float32Array ? "<f4" : "<i4";
  const text = `{'descr': '${type}', 'fortran_order': False, 'shape': (${shape.join(", ")},), }`;
  const header = `${text.padEnd(117)}\n`;
  const head = Uint8Array.from([0x93, ...Buffer.from("NUMPY"), 1, 0, header.length, 0, ...Buffer.from(header)]);
  return Uint8Array.from([...head, ...new Uint8Array(data.buffer)]);
}

describe("the loss", () => {
  test.each([
    ["CrossEntropyLoss", "crossEntropy"],
    ["nn.CrossEntropyLoss", "crossEntropy"],
    ["cross_entropy", "crossEntropy"],
    ["sparse_categorical_crossentropy", "crossEntropy"],
    ["MSELoss", "meanSquaredError"],
    ["mse_loss", "meanSquaredError"],
    ["BCEWithLogitsLoss", "bceWithLogits"],
    ["binary_cross_entropy_with_logits", "bceWithLogits"],
    ["PoissonNLLLoss", "poissonNll"],
    ["GaussianNLLLoss", "gaussianNll"],
  ])("%s is understood as %s", (text, name) => {
    expect(lossChoice(text).make({ reduction: "mean" }).name).toBe(name);
  });

  test("is chosen where outputs and targets leave no doubt, with the evidence, and recorded", async () => {
    const out = folderOf();
    const { code, stderr } = await run("report", MODEL, ...digits, ...least, "--out", out);
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /^Loss crossEntropy: output "logits" has 10 numbers a row .*, and the targets are class indices\n/m,
    );
    const { loss, provenance, data } = JSON.parse(readFileSync(join(out, "report.json"), "utf8"));
    expect(loss.name).toBe("crossEntropy");
    expect(provenance).toMatchObject({
      Scale: "inputs divided by 16",
      "Loss chosen": expect.stringContaining("class indices"),
    });
    expect(Object.keys(provenance)).toEqual(expect.arrayContaining(["Command", "Date", "Versions", "Label column"]));
    expect(data.warnings).toBeUndefined();
  });

  const regression = exportedPath("regression_mlp.onnx");
  const inputsOf = async () => {
    const { inputs } = await loadModel(regression);
    const size = Number(inputs[0]!.dims[1]);
    return { size, rows: (target: (row: number) => number) => tableOf(size, target) };
  };
  const tableOf = (size: number, target: (row: number) => number) =>
    Array.from({ length: 8 }, (_, row) => [...Array(size).fill(row / 8), target(row)].join(",")).join("\n");

  test("of one number a row is the squared error for fractions; 0 and 1, or counts, need a word", async () => {
    const { rows } = await inputsOf();
    const folder = folderOf({ "a.csv": rows((i) => i + 0.5), "b.csv": rows((i) => i % 2), "c.csv": rows((i) => i) });
    const report = (file: string) =>
      run("report", regression, "--data", join(folder, file), ...least, "--out", join(folder, "out"));
    expect((await report("a.csv")).stderr).toMatch(/^Loss meanSquaredError: .* targets are numbers with fractions/m);
    expect(await report("b.csv")).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /^error: expected --loss NAME, .* 0 and 1 alone: bceWithLogits takes them as classes/,
      ),
    });
    expect((await report("c.csv")).stderr).toMatch(/whole numbers: poissonNll takes them as counts/);
  });

  test("of labels that are no class indices says what the model was taken for", async () => {
    const lines = digitLines(5).map((line) => line.replace(/\d+$/, "0.5"));
    const folder = folderOf({ "half.csv": lines.join("\n") });
    const { code, stderr } = await run("report", MODEL, "--data", join(folder, "half.csv"), "--out", join(folder, "o"));
    expect(code).toBe(1);
    expect(stderr).toMatch(/expected a class label .* got 0\.5.*\(without --loss, .* was taken for a classifier/);
    expect(existsSync(join(folder, "o"))).toBe(false);
  });

  test("of probability targets needs a word", async () => {
    const x = npy(new Float32Array(4 * 64), [4, 64]);
    const folder = folderOf({
      "d.npz": zipSync({ "x.npy": x, "y.npy": npy(new Float32Array(40).fill(0.1), [4, 10]) }),
    });
    const { code, stderr } = await run("report", MODEL, "--data", join(folder, "d.npz"), "--out", join(folder, "o"));
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /numbers with fractions: crossEntropy takes them as probabilities of classes, meanSquaredError as values/,
    );
  });

  test("of an exported derivative is refused", async () => {
    const model = await loadModel(MODEL);
    const { bytes } = await exportProduct(model, { product: "gradient", loss: crossEntropy(), batchSize: 2 });
    const folder = folderOf({ "gradient.onnx": bytes });
    const inspected = await run("inspect", join(folder, "gradient.onnx"));
    expect(inspected.stdout).toMatch(/suggested loss: none \(the file is an exported derivative \(gradient\)/);
    const args = ["report", join(folder, "gradient.onnx"), "--data", DATA, "--out", join(folder, "o")];
    expect((await run(...args)).stderr).toMatch(/exported derivative .*give the model that it was made from/);
  });
});

describe("the output", () => {
  test("named probabilities beside integer labels is taken and said", async () => {
    const file = exportedPath("sklearn_mlp_classifier.onnx");
    const inspected = await run("inspect", file);
    expect(inspected.stdout).toMatch(/suggested loss: crossEntropy --output probabilities \(/);
  });
});

describe("warnings", () => {
  test("a forgotten scale and a wrong label column are said before the curvature, and in the report", async () => {
    const out = folderOf();
    const { code, stderr, stdout } = await run(
      "report",
      MODEL,
      "--data",
      DATA,
      "--rows",
      "0:200",
      ...least,
      "--out",
      out,
    );
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /^warning: inputs range from 0 to 16.* divided by 16: was the model trained on .* units \(--scale\)\?$/m,
    );
    expect(stderr.indexOf("warning")).toBeLessThan(stderr.indexOf("Gauss-Newton"));
    expect(stdout).toMatch(/caution: The data may not be those of the training/);
    // Column 0 is a pixel that is always 0, so that one class of ten fits as well as guessing or worse.
    const label = await run("report", MODEL, ...digits, "--label", "0", ...least, "--out", out);
    expect(label.stderr).toMatch(
      /warning: the accuracy is .* guessing \(10 %\): is the column of labels the right one \(--label\)/,
    );
  });
});

describe("comparison", () => {
  test("of two models on the same data has a report for each, a page and a verdict", async () => {
    const out = folderOf();
    const options = ["--matrices", "hessian,ggn", ...cheap, "--no-rounding"];
    const { code, stdout, stderr } = await run("report", MODEL, MODEL, ...digits, ...options, "--out", out);
    expect(code).toBe(0);
    for (const file of ["digits_mlp/report.html", "digits_mlp-2/report.json", "comparison.html"])
      expect(existsSync(join(out, file)), file).toBe(true);
    expect(stdout).toMatch(/^ +digits_mlp +digits_mlp-2$/m);
    expect(stdout).toMatch(/About equally flat/);
    expect(stdout).toMatch(/^largest eigenvalue +(\S+) +\1$/m);
    expect(stderr).toMatch(/comparison\.html, and a report beside it for each of digits_mlp, digits_mlp-2/);
    expect(readFileSync(join(out, "comparison.html"), "utf8")).toContain('href="digits_mlp/report.html"');
  });
});

describe("help and colours", () => {
  afterEach(() => vi.unstubAllEnvs());

  test("no arguments show the help, with 2", async () => {
    const { code, stdout, stderr } = await run();
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^Usage: onnx-curvature/);
  });

  test("options stand in groups, with required ones marked, within 80 columns", async () => {
    const { stdout } = await run("help", "export");
    for (const group of ["Derivative:", "Model:", "Written file:", "Output:"])
      expect(stdout).toMatch(new RegExp(`^${group}`, "m"));
    expect(stdout).toMatch(/which derivative; required/);
    expect((await run("help", "report")).stdout).toMatch(/^Contents and cost:/m);
  });

  test("colour only words of warning, on terminals, unless NO_COLOR or FORCE_COLOR say otherwise", () => {
    const terminal = { isTTY: true, hasColors: () => true } as unknown as NodeJS.WriteStream;
    const pipe = { isTTY: false } as NodeJS.WriteStream;
    const red = "\u001b[31merror:\u001b[39m no error: here";
    vi.stubEnv("NO_COLOR", "");
    vi.stubEnv("FORCE_COLOR", undefined);
    expect(emphasized("error: no error: here", terminal)).toBe(red);
    expect(emphasized("error: no error: here", pipe)).toBe("error: no error: here");
    vi.stubEnv("FORCE_COLOR", "1");
    expect(emphasized("error: no error: here", pipe)).toBe(red);
    vi.stubEnv("NO_COLOR", "1");
    expect(emphasized("error: no error: here", terminal)).toBe("error: no error: here");
  });
});
