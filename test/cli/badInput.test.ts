import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { tinyModel } from "../models/tinyModel.ts";
import { DATA, digitLines, folderOf, MODEL, run } from "./commandLine.ts";

const lines = digitLines(12);
const changed = (row: number, change: (line: string) => string) =>
  lines.map((line, i) => (i === row ? change(line) : line)).join("\n");
const unsupported = tinyModel({
  nodes: [
    { op: "MatMul", inputs: ["x", "w"], outputs: ["h"] },
    { op: "Hardmax", inputs: ["h"], outputs: ["y"], name: "choice" },
  ],
  weights: {
    w: [
      [1, 2, 3, 4, 5, 6],
      [2, 3],
    ],
  },
});
const folder = folderOf({
  "truncated.onnx": readFileSync(MODEL).subarray(0, 3000),
  "text.onnx": "this is no model\n",
  "unsupported.onnx": unsupported,
  "two.csv": "1,2,0\n3,4,1\n",
  "label.csv": changed(2, (line) => line.replace(/\d+$/, "17")),
  "nan.csv": changed(3, (line) => line.replace(/^[^,]*/, "nan")),
  "columns.csv": lines.map((line) => line.replace(/^[^,]*,/, "")).join("\n"),
  "good.csv": lines.join("\n"),
});
const path = (name: string) => join(folder, name);
const out = path("report");
const report = (model: string, data: string, ...rest: string[]) =>
  run("report", model, "--data", data, "--loss", "crossEntropy", "--out", out, ...rest);

/** One line that says what is wrong, nothing on standard output, no trace. */
function expectOneLine(
  { code, stdout, stderr }: Awaited<ReturnType<typeof run>>,
  expected: { code: number; message: RegExp },
) {
  expect(stderr).toMatch(expected.message);
  expect(stderr).toMatch(/^error: [^\n]+\n$/);
  expect(stderr).not.toMatch(/\bat .*:\d+:\d+/);
  expect(stdout).toBe("");
  expect(code).toBe(expected.code);
}

describe("fails with 1 and one line on", () => {
  const failures: readonly (readonly [what: string, start: () => ReturnType<typeof run>, message: RegExp])[] = [
    ["a truncated model", () => report(path("truncated.onnx"), DATA), /truncated\.onnx: .*truncated or damaged/],
    [
      "a text file as model",
      () => report(path("text.onnx"), DATA),
      /text\.onnx: expected an ONNX model, but this is text/,
    ],
    ["a missing model", () => report(path("none.onnx"), DATA), /none\.onnx: no such file/],
    ["an unsupported operator", () => report(path("unsupported.onnx"), path("two.csv")), /Hardmax/],
    ["a label out of range", () => report(MODEL, path("label.csv")), /label at row 2 is 17, expected 0 to 9/],
    ["NaN in the data", () => report(MODEL, path("nan.csv")), /nan\.csv: line 4 .*column 0.*got nan/],
    ["a wrong number of columns", () => report(MODEL, path("columns.csv")), /columns\.csv: .*\[63\].*\[64\]/],
    ["a missing data file", () => report(MODEL, path("none.csv")), /none\.csv: there is no such file/],
    ["rows beyond the data", () => report(MODEL, path("good.csv"), "--rows", "5:500"), /rows A:B.*5:500/],
    [
      "weights that are not there",
      () => report(MODEL, path("good.csv"), "--parameters", "x*"),
      /no parameter matches x\*/,
    ],
    ["an output that is not there", () => report(MODEL, path("good.csv"), "--output", "y"), /no output "y"/],
    ["a model that cannot be inspected", () => run("inspect", path("text.onnx")), /expected an ONNX model/],
    [
      "a row shape of an input that is not there",
      () =>
        run(
          "export",
          MODEL,
          "--product",
          "hvp",
          "--loss",
          "ce",
          "--batch-size",
          "2",
          "--row-shape",
          "z=3",
          "--out",
          path("o.onnx"),
        ),
      /no input "z" to give a row shape/,
    ],
    [
      "a folder in the place of the file to write in a folder",
      () => {
        mkdirSync(join(folder, "full", "derivative.onnx"), { recursive: true });
        const out = join(folder, "full");
        return run("export", MODEL, "--product", "hvp", "--loss", "ce", "--batch-size", "2", "--out", out);
      },
      /it is a folder; choose another --out/,
    ],
  ];
  test.each(failures)("%s", async (_, start, message) => expectOneLine(await start(), { code: 1, message }));

  test("a folder that cannot be written, before anything is computed", async () => {
    const failed = await run(
      "report",
      MODEL,
      "--data",
      path("good.csv"),
      "--loss",
      "ce",
      "--out",
      path("good.csv/deep/er"),
    );
    expectOneLine(failed, {
      code: 1,
      message: /cannot write into folder .*a part of its path is a file; choose another --out/,
    });
    mkdirSync(path("taken/report.html"), { recursive: true });
    const blocked = await run("report", MODEL, "--data", path("good.csv"), "--loss", "ce", "--out", path("taken"));
    expectOneLine(blocked, { code: 1, message: /report\.html: it is a folder/ });
    expect(existsSync(path("taken/report.json"))).toBe(false);
  });
});

describe("refuses with 2 and one line", () => {
  const usage: readonly (readonly [what: string, args: readonly string[], message: RegExp])[] = [
    [
      "--batch-size 0",
      ["--batch-size", "0"],
      /--batch-size <n>' argument '0' is invalid\. Expected a whole number of at least 1/,
    ],
    ["an unknown loss", ["--loss", "hinge"], /'hinge' is invalid\. Expected one of bceWithLogits, crossEntropy/],
    ["an unknown option", ["--lss", "ce"], /unknown option '--lss' \(Did you mean --loss\?\)/],
    ["an unknown approximation", ["--structured", "kfac,foof"], /Expected names among kfac, ekfac.*got "foof"/],
    ["an unknown matrix", ["--matrices", "hessian,fim"], /Expected names among hessian, ggn.*got "fim"/],
    ["rows that are no range", ["--rows", "9:3"], /Expected A:B with A < B/],
    ["an unknown precision", ["--dtype", "float16"], /Allowed choices are float32, float64/],
    ["a scale of zero", ["--scale", "0"], /Expected a positive number/],
    ["one probe", ["--probes", "1"], /Expected a whole number of at least 2/],
    ["both targets and label", ["--targets", "y.npy", "--label", "3"], /either --targets or --label, got both/],
    ["data and inputs", ["--input", "x=a.npy"], /either --data FILE or --input NAME=FILE.*got both/],
    ["three outputs", ["--output", "a", "--output", "b", "--output", "c"], /at most two --output, got 3/],
    ["a broken pattern", ["--parameters", "/(/"], /Expected a regular expression between the slashes/],
  ];
  test.each(usage)("%s", async (_, args, message) =>
    expectOneLine(await report(MODEL, path("good.csv"), ...args), { code: 2, message }),
  );

  test("inputs without targets, no data, no loss, no model, no command, an unknown command", async () => {
    const refused = async (message: RegExp, ...args: string[]) =>
      expectOneLine(await run(...args), { code: 2, message });
    await refused(/expected --targets FILE beside --input/, "report", MODEL, "--input", "x=a.npy", "--loss", "ce");
    await refused(/Expected NAME=FILE/, "report", MODEL, "--input", "a.npy", "--loss", "ce");
    await refused(/"x" is given twice/, "report", MODEL, "--input", "x=a", "--input", "x=b", "--loss", "ce");
    await refused(/either --data FILE or --input.*got neither/, "report", MODEL, "--loss", "ce");
    await refused(/required option '--loss <name>' not specified/, "export", MODEL, "--product", "hvp");
    await refused(/missing required argument 'model'/, "inspect");
    await refused(
      /expected a command \(inspect, report, uncertainty, influence, prune, quantize, landscape, tune, merge, compare or export\), got "frobnicate"; see --help/,
      "frobnicate",
      MODEL,
    );
    await refused(/got "reprot"; did you mean report\?/, "reprot", MODEL);
    const start = ["export", MODEL, "--loss", "ce", "--batch-size", "2", "--out", path("x.onnx")];
    await refused(/Allowed choices are gradient, hvp, ggnvp, jvp, vjp/, ...start, "--product", "hessian");
    await refused(/Expected NAME=SIZES/, ...start, "--product", "hvp", "--row-shape", "x=0");
  });
});

test("--debug shows where an error happened, with its causes", async () => {
  const { code, stderr } = await report(path("none.onnx"), DATA, "--debug");
  expect(code).toBe(1);
  expect(stderr).toMatch(/^error: .*none\.onnx: no such file/);
  expect(stderr).toMatch(/\n {4}at .*readModel/);
  expect(stderr).toMatch(/caused by:\nError: ENOENT/);
});
