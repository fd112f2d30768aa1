import { readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, test } from "vitest";
import { vjp } from "../../src/autodiff/index.ts";
import { scalar } from "../../src/graph/index.ts";
import { type FileModel, loadModel } from "../../src/models/index.ts";
import { sizeOf, type Tensor } from "../../src/tensors/index.ts";
import { mnistTest } from "../mnist.ts";
import { sampled } from "../sampled.ts";
import { exportedModels, exportedPath, rowsOf, storedTensors } from "./exportedModels.ts";
import {
  distance,
  type Feeds,
  functional,
  inputsOf,
  numbers,
  parameterFeeds,
  randomLike,
  shapesOf,
  withProgram,
} from "./running.ts";

const load = (name: string, options = {}) => loadModel(exportedPath(`${name}.onnx`), options);
const all = Object.entries(exportedModels);

/** Numbers of our graph's outputs. */
async function forward(
  model: FileModel,
  feeds: Feeds,
  {
    precision = "float64",
    outputs = model.outputs.map(({ name }) => name),
    cut = [],
  }: {
    readonly precision?: "float32" | "float64";
    readonly outputs?: readonly string[];
    readonly cut?: readonly string[];
  } = {},
): Promise<Feeds> {
  const graph = await model.graph({ shapes: shapesOf(feeds), outputs, cut });
  return withProgram(inputsOf(model, graph), graph.outputs, {
    precision,
    use: (program) => program.run({ ...feeds, ...parameterFeeds(model) }),
  });
}

/** The gradient of a random linear functional of the outputs against its central difference along a direction. */
async function checkGradient(model: FileModel, feeds: Feeds): Promise<void> {
  const outputs = floatOutputs(model);
  const graph = await model.graph({ shapes: shapesOf(feeds), outputs });
  const loss = functional(Object.values(graph.outputs));
  const gradients = vjp([loss], graph.parameters, [scalar(1)]);
  const named = { loss, ...Object.fromEntries(gradients.map((g, i) => [`g${i}`, g])) };
  await withProgram(inputsOf(model, graph), named, {
    precision: "float64",
    use: async (program) => {
      const here = await program.run({ ...feeds, ...parameterFeeds(model) });
      const gradient = gradients.flatMap((_, i) => numbers(here[`g${i}`]));
      const directions = model.parameters.map(({ dims, name }) => randomLike(dims, name));
      const step = 1e-6;
      const [ahead, behind] = [
        await program.run({ ...feeds, ...parameterFeeds(model, directions, step) }),
        await program.run({ ...feeds, ...parameterFeeds(model, directions, -step) }),
      ];
      const difference = (numbers(ahead.loss)[0] - numbers(behind.loss)[0]) / (2 * step);
      const direction = directions.flat();
      const slope = gradient.reduce((sum, g, i) => sum + g * direction[i], 0);
      const scale = Math.hypot(...gradient) * Math.hypot(...direction);
      expect(scale).toBeGreaterThan(0);
      expect(Math.abs(slope - difference) / scale).toBeLessThan(1e-7);
    },
  });
}

function floatOutputs(model: FileModel): string[] {
  return model.outputs.map(({ name }) => name).filter((name) => name !== "label");
}

describe("exported models", () => {
  test("are all in the table, or in a test of their own", () => {
    const files = readdirSync(dirname(exportedPath("x"))).filter((file) => file.endsWith(".onnx"));
    const own = ["branches_dynamo", "cnn_train_dynamo", "cnn_train_torchscript"];
    expect([...Object.keys(exportedModels), ...own].sort()).toEqual(files.map((file) => file.slice(0, -5)).sort());
  });

  test.each(all)("%s has its parameters and no other", async (name, { floats }) => {
    const model = await load(name);
    expect(model.parameters.reduce((sum, { data }) => sum + data.length, 0)).toBe(floats);
    for (const { data, dims } of model.parameters) expect(data.length).toBe(sizeOf(dims));
    const names = model.parameters.map((parameter) => parameter.name);
    expect(new Set(names).size).toBe(names.length);
  });

  test.each(all)("%s computes what ONNX Runtime does", async (name, { tolerance = 1e-5 }) => {
    const model = await load(name);
    const { inputs, outputs } = storedTensors(name);
    for (const precision of ["float32", "float64"] as const) {
      const ours = await forward(model, inputs, { precision, outputs: floatOutputs(model) });
      for (const [output, tensor] of Object.entries(ours)) {
        expect(tensor.dims).toEqual(outputs[output].dims);
        expect(distance(numbers(tensor), numbers(outputs[output])), `${output} in ${precision}`).toBeLessThan(
          tolerance,
        );
      }
    }
    const own = await model.run(inputs);
    for (const output of floatOutputs(model)) {
      expect(distance(numbers(own[output]), numbers(outputs[output]))).toBeLessThan(tolerance);
    }
  });

  test.each(sampled(all, 8))("%s has the gradient that differences show", async (name) => {
    await checkGradient(await load(name), storedTensors(name).inputs);
  });

  test.each(sampled(all, 8))("%s computes rows one by one as together", async (name) => {
    const model = await load(name);
    const { inputs } = storedTensors(name);
    const outputs = floatOutputs(model);
    const whole = await forward(model, inputs, { outputs });
    const [{ dims }] = Object.values(inputs);
    for (const limit of [1, 3]) {
      if (limit > dims[0]) continue;
      const part = await forward(model, rowsOf(inputs, 0, limit), { outputs });
      for (const output of outputs) {
        const wanted = numbers(rowsOf(whole, 0, limit)[output]);
        expect(distance(numbers(part[output]), wanted)).toBeLessThan(1e-12);
      }
    }
  });
});

describe("models of the reference fixtures", () => {
  const path = (name: string) => exportedPath(`../${name}.onnx`);
  const images = async (rows: number): Promise<Tensor> => {
    const { data, dims } = (await mnistTest(rows)).images;
    return { data: Float32Array.from(data as Uint8Array, (x) => x / 255), dims };
  };

  test.each([
    ["mnist_mlp_op13", 784 * 64 + 64 + 64 * 32 + 32 + 32 * 10 + 10],
    ["mnist_cnn_bn_op13", 8 * 25 + 2 * 8 + 16 * 4 * 9 + 16 + 2 * 16 + 32 * 16 * 9 + 32 + 32 * 10 + 10],
    ["mnist_vit_op17", 19370],
  ])("%s", async (name, floats) => {
    const model = await loadModel(path(name));
    expect(model.parameters.reduce((sum, { data }) => sum + data.length, 0)).toBe(floats);
    const x = await images(3);
    const { logits } = await model.run({ x });
    for (const precision of ["float32", "float64"] as const) {
      const ours = await forward(model, { x }, { precision });
      expect(distance(numbers(ours.logits), numbers(logits))).toBeLessThan(1e-5);
    }
    await checkGradient(model, { x });
  });

  test("digits_mlp_op13", async () => {
    const model = await loadModel(path("digits_mlp_op13"));
    expect(model.parameters.map(({ name, dims, role }) => [name, dims, role])).toEqual([
      ["0.weight", [16, 64], "weight"],
      ["0.bias", [16], "bias"],
      ["2.weight", [10, 16], "weight"],
      ["2.bias", [10], "bias"],
    ]);
    await checkGradient(model, { x: { data: Float32Array.from(randomLike([4, 64], "x")), dims: [4, 64] } });
  });
});

describe("which tensors are parameters", () => {
  const names = (model: FileModel) => model.parameters.map(({ name }) => name);

  test("keeps the module's names where the exporter lost them", async () => {
    const llama = names(await load("llama_dynamo"));
    expect(llama).toContain("model.model.layers.0.mlp.up_proj.weight");
    expect(llama.filter((name) => name.startsWith("val_"))).toEqual([]);
    expect(names(await load("vit_dynamo"))).toContain("encoder.layers.encoder_layer_1.self_attention.in_proj_weight");
    expect(names(await load("audio_conv1d_dynamo"))).toContain("act.weight");
    expect(names(await load("unet_dynamo"))).toContain("right2.1.weight");
  });

  test("leaves out buffers, statistics and thresholds, with the reason", async () => {
    const reasons = async (name: string) =>
      Object.fromEntries((await load(name)).constants.map((constant) => [constant.name, constant.reason]));
    expect(await reasons("llama_dynamo")).toMatchObject({
      "model.model.rotary_emb.inv_freq": "the exporter calls it a buffer",
    });
    expect(Object.keys(await reasons("cnn_eval_torchscript"))).toEqual(["bn3.running_mean", "bn3.running_var"]);
    expect(Object.keys(await reasons("regression_mlp"))).toEqual(["threshold_cast"]);
    expect(Object.keys(await reasons("unet_dynamo"))).toEqual(["val_8", "val_11", "val_92"]);
  });

  test("knows roles, layers and reasons", async () => {
    const [embedding] = (await load("llama_dynamo")).parameters;
    expect(embedding).toMatchObject({
      name: "model.model.embed_tokens.weight",
      role: "table",
      layer: "model.model.embed_tokens",
      reason: "the exporter calls it a parameter",
    });
    const sklearn = (await load("sklearn_mlp_classifier")).parameters;
    expect(sklearn[0]).toMatchObject({ name: "coefficient", role: "weight", reason: 'weight of MatMul "MatMul"' });
    expect(sklearn[1]).toMatchObject({ name: "intercepts", role: "offset" });
  });

  test("follows the user's word, by the file's name and by the module's", async () => {
    const include = await load("regression_mlp", { parameters: { include: ["threshold_cast"] } });
    expect(names(include)).toContain("threshold_cast");
    const exclude = await load("llama_dynamo", { parameters: { exclude: ["*.mlp.*", /norm/, "val_152"] } });
    expect(names(exclude).filter((name) => /mlp|norm/.test(name))).toEqual([]);
    expect(exclude.parameters.some(({ name }) => name === "model.model.layers.0.self_attn.q_proj.weight")).toBe(false);
    expect(exclude.constants.find(({ name }) => name === "model.model.norm.weight")?.reason).toBe("excluded by name");
  });
});

describe("ties", () => {
  test("are reported, and restored on demand", async () => {
    const kept = await load("tied_autoencoder_dynamo");
    expect(kept.notices).toEqual([
      '"permute" is a transposed copy of "weight": two parameters here, one in the module; ties: "restore" (--restore-ties) makes them one again.',
    ]);
    const restored = await load("tied_autoencoder_dynamo", { ties: "restore" });
    expect(restored.parameters.reduce((sum, { data }) => sum + data.length, 0)).toBe(844);
    expect(restored.notices).toEqual(['"permute" is a transposed copy of "weight": one parameter again.']);
    const { inputs, outputs } = storedTensors("tied_autoencoder_dynamo");
    const ours = await forward(restored, inputs);
    expect(distance(numbers(ours.sigmoid), numbers(outputs.sigmoid))).toBeLessThan(1e-5);
    await checkGradient(restored, inputs);
    expect((await load("gpt2_torchscript", { ties: "restore" })).parameters).toHaveLength(28);
  });

  test("are not seen in tensors of one repeated number", async () => {
    expect((await load("merged_weights_dynamo")).notices).toEqual([]);
  });
});

describe("batches", () => {
  test("of a model that insists on one row are computed row by row", async () => {
    const model = await load("cnn_batch_one_dynamo");
    expect(model.fixedRows).toBe(1);
    const x: Tensor = { data: Float32Array.from(randomLike([5, 1, 8, 8], "x")), dims: [5, 1, 8, 8] };
    const { linear_1: together } = await forward(model, { x });
    expect(together.dims).toEqual([5, 10]);
    for (let row = 0; row < 5; row++) {
      const own = await model.run(rowsOf({ x }, row, row + 1));
      const part = numbers(together).slice(10 * row, 10 * row + 10);
      expect(distance(part, numbers(own.linear_1))).toBeLessThan(1e-5);
    }
    await checkGradient(model, { x });
  });

  test("that the fixed number of rows does not divide are refused", async () => {
    const model = await load("cnn_train_dynamo", { trainingMode: "inference" });
    const request = { shapes: { x: [24, 1, 8, 8] }, outputs: ["linear_1"] };
    await expect(model.graph(request)).rejects.toThrow(
      "cnn_train_dynamo.onnx computes 16 rows at once, which does not divide a batch of 24; choose a batch size that it divides",
    );
  });
});

describe("outputs", () => {
  test.each([
    ["mlp_probabilities", "softmax", "Softmax"],
    ["sklearn_mlp_classifier", "probabilities", "Softmax"],
    ["layers_zoo_dynamo", "log_softmax", "LogSoftmax"],
    ["tied_autoencoder_dynamo", "sigmoid", "Sigmoid"],
  ] as const)("%s is cut before its last activation", async (name, output, activation) => {
    const model = await load(name);
    expect(model.outputs.find((each) => each.name === output)?.activation).toBe(activation);
    const { inputs, outputs } = storedTensors(name);
    const { [output]: logits } = await forward(model, inputs, { outputs: [output], cut: [activation] });
    expect(distance(activated(logits, activation), numbers(outputs[output]))).toBeLessThan(1e-5);
    const { [output]: whole } = await forward(model, inputs, { outputs: [output] });
    expect(distance(numbers(whole), numbers(outputs[output]))).toBeLessThan(1e-5);
  });

  test("that hold no floats are carried", async () => {
    const model = await load("sklearn_mlp_classifier");
    const { inputs, outputs } = storedTensors("sklearn_mlp_classifier");
    const { label, probabilities } = await forward(model, inputs);
    expect(numbers(label)).toEqual(numbers(outputs.label));
    expect(distance(numbers(probabilities), numbers(outputs.probabilities))).toBeLessThan(1e-5);
  });
});

/** The activation by its textbook formula, rows along the last axis. */
function activated(logits: Tensor, activation: "Softmax" | "LogSoftmax" | "Sigmoid"): number[] {
  const f = numbers(logits);
  if (activation === "Sigmoid") return f.map((x) => 1 / (1 + Math.exp(-x)));
  const classes = logits.dims[logits.dims.length - 1];
  return f.map((x, i) => {
    const row = f.slice(i - (i % classes), i - (i % classes) + classes);
    const p = Math.exp(x) / row.reduce((sum, y) => sum + Math.exp(y), 0);
    return activation === "Softmax" ? p : Math.log(p);
  });
}

describe("training mode", () => {
  test.each([
    ["cnn_train_torchscript", /BatchNormalization "\/bn1\/BatchNormalization", .* and 1 more are in training mode/],
    ["cnn_train_dynamo", /Dropout "node_native_dropout__1" is in training mode/],
  ])("%s is refused, or read as in inference", async (name, message) => {
    const refused = await load(name).catch((reason) => reason);
    expect(refused.code).toBe("model");
    expect(refused.message).toMatch(message);
    expect(refused.message).toContain(
      'export with model.eval(), or read it in inference mode (trainingMode: "inference", --inference)',
    );
    const model = await load(name, { trainingMode: "inference" });
    expect(model.notices[0]).toMatch(/^Read in inference mode: /);
    const { inputs } = storedTensors(name);
    await checkGradient(model, inputs);
    const [first, second] = [await model.run(inputs), await model.run(inputs)];
    expect(first).toEqual(second);
  });
});

describe("files", () => {
  test("with external data are read from a path, or from bytes with the data given", async () => {
    const data = readFileSync(exportedPath("mlp_external_data.onnx.data"));
    const model = await loadModel(readFileSync(exportedPath("mlp_external_data.onnx")), {
      externalData: { "mlp_external_data.onnx.data": data },
    });
    const { inputs, outputs } = storedTensors("mlp_external_data");
    const [ours] = Object.values(await forward(model, inputs));
    expect(distance(numbers(ours), numbers(Object.values(outputs)[0]))).toBeLessThan(1e-5);
  });

  test("in half precision say so", async () => {
    expect((await load("mlp_bfloat16")).notices).toEqual([
      "The file is in half precision (bfloat16); it is computed in float32 or float64 with the weights as stored.",
    ]);
  });

  test("whose branches depend on the data are refused by name", async () => {
    const model = await load("branches_dynamo");
    expect(model.parameters).toHaveLength(4);
    await expect(model.graph({ shapes: { x: [5, 4] }, outputs: [model.outputs[0].name] })).rejects.toThrow(
      'branches_dynamo.onnx: If "node_cond__0" chooses by the data which branch to compute, and parameters reach both; derivatives need one graph for all rows, so export the model without data-dependent control flow',
    );
  });
});
