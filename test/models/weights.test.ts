import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { loadModel } from "../../src/models/index.ts";

const path = (name: string) => fileURLToPath(new URL(`weights/${name}`, import.meta.url));

const truth: { readonly [name: string]: readonly string[] } = JSON.parse(readFileSync(path("truth.json"), "utf8"));

/** Buffers of random numbers that multiply the input: nothing in a TorchScript file tells them from weights. */
const undecidable: { readonly [name: string]: string } = {
  performer_causal_random_features__ts13: "om",
  siren_fourier_scalar_out__ts11: "B",
};

describe("weights of exported modules", () => {
  test.each(Object.keys(truth).filter((name) => !(name in undecidable)))("%s", async (name) => {
    const { parameters } = await loadModel(path(`${name}.onnx`));
    expect(parameters.map((parameter) => parameter.name).sort()).toEqual([...truth[name]].sort());
  });

  test.each(Object.entries(undecidable))("%s has a buffer that a notice names", async (name, buffer) => {
    const { parameters, notices } = await loadModel(path(`${name}.onnx`));
    const extra = parameters.map((parameter) => parameter.name).filter((each) => !truth[name].includes(each));
    expect(extra).toEqual([buffer]);
    expect(notices.join("\n")).toMatch(
      new RegExp(`taken as (a weight|weights) and could be (a constant|constants): .*\\b${buffer}\\b`),
    );
    const right = await loadModel(path(`${name}.onnx`), { parameters: { exclude: [buffer] } });
    expect(right.parameters.map((parameter) => parameter.name).sort()).toEqual([...truth[name]].sort());
    expect(right.notices.join("\n")).not.toMatch(new RegExp(`: .*\\b${buffer}\\b`));
  });

  test.each([
    [
      "neural_ode_midpoint__dy20",
      /2 tensors with 8 numbers were computed .* left constant: sigmoid \(gate\), sub \(gate\)/,
    ],
    ["made_masked_weights__dy23", /2 tensors with 72 numbers were computed .* left constant: mul \(w1\), mul_1 \(w2\)/],
    [
      "made_masked_weights__ts20",
      /2 tensors with 72 numbers were computed .* left constant: onnx::Gemm_12, onnx::Gemm_13/,
    ],
    ["pixelcnn_masked_conv__ts17", /1 tensor with 36 numbers was computed .* left constant: onnx::Conv_14/],
    ["soft_decision_tree_logprobs__dyNone", /1 tensor with 12 numbers was computed .* left constant: softmax \(leaf\)/],
    ["rwkv_recurrence__ts17", /Derivatives in mu lack what goes through that tensor/],
    ["rwkv_recurrence__dy20", /Derivatives in mu lack what goes through those tensors/],
  ])("%s says which trained tensors the exporter folded away", async (name, notice) => {
    const { notices } = await loadModel(path(`${name}.onnx`));
    expect(notices.join("\n")).toMatch(notice);
  });

  test("are said without a notice where the exporter names them", async () => {
    for (const name of ["llama_rope_gqa_qknorm__dy23", "tv_mobilenetv3__dy23", "lstm_learned_state__dy23"]) {
      expect((await loadModel(path(`${name}.onnx`))).notices).toEqual([]);
    }
  });
});
