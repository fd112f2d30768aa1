import { copyFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { zipSync } from "fflate";
import { expect, test } from "vitest";
import { applicationFile } from "../applications/digits.ts";
import { float32Npy } from "../data/arrayBytes.ts";
import { DATA, digitLines, folderOf, MODEL, run } from "./commandLine.ts";

const common = ["--scale", "16", "--loss", "crossEntropy"];

/** The rows of the table that are not among the training rows. */
function heldOut(): string {
  const all = gunzipSync(readFileSync(applicationFile("digits.csv.gz")))
    .toString()
    .trim()
    .split("\n");
  const trained = new Set(digitLines(1437));
  return `${all.filter((line) => !trained.has(line)).join("\n")}\n`;
}

/** Rows whose pixels are in another order: no digits. */
function shuffled(count: number): string {
  const lines = digitLines(count).map((line) => {
    const cells = line.split(",").slice(0, 64);
    return Array.from(cells, (_, k) => cells[(k * 37 + 11) % 64]).join(",");
  });
  return `${lines.join("\n")}\n`;
}

test("uncertainty: evidence's prior is the worse one on digits, and the report says so", async () => {
  const folder = folderOf({ "test.csv": heldOut(), "ood.csv": shuffled(60) });
  const [out, csv, save] = ["page.html", "predictions.csv", "posterior.safetensors"].map((name) => join(folder, name));
  const { code, stdout, stderr } = await run(
    ...["uncertainty", MODEL, "--data", DATA, ...common, "--subset", "last-layer", "--test", join(folder, "test.csv")],
    ...["--ood", join(folder, "ood.csv"), "--predict", join(folder, "ood.csv"), "--out", out!, "--csv", csv!],
    ...["--save", save!, "--json"],
  );
  expect(stderr).toContain(`Wrote ${out}`);
  expect(code).toBe(0);
  const report = JSON.parse(stdout);
  // digits_laplace.json has the same in float64: 0.531 and a loss of 0.135 against 0.092 without a posterior.
  expect(report.priorPrecision).toBeCloseTo(0.531, 2);
  const { before, after } = report.calibration;
  expect(after.negativeLogLikelihood.value).toBeCloseTo(0.1348, 3);
  expect(after.negativeLogLikelihood.value).toBeGreaterThan(before.negativeLogLikelihood.value);
  expect(report.bestOnTest.validationLoss).toBeLessThan(after.negativeLogLikelihood.value);
  expect(after.outOfDistribution).toBeGreaterThan(0.8);
  expect(report.warnings.join()).toContain("the prior precision that the evidence chose predicts worse than another");
  const page = readFileSync(out!, "utf8");
  if (process.env.KEEP) copyFileSync(out!, process.env.KEEP);
  expect(page.match(/<svg/g)).toHaveLength(4);
  expect(page).not.toMatch(/<script|https?:\/\/(?!www\.w3\.org)/);
  expect(page).toContain("the evidence is no test score");
  const lines = readFileSync(csv!, "utf8").trim().split("\n");
  expect(lines).toHaveLength(61);
  expect(lines[0]).toContain("row,class,probability,class_without,probability_without,p_0");
  const cells = lines[1]!.split(",").map(Number);
  expect(cells.slice(5, 15).reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5);

  // Later, from the saved posterior and the rows alone.
  const again = join(folder, "again.csv");
  const later = await run(
    ...["uncertainty", MODEL, "--from", save!, ...common, "--predict", join(folder, "ood.csv"), "--csv", again],
  );
  expect(later.code).toBe(0);
  expect(readFileSync(again, "utf8")).toBe(readFileSync(csv!, "utf8"));
});

/** Rows of the regression as an NPZ file. */
function regressionRows(from: number, to: number): Uint8Array {
  const [, ...lines] = readFileSync(applicationFile("regression_train.csv"), "utf8").trim().split("\n");
  const rows = lines.slice(from, to).map((line) => line.split(",").map(Number));
  const part = (start: number) => rows.flatMap((row) => row.slice(start, start + 2));
  return zipSync({ "x.npy": float32Npy([rows.length, 2], part(0)), "y.npy": float32Npy([rows.length, 2], part(2)) });
}

test("uncertainty of a regression: intervals, one precision a tensor, and a state that is gone at the end", async () => {
  const all = regressionRows(0, 60);
  const folder = folderOf({ "train.npz": all, "held.npz": regressionRows(40, 60) });
  const at = (name: string) => join(folder, name);
  const args = [
    ...["uncertainty", applicationFile("regression_mlp.onnx"), "--data", at("train.npz"), "--loss", "mse"],
    ...["--dtype", "float64", "--structure", "diagonal", "--by", "tensor", "--out", at("page.html")],
    ...["--csv", at("predictions.csv"), "--state", at("state"), "--test", at("held.npz")],
  ];
  // The first run fails after the fit, for want of the rows to predict; the second goes on from the state.
  const failed = await run(...args, "--predict", at("missing.npz"));
  expect(failed.stderr).toContain("missing.npz");
  expect(existsSync(at("state"))).toBe(true);
  const { code, stdout } = await run(...args, "--predict", at("missing.npz").replace("missing", "held"));
  expect(failed.code).toBeGreaterThan(0);
  // Another --predict is another command, whose state is refused.
  expect(code).toBeGreaterThan(0);
  expect(stdout).toBe("");
  copyFileSync(at("held.npz"), at("missing.npz"));
  const again = await run(...args, "--predict", at("missing.npz"));
  expect(again.code).toBe(0);
  expect(existsSync(at("state"))).toBe(false);
  expect(existsSync(at("state.posterior"))).toBe(false);
  expect(again.stdout).toMatch(/prior precision 0\.weight [\d.]+, 0\.bias [\d.]+/);
  expect(again.stdout).toMatch(/95 % covers [\d.]+ %/);
  expect(readFileSync(at("page.html"), "utf8")).toContain("Coverage of intervals");
  const [heads, ...lines] = readFileSync(at("predictions.csv"), "utf8").trim().split("\n");
  expect(heads).toBe("row,mean_0,lower_0,upper_0,sd_0,sd_of_mean_0,mean_1,lower_1,upper_1,sd_1,sd_of_mean_1");
  expect(lines).toHaveLength(19);
  for (const line of lines) {
    const [, mean, lower, upper, sd, sdOfMean] = line.split(",").map(Number);
    expect(upper! - mean!).toBeCloseTo(1.96 * sd!, 3);
    expect(mean! - lower!).toBeCloseTo(upper! - mean!, 5);
    expect(sdOfMean).toBeLessThan(sd!);
  }
});

test("bad input gets one line", async () => {
  const cases: readonly (readonly [readonly string[], string])[] = [
    [["--loss", "mse"], "error: expected either --data FILE, to make a posterior, or --from FILE, to use a saved one"],
    [["--data", DATA, ...common, "--prior", "validation"], "error: --prior validation needs rows with labels"],
    [["--data", DATA, ...common, "--prior", "-1"], "Expected evidence, validation or a positive number."],
    [["--data", DATA, ...common, "--subset", "some"], "Expected all, last-layer or largest:N."],
    [["--from", DATA, ...common], "error: expected --predict FILE or --test FILE together with --from"],
    [["--from", DATA, ...common, "--predict", DATA], "expects a complete matrix that saveStructured wrote"],
    [
      ["--data", DATA, ...common, "--rows", ":50", "--predict", applicationFile("regression_test.csv")],
      "regression_test.csv",
    ],
    [
      ["--data", DATA, ...common, "--rows", ":50", "--link", "moments"],
      "predict expects link for the categorical likelihood",
    ],
  ];
  for (const [args, message] of cases) {
    const folder = folderOf();
    const { code, stderr } = await run(
      "uncertainty",
      MODEL,
      ...args,
      "--out",
      join(folder, "out.html"),
      "--csv",
      join(folder, "p.csv"),
    );
    expect(code).toBeGreaterThan(0);
    expect(stderr).toContain(message);
  }
});
