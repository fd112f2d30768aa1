import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { beforeAll, describe, expect, test } from "vitest";
import { build } from "../../scripts/build.mjs";
import {
  crossEntropy,
  empiricalRisk,
  ggn,
  hessian,
  jacobian,
  loadData,
  loadModel,
  type Risk,
  type Vector,
  version,
} from "../../src/index.ts";
import { stream } from "../../src/random/index.ts";
import { DATA, folderOf, MODEL, run, setTerminal } from "./commandLine.ts";

const rows = ["--data", DATA, "--scale", "16", "--rows", "0:200", "--loss", "cross-entropy"];
const cheap = ["--probes", "3", "--steps", "4", "--density-probes", "2", "--eigenvalues", "2", "--no-dense"];

describe("help", () => {
  test.each([
    [
      "inspect",
      ["--json", "--output", "--bind", "--weights", "--constants", "--restore-ties", "--inference", "--debug"],
    ],
    [
      "report",
      ["--data", "--input", "--targets", "--label", "--scale", "--rows", "--loss", "--matrices", "--parameters"],
    ],
    [
      "report",
      ["--batch-size", "--dtype", "--probes", "--steps", "--eigenvalues", "--seed", "--out", "--json", "--debug"],
    ],
    ["export", ["--product", "--loss", "--batch-size", "--out", "--parameters-as-inputs", "--dtype", "--json"]],
  ] as const)("of %s tells its options and shows an example", async (command, options) => {
    const { code, stdout, stderr } = await run(command, "--help");
    expect([code, stderr]).toEqual([0, ""]);
    for (const option of options) expect(stdout).toContain(option);
    expect(stdout).toContain(`$ onnx-curvature ${command} `);
    expect(await run("help", command)).toEqual({ code, stdout, stderr });
  });

  test("of the program names the commands, and --version the version", async () => {
    const { code, stdout } = await run("--help");
    expect(code).toBe(0);
    for (const command of ["inspect", "report", "export"]) expect(stdout).toMatch(new RegExp(`^ +${command} `, "m"));
    expect(await run("--version")).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  });
});

describe("inspect", () => {
  test("--json is one object with all that was found", async () => {
    const { code, stdout, stderr } = await run("inspect", MODEL, "--json");
    expect([code, stderr]).toEqual([0, ""]);
    const found = JSON.parse(stdout);
    expect(found.inputs).toEqual([{ name: "x", dtype: "float32", dims: ["batch", 64] }]);
    expect(found.parameters.map(({ name }: { name: string }) => name)).toEqual([
      "0.weight",
      "0.bias",
      "2.weight",
      "2.bias",
    ]);
    expect(found.operators.map(({ operator }: { operator: string }) => operator)).toEqual(["Gemm", "Tanh"]);
    expect(found.suggestedLoss.name).toBe("crossEntropy");
  });

  test("tells people shapes, roles, layers, operators and what would be cut", async () => {
    const { stdout } = await run("inspect", MODEL);
    expect(stdout).toContain("opset 13, made by pytorch 1.13.0, 1,210 weights in 4 tensors");
    expect(stdout).toMatch(/0\.weight +\[16, 64\] +weight +layer 0/);
    expect(stdout).toMatch(/Gemm +x 2 +supported/);
    expect(stdout).toMatch(/suggested loss: crossEntropy/);
    const softmax = await run("inspect", "test/models/exported/mlp_probabilities.onnx");
    expect(softmax.stdout).toMatch(/softmax +\[batch, 10\] +ends in Softmax, which is cut off/);
    const constants = await run("inspect", "test/models/mnist_cnn_bn_op13.onnx");
    expect(constants.stdout).toMatch(/float tensors that are no weights\n +net\.1\.running_mean/);
  });

  test("makes copies one weight again where it is asked to", async () => {
    const file = "test/models/exported/tied_autoencoder_dynamo.onnx";
    const [kept, restored] = [await run("inspect", file), await run("inspect", file, "--restore-ties")];
    expect(kept.stdout).toContain("two parameters here, one in the module");
    expect(kept.stdout).toContain("(--restore-ties)");
    expect(restored.stdout).toContain("one parameter again");
  });

  test("takes and leaves tensors as weights by name or pattern, and says why each is what it is", async () => {
    const file = "test/models/weights/siren_fourier_scalar_out__ts11.onnx";
    const found = await run("inspect", file);
    expect(found.stdout).toMatch(
      /B +\[2, 3\] +weight .* UNCERTAIN: an initializer, where this exporter keeps parameters/,
    );
    expect(found.stdout).toContain("2 tensors with 7 numbers were taken as weights and could be constants: w, B;");
    const changed = await run("inspect", file, "--constants", "B", "--weights", "w", "--constants", "/^f\\./");
    expect(changed.stdout).toMatch(/w +\[\] +factor .* included by name/);
    expect(changed.stdout).toMatch(/float tensors that are no weights\n +B +\[2, 3\] +excluded by name/);
    expect(changed.stdout).toMatch(/f\.weight +\[8, 6\] +excluded by name/);
    expect(changed.stdout).not.toContain("UNCERTAIN");
    const unknown = await run("inspect", file, "--weights", "nothing*");
    expect(unknown).toMatchObject({ code: 1, stdout: "" });
    expect(unknown.stderr).toMatch(/^error: no float tensor of the model matches nothing\*; it has w, B, /);
  });

  test("binds open sizes, and says what can be bound", async () => {
    const bound = await run("inspect", MODEL, "--bind", "batch=32");
    expect(bound.stdout).toMatch(/x +float32 +\[32, 64\]/);
    const unknown = await run("inspect", MODEL, "--bind", "sr=16000");
    expect(unknown).toMatchObject({ code: 1, stdout: "" });
    expect(unknown.stderr).toMatch(/^error: .+ has no input and no open size "sr" to bind; its inputs are .+\n$/);
    for (const text of ["batch", "batch=", "=3"]) {
      const misused = await run("inspect", MODEL, "--bind", text);
      expect(misused.code).toBe(2);
      expect(misused.stderr).toContain(
        "Expected NAME=NUMBER or NAME=FILE, for example sr=16000 or edge_index=edges.npy.",
      );
    }
    const missing = await run("inspect", MODEL, "--bind", "batch=many");
    expect(missing).toMatchObject({ code: 1, stdout: "" });
    expect(missing.stderr).toBe(
      "error: --bind batch=many is not a number, and not a file with an array: cannot read many: there is no such file; check the path\n",
    );
    expect((await run("inspect", MODEL, "--bind", "a=1", "--bind", "a=2")).stderr).toContain('"a" is bound twice.');
  });
});

describe("report", () => {
  test("writes both files and prints the table; report.json has what it must have", async () => {
    const out = join(folderOf(), "deep", "report");
    const { code, stdout, stderr } = await run("report", MODEL, ...rows, ...cheap, "--seed", "7", "--out", out);
    expect(code).toBe(0);
    expect(readdirSync(out).sort()).toEqual(["report.html", "report.json"]);
    expect(stderr).toContain(`Wrote ${join(out, "report.html")} and ${join(out, "report.json")}\n`);
    expect(stderr).toMatch(/^Hessian: trace \(\d+ % done\)$/m);
    expect(stdout).toMatch(/^Hessian +\S+ \+- \S+/m);
    const report = JSON.parse(readFileSync(join(out, "report.json"), "utf8"));
    expect(report).toMatchObject({
      version,
      model: { file: MODEL, parameters: 1210 },
      data: { rows: 200 },
      loss: { name: "crossEntropy", value: expect.any(Number) },
      gradient: { norm: expect.any(Number) },
      seed: 7,
      seconds: expect.any(Number),
    });
    expect(Object.keys(report.matrices)).toEqual(["hessian", "ggn", "empiricalFisher"]);
    expect(report.equalMatrices.map(({ name }: { name: string }) => name)).toEqual(["fisher2", "fisher1"]);
    const [number, value] = [expect.any(Number), { value: expect.any(Number), residualNorm: expect.any(Number) }];
    const layer = { name: "0", parameters: 1040, trace: number, standardError: number };
    for (const matrix of Object.values(report.matrices)) {
      expect(matrix).toMatchObject({
        trace: { value: number, standardError: number, matvecs: 3 },
        frobenius: { value: number, standardError: number },
        eigenvalues: { largest: [value, value], smallest: [value, value] },
        density: { grid: expect.any(Array), density: expect.any(Array), matvecs: 8 },
        layers: [layer, { ...layer, name: "2", parameters: 170 }],
      });
    }
    const html = readFileSync(join(out, "report.html"), "utf8");
    expect(html).toMatch(/^<!doctype html>/);
  });

  test("--json prints report.json itself; options reach the computation", async () => {
    const out = folderOf();
    const options = [
      "--matrices",
      "ef,ggn",
      "--parameters",
      "2.*",
      "--batch-size",
      "64",
      "--dtype",
      "float64",
      "--reduction",
      "sum",
    ];
    const { code, stdout } = await run(
      "report",
      MODEL,
      ...rows,
      ...cheap,
      ...options,
      "--dense",
      "--json",
      "--out",
      out,
    );
    expect(code).toBe(0);
    expect(stdout).toBe(readFileSync(join(out, "report.json"), "utf8"));
    const report = JSON.parse(stdout);
    expect(Object.keys(report.matrices)).toEqual(["ggn", "empiricalFisher"]);
    expect(report).toMatchObject({
      model: { parameters: 170 },
      data: { batchSize: 64 },
      dtype: "float64",
      loss: { reduction: "sum" },
    });
    expect(report.matrices.ggn.density.exactEigenvalues.length).toBe(170);
  });

  test("reads inputs and targets from files of their own, with any name of a loss", async () => {
    const folder = folderOf({
      "x.csv": `${"1,".repeat(63)}2\n${"3,".repeat(63)}1\n`,
      "y.csv": `${"0,".repeat(9)}1\n${"1,".repeat(9)}0\n`,
    });
    const inputs = ["--input", `x=${join(folder, "x.csv")}`, "--targets", join(folder, "y.csv")];
    for (const loss of ["mse", "bce_with_logits", "Poisson-NLL"]) {
      const { code, stderr } = await run(
        "report",
        MODEL,
        ...inputs,
        "--loss",
        loss,
        "--matrices",
        "ggn",
        ...cheap,
        "--out",
        folder,
      );
      expect([code, stderr]).toEqual([0, expect.stringContaining("Wrote")]);
    }
  });

  test("shows a bar with the time left on a terminal", async () => {
    setTerminal(process.stderr, true);
    const { stderr } = await run("report", MODEL, ...rows, ...cheap, "--matrices", "ef", "--out", folderOf());
    expect(stderr).toMatch(/\d+% \| .*(left|starting) \| (loss and gradient|Empirical Fisher)/);
    expect(stderr).not.toContain("% done");
  });
});

describe("export", () => {
  const N = 5;
  const out = join(folderOf(), "exported.onnx");
  const exported = (product: string, ...rest: string[]) =>
    run(
      "export",
      MODEL,
      "--product",
      product,
      "--loss",
      "ce",
      "--batch-size",
      String(N),
      "--dtype",
      "float64",
      "--out",
      out,
      ...rest,
    );

  async function digits(): Promise<{ readonly risk: Risk; readonly feeds: { readonly [name: string]: Tensor } }> {
    const model = await loadModel(MODEL);
    const wanted = Object.fromEntries(model.inputs.map(({ name, dims, dtype }) => [name, { dims, dtype }]));
    const data = await loadData({ wanted, data: DATA, scale: 16, rows: [0, N] });
    const risk = await empiricalRisk({ model, loss: crossEntropy(), data, dtype: "float64" });
    for await (const { inputs, targets } of data.batches()) {
      const x = Float64Array.from(inputs.x?.data as Float32Array);
      const y = BigInt64Array.from(targets?.data as Int32Array, BigInt);
      return { risk, feeds: { x: new Tensor("float64", x, [N, 64]), targets: new Tensor("int64", y, [N]) } };
    }
    throw new Error("no batch");
  }

  const random = (length: number) => {
    const source = stream(2, "vector", length);
    return Float64Array.from({ length }, () => source.normal());
  };

  /** Runs the file with the feeds that it asks for, and joins its outputs of one kind in the order of the weights. */
  async function evaluate(feeds: { readonly [name: string]: Tensor }, outputs: readonly string[]): Promise<number[]> {
    const session = await InferenceSession.create(out);
    const wanted = Object.fromEntries(session.inputNames.map((name) => [name, feeds[name] as Tensor]));
    const results = await session.run(wanted);
    await session.release();
    return outputs.flatMap((name) => Array.from(results[name]?.data as Float64Array));
  }

  const parts = (prefix: string, { risk, vector }: { readonly risk: Risk; readonly vector: Vector }) =>
    Object.fromEntries(
      Object.entries(risk.split(vector)).map(([name, { data, dims }]) => [
        `${prefix}${name}`,
        new Tensor("float64", Float64Array.from(data as Float64Array), dims),
      ]),
    );

  function expectClose(found: readonly number[], reference: Vector): void {
    const size = Math.max(...Array.from(reference, Math.abs));
    expect(found.length).toBe(reference.length);
    expect(Math.max(...found.map((x, i) => Math.abs(x - (reference[i] ?? Number.NaN)))) / size).toBeLessThan(1e-9);
  }

  test.each(["gradient", "hvp", "ggnvp", "jvp", "vjp"])(
    "%s runs in ONNX Runtime and equals the operator",
    async (product) => {
      const { code, stdout } = await exported(product, "--json");
      expect(code).toBe(0);
      const described = JSON.parse(stdout);
      const { risk, feeds } = await digits();
      try {
        const [v, u] = [random(risk.size), random(N * 10)];
        const U = { "u.logits": new Tensor("float64", u, [N, 10]) };
        const all = { ...feeds, ...parts("v.", { risk, vector: v }), ...U };
        const outputs = described.outputs
          .map(({ name }: { name: string }) => name)
          .filter((name: string) => name !== "loss");
        const found = await evaluate(all, outputs);
        const reference = {
          gradient: () => risk.gradient(),
          hvp: () => hessian(risk).matvec(v),
          ggnvp: () => ggn(risk).matvec(v),
          jvp: () => jacobian(risk).matvec(v),
          vjp: () => jacobian(risk).adjoint!().matvec(u),
        };
        expectClose(found, await reference[product as keyof typeof reference]());
        if (product === "gradient") expect((await evaluate(all, ["loss"]))[0]).toBeCloseTo(await risk.loss(), 12);
      } finally {
        await risk.dispose();
      }
    },
  );

  test("--parameters-as-inputs reads the weights, which may then be others", async () => {
    const { stdout } = await exported("gradient", "--parameters-as-inputs");
    expect(stdout).toMatch(/^inputs\n {2}x {2}float64 \[5, 64\]\n/);
    expect(stdout).toMatch(/^ {2}0\.weight {2}float64 \[16, 64\]$/m);
    const { risk, feeds } = await digits();
    try {
      const own = { ...feeds, ...parts("", { risk, vector: risk.theta() }) };
      expect((await evaluate(own, ["loss"]))[0]).toBeCloseTo(await risk.loss(), 12);
      const zero = { ...feeds, ...parts("", { risk, vector: new Float64Array(risk.size) }) };
      expect((await evaluate(zero, ["loss"]))[0]).toBeCloseTo(Math.log(10), 12);
    } finally {
      await risk.dispose();
    }
  });
});

describe("as a process", () => {
  beforeAll(() => expect(build()).toBe(true));

  const start = (...args: string[]) => node("dist/cli/main.js", ...args);

  function node(...args: string[]) {
    const child = spawn(process.execPath, args);
    const text = { stdout: "", stderr: "" };
    child.stdout.on("data", (chunk) => (text.stdout += chunk));
    child.stderr.on("data", (chunk) => (text.stderr += chunk));
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    return { child, text, ended };
  }

  test("ends with the code of what happened", async () => {
    const [helped, failed, misused] = [start("--help"), start("inspect", "none.onnx"), start("report", "--nope")];
    expect(await Promise.all([helped.ended, failed.ended, misused.ended])).toEqual([0, 1, 2]);
    expect(failed.text).toEqual({ stdout: "", stderr: expect.stringMatching(/^error: none\.onnx: [^\n]+\n$/) });
    expect(readFileSync("dist/cli/main.js", "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
  });

  test("a reader that closes early changes neither the exit code nor what stands on standard error", async () => {
    const started = [start("--help"), start("inspect", MODEL), start("inspect", MODEL, "--json")];
    for (const { child } of started) child.stdout.destroy();
    expect(await Promise.all(started.map(({ ended }) => ended))).toEqual([0, 0, 0]);
    expect(started.map(({ text }) => text)).toEqual(started.map(() => ({ stdout: "", stderr: "" })));
    const [failed, misused] = [start("inspect", "none.onnx"), start("report", "--nope")];
    for (const { child } of [failed, misused]) for (const stream of [child.stdout, child.stderr]) stream.destroy();
    expect([await failed.ended, await misused.ended]).toEqual([1, 2]);
  });

  test("the first program of README.md runs on the built package", async () => {
    const { text, ended } = node("examples/digits/first.mjs");
    expect([await ended, text.stderr]).toEqual([0, ""]);
    expect(text.stdout).toMatch(/^loss 0\.01724.*\ntrace \d\..*\nlargest eigenvalues 0\.80427/);
    expect(text.stdout).toMatch(/step: converged after \d+ products\n$/);
  });

  const interrupted = (stage: string, ...args: readonly string[]) => {
    const { child, text, ended } = start("report", MODEL, ...rows, ...args);
    child.stderr.on(
      "data",
      () => text.stderr.includes(stage) && !text.stderr.includes("Stopping") && child.kill("SIGINT"),
    );
    return { text, ended };
  };

  test("Ctrl-C stops it in one line with 130; nothing is written, and no folder is left", async () => {
    const [out, kept] = [join(folderOf(), "new/deep"), folderOf()];
    const { text, ended } = interrupted("trace", "--probes", "1000", "--dense", "--out", out);
    expect(await ended).toBe(130);
    expect(text.stderr).toMatch(/\nerror: stopped by Ctrl-C\n$/);
    expect(text.stdout).toBe("");
    expect(existsSync(join(out, ".."))).toBe(false);
    const existing = interrupted("trace", "--probes", "1000", "--dense", "--out", kept);
    expect(await existing.ended).toBe(130);
    expect(readdirSync(kept)).toEqual([]);
  });

  test("Ctrl-C after a matrix writes a partial report, which --resume finishes as if it had not been stopped", async () => {
    const out = folderOf();
    const options = ["--matrices", "ggn,empiricalFisher", ...cheap, "--no-relative"];
    const { text, ended } = interrupted("Empirical Fisher", ...options, "--density-probes", "400", "--out", out);
    expect(await ended).toBe(130);
    expect(text.stderr).toMatch(
      /stopped by Ctrl-C after Gauss-Newton; wrote these to .*report\.html; the same command with --resume/,
    );
    const read = (folder: string) => JSON.parse(readFileSync(join(folder, "report.json"), "utf8"));
    const partial = read(out);
    expect([partial.partial, Object.keys(partial.matrices)]).toEqual([true, ["ggn"]]);
    expect(readFileSync(join(out, "report.html"), "utf8")).toContain("Partial report");
    const other = await run("report", MODEL, ...rows, ...options, "--seed", "1", "--resume", "--out", out);
    expect(other.stderr).toMatch(/error: expected the state of a run with the same model/);
    const resumed = await run(
      "report",
      MODEL,
      ...rows,
      ...options,
      "--density-probes",
      "400",
      "--resume",
      "--out",
      out,
    );
    expect(resumed.code).toBe(0);
    const whole = read(out);
    expect(whole.partial).toBeUndefined();
    expect(whole.matrices.ggn).toEqual(partial.matrices.ggn);
    expect(Object.keys(whole.matrices)).toEqual(["ggn", "empiricalFisher"]);
    const again = await run("report", MODEL, ...rows, ...options, "--resume", "--out", out);
    expect(again).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/that report is finished; leave out --resume/),
    });
  });

  test("with --state, the same command goes on after Ctrl-C, another one is refused, and the file goes at the end", async () => {
    const out = folderOf();
    const state = join(folderOf(), "report.state");
    const options = ["--matrices", "ggn,empiricalFisher", ...cheap, "--no-relative", "--density-probes", "400"];
    const kept = ["--state", state, "--out", out];
    const { text, ended } = interrupted("Empirical Fisher", ...options, ...kept);
    expect(await ended).toBe(130);
    expect(text.stderr).toMatch(/stopped by Ctrl-C after Gauss-Newton; .*report\.html; the same command goes on\n/);
    const read = () => JSON.parse(readFileSync(join(out, "report.json"), "utf8"));
    const { ggn: finished } = read().matrices;
    const other = await run("report", MODEL, ...rows, ...options, ...kept, "--seed", "1");
    expect(other).toMatchObject({ code: 1, stderr: expect.stringMatching(/error: stateStore expects the state in/) });
    expect((await run("report", MODEL, ...rows, ...options, ...kept)).code).toBe(0);
    expect(read().matrices.ggn).toEqual(finished);
    expect(Object.keys(read().matrices)).toEqual(["ggn", "empiricalFisher"]);
    expect(existsSync(state)).toBe(false);
    const both = await run("report", MODEL, ...rows, ...options, ...kept, "--resume");
    expect(both).toEqual({
      code: 2,
      stdout: "",
      stderr: "error: expected either --resume or --state, got both\n",
    });
  });
});
