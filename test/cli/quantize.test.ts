import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { DATA, digitLines, folderOf, MODEL, run } from "./commandLine.ts";

const common = ["--data", DATA, "--scale", "16", "--loss", "crossEntropy"];

/** Loss and accuracy of a file on the first rows of the digits, by ONNX Runtime and a few lines of arithmetic. */
async function measured(path: string, count: number): Promise<{ readonly loss: number; readonly accuracy: number }> {
  const table = digitLines(count).map((line) => line.split(",").map(Number));
  const session = await InferenceSession.create(path, { logSeverityLevel: 4 });
  const x = Float32Array.from(table.flatMap((row) => row.slice(0, 64).map((pixel) => pixel / 16)));
  const outputs = await session.run({ [session.inputNames[0]!]: new Tensor("float32", x, [count, 64]) });
  const logits = outputs[session.outputNames[0]!]!.data as Float32Array;
  let [loss, right] = [0, 0];
  table.forEach((row, i) => {
    const own = Array.from(logits.subarray(10 * i, 10 * i + 10));
    const top = Math.max(...own);
    loss += top + Math.log(own.reduce((sum, f) => sum + Math.exp(f - top), 0)) - own[row[64]!]!;
    if (own.indexOf(top) === row[64]) right++;
  });
  await session.release();
  return { loss: loss / count, accuracy: right / count };
}

describe("quantize", () => {
  test("writes a plan, a file that has the loss stated, and a report", async () => {
    const folder = folderOf({ "test.csv": digitLines(200).join("\n") });
    const out = join(folder, "quantized");
    const { code, stdout, stderr } = await run(
      ...["quantize", MODEL, ...common, "--rows", ":300", "--budget", "3.5", "--per-channel", "--compensate"],
      ...["--test", join(folder, "test.csv"), "--out", out, "--json"],
    );
    expect(stderr).toContain(`Wrote ${join(out, "plan.json")}`);
    expect(code).toBe(0);
    const plan = JSON.parse(stdout);
    expect(JSON.parse(readFileSync(join(out, "plan.json"), "utf8"))).toEqual(plan);
    const found = await measured(join(out, "quantized.onnx"), 300);
    expect(Math.abs(found.loss - plan.planned.loss)).toBeLessThan(1e-6);
    expect(Math.abs(found.loss - plan.file.rows.loss)).toBeLessThan(1e-6);
    expect(found.accuracy).toBe(plan.planned.accuracy);
    expect(found.accuracy).toBe(plan.file.rows.accuracy);
    const onTest = await measured(join(out, "quantized.onnx"), 200);
    expect(Math.abs(onTest.loss - plan.file.test.loss)).toBeLessThan(1e-6);
    expect(onTest.accuracy).toBe(plan.planned.test.accuracy);
    expect(plan.plan.averageBits).toBeLessThanOrEqual(3.5);
    expect(plan.planned.measured).toBeLessThan(plan.withoutCompensation.measured);
    expect(
      plan.compensated.every(({ error, plainError }: { error: number; plainError: number }) => error <= plainError),
    ).toBe(true);
    expect(plan.sensitivity.tensors.map(({ reason }: { reason: string }) => reason)).toEqual(
      Array(2).fill("axis 0: outputs of its layer"),
    );
    const page = readFileSync(join(out, "report.html"), "utf8");
    expect(page.match(/<svg/g)).toHaveLength(3);
    expect(page).not.toMatch(/<script|https?:\/\/(?!www\.w3\.org)/);
    expect(page).toContain("0.weight");
    expect(page).toContain("axis 0: outputs of its layer");
  });

  test("prints a table; estimated traces, the Hessian, other objectives, sizes in bytes", async () => {
    const out = join(folderOf(), "quantized");
    const small = ["quantize", MODEL, ...common, "--rows", ":120", "--bits", "2,4,8", "--out", out];
    const table = await run(...small, "--budget", "700 B", "--products", "20", "--seed", "3");
    expect(table.code).toBe(0);
    expect(table.stdout).toMatch(/0\.weight +1024 +4 .*\*/);
    expect(table.stdout).toMatch(/stability: /);
    expect(table.stdout).toMatch(/file as ONNX Runtime runs it: loss [\d.e-]+, accuracy [\d.]+ %/);
    expect(table.stdout).toContain("warning:");
    for (const objective of ["predicted", "measured"]) {
      const other = await run(
        ...[...small, "--matrix", "hessian", "--objective", objective, "--scheme", "asymmetric", "--step", "mse"],
        ...["--products", "4", "--json"],
      );
      const { plan } = JSON.parse(other.stdout);
      expect(plan).toMatchObject({ objective, scheme: "asymmetric", scale: "mse", usedBits: 4 * 1184 });
    }
  });

  test("goes on from a state to the same bits, and not with other settings", async () => {
    const folder = folderOf();
    const [out, state] = [join(folder, "quantized"), join(folder, "state")];
    const args = ["quantize", MODEL, ...common, "--rows", ":100", "--bits", "3,8", "--out", out, "--json"];
    const whole = await run(...args);
    const again = await run(...args, "--state", state);
    expect(JSON.parse(again.stdout)).toEqual(JSON.parse(whole.stdout));
    expect(existsSync(state)).toBe(false);
    writeFileSync(state, "no state");
    const refused = await run(...args, "--state", state);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("stateStore expects a complete state");
  });

  test("bad input gets one line", async () => {
    const out = join(folderOf(), "quantized");
    const cases: readonly (readonly [readonly string[], string])[] = [
      [
        ["--budget", "1.5"],
        "expects a budget of at least 2368 bits, 2 for each of 1184 weights, got 1776 (1.50 a weight)",
      ],
      [["--budget", "100 B"], "got 800 (0.676 a weight); raise it, or offer fewer bits a weight"],
      [["--budget", "much"], "Expected average bits of a weight, as 4, or a size, as 20kB."],
      [["--bits", "1,4"], "Expected different numbers from 2 to 8, or 16 for float16, separated by commas."],
      [["--quantize", "none"], "finds no tensor to quantize that matches none; the risk has 0.weight, 0.bias"],
      [["--test", "nowhere.csv"], "nowhere.csv"],
      [["--objective", "size"], "Allowed choices are omega, predicted, measured"],
    ];
    for (const [args, message] of cases) {
      const { code, stderr } = await run("quantize", MODEL, ...common, "--rows", ":60", "--out", out, ...args);
      expect(code).toBeGreaterThan(0);
      expect(stderr.trim().split("\n")).toHaveLength(1);
      expect(stderr).toContain(message);
      expect(existsSync(out)).toBe(false);
    }
  });
});
