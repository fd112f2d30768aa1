import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { folderOf, run } from "../cli/commandLine.ts";

const folder = "test/cases/hostile";

/** A small report; the limit is one that a machine of 8 GB would set itself. */
function report(model: string, data = "ok.csv") {
  const out = join(folderOf(), "report");
  const few = ["--matrices", "hessian", "--probes", "2", "--steps", "2", "--density-probes", "1", "--eigenvalues", "1"];
  const given = [join(folder, model), "--data", join(folder, data), "--loss", "crossEntropy"];
  return run("report", ...given, ...few, "--no-dense", "--memory-limit", "2GB", "--out", out);
}

/** Files that would take hours, gigabytes or another file's numbers, and what is said of them instead. */
const refused: Readonly<Record<string, RegExp>> = {
  "fn_exp40.onnx": /is a function that stands for 1099511627776 nodes with all that it calls/,
  "loopnest10_9999.onnx": /nodes in all its rounds, with the loops within, more than the 100000 that are computed/,
  "convt_out.onnx": /ConvTranspose "big".* needs 4.3 GB at once, more than the memory limit of 2 GB/,
  "convdil.onnx": /ConvTranspose "big".* needs 4.3 GB at once/,
  "dft28.onnx": /DFT "big".* needs 73 GB at once/,
  "doubleconst.onnx": /Concat "c26".* needs 2.15 GB at once/,
  "einsum_many.onnx": /Einsum "big".* needs 68.7 GB at once/,
  "eye_16GB.onnx": /EyeLike "e".* needs 2.15 GB at once/,
  "gridsample.onnx": /GridSample "big".* needs 4.43 GB at once/,
  "maxunpool.onnx": /MaxUnpool "big".* needs 4.29 GB at once/,
  "cnn12.onnx": /rows have shape \[4\] \(4 numbers\), but the model's input "x" takes \[28, 28\]/,
  "nograpout.onnx": /declares no outputs; name a value of its graph as output/,
};

describe("hostile files end in one line, before anything large is allocated", () => {
  test.each(Object.entries(refused))("%s", async (file, message) => {
    const { code, stderr } = await report(file);
    expect(code).toBe(1);
    const errors = stderr.split("\n").filter((line) => line.startsWith("error:"));
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatch(message);
  });
});

test("a flipped bit in compressed data is refused, and so is an array of an unknown type", async () => {
  const good = await report("iname0.onnx");
  expect(good.code).toBe(0);
  for (const [data, message] of [
    ["flipped.csv.gz", /expected a complete gzip file, got one that is truncated or damaged/],
    ["npyd_constructor.npy", /constructor/],
  ] as const) {
    const { code, stderr } = await report("iname0.onnx", data);
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain("TypeError");
  }
});

test("names of inputs may be members of objects, and escape sequences are shown, not sent", async () => {
  const inspected = await run("inspect", join(folder, "ansi.onnx"));
  expect(inspected.code).toBe(0);
  expect(inspected.stdout).toContain("\\x1b[31mred");
  expect(inspected.stdout).not.toContain("\u001b");
  expect(readFileSync(join(folder, "ansi.onnx")).includes("\u001b[31m")).toBe(true);
});
