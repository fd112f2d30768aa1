import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import {
  crossEntropy,
  type EmpiricalRiskOptions,
  empiricalRisk,
  hessian,
  loadData,
  loadModel,
} from "../../src/index.ts";
import { toDense } from "../../src/linalg/index.ts";
import { rejectionOf } from "../onnx/messageOf.ts";

const path = (name: string) => fileURLToPath(new URL(`silent/${name}`, import.meta.url));

async function numbersOf(
  { model: file, input, targets }: { readonly model: string; readonly input: string; readonly targets: string },
  options: Pick<EmpiricalRiskOptions, "loss"> & Partial<EmpiricalRiskOptions>,
) {
  const model = await loadModel(path(file));
  const data = await loadData({
    inputs: { [model.inputs[0].name]: path(input) },
    targets: path(targets),
    targetType: "class",
    wanted: Object.fromEntries(model.inputs.map(({ name, dims, dtype }) => [name, { dims, dtype }])),
  });
  const risk = await empiricalRisk({ model, data, dtype: "float64", ...options });
  try {
    const dense = await toDense(hessian(risk));
    const trace = Array.from(dense.data).reduce((sum, x, i) => (i % (risk.size + 1) === 0 ? sum + x : sum), 0);
    return { loss: await risk.loss(), trace, notices: risk.notices };
  } finally {
    await risk.dispose();
  }
}

describe("readings that were silent", () => {
  const tokens = { model: "tokens.onnx", input: "ids.npy", targets: "y.npy" };
  const softmax = { model: "softmax.onnx", input: "x.npy", targets: "yc.npy" };

  test("a softmax written out is cut and said: loss and trace of H are PyTorch's on its logits", async () => {
    const { loss, trace, notices } = await numbersOf(softmax, { loss: crossEntropy() });
    expect([loss.toFixed(6), trace.toFixed(6)]).toEqual(["3.077593", "0.600671"]);
    expect(notices).toContain(
      'Output "probabilities" is taken before its final Softmax, which the file has written out in several operators and the loss crossEntropy contains itself.',
    );
  });

  test("tokens with as many positions as classes: the last axis is asked for", async () => {
    expect(await rejectionOf(numbersOf(tokens, { loss: crossEntropy() }))).toContain(
      "outputs of shape [6, 5, 5] with class indices of shape [6, 5] can be read in two ways",
    );
    const { loss, trace } = await numbersOf(tokens, { loss: crossEntropy({ classAxis: "last" }) });
    expect([loss.toFixed(6), trace.toFixed(6)]).toEqual(["2.053634", "0.611729"]);
  });
});
