import fc from "fast-check";
import { expect, test } from "vitest";
import { arrays } from "../../src/data/index.ts";
import { crossEntropy } from "../../src/losses/index.ts";
import { functionModel } from "../../src/models/index.ts";
import { type EmpiricalRiskOptions, empiricalRisk } from "../../src/operators/index.ts";
import { add, matmul, tanh } from "../../src/primitives/index.ts";
import { sizeOf } from "../../src/tensors/index.ts";
import { rejectionOf } from "../onnx/messageOf.ts";
import { randomTensor } from "./riskCases.ts";

const shapes = { "first.weight": [4, 5], "first.bias": [5], "second.weight": [5, 3] } as const;
type Name = keyof typeof shapes;

/** A network with one entry of its weights replaced. */
function network(name: Name, at: number, value: number) {
  const of = (own: Name) => {
    const { data } = randomTensor(shapes[own], 3);
    if (own === name) data[at] = value;
    return { data, dims: [...shapes[own]] };
  };
  return functionModel({
    name: "network.onnx",
    parameters: {
      "first.weight": of("first.weight"),
      "first.bias": of("first.bias"),
      "second.weight": of("second.weight"),
    },
    inputs: { x: { dims: [4] } },
    apply: (p, { x }) => matmul(tanh(add(matmul(x!, p["first.weight"]!), p["first.bias"]!)), p["second.weight"]!),
  });
}

const data = arrays({ inputs: randomTensor([6, 4], 1), targets: { data: Int32Array.of(0, 1, 2, 0, 1, 2), dims: [6] } });
const open = (model: EmpiricalRiskOptions["model"], more: Partial<EmpiricalRiskOptions> = {}) =>
  empiricalRisk({ model, loss: crossEntropy(), data, ...more });

test("a weight that is not finite is named with its place, whichever it is", () =>
  fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...(Object.keys(shapes) as Name[])),
      fc.nat(),
      fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
      fc.constantFrom("float32" as const, "float64" as const),
      async (name, entry, value, dtype) => {
        const dims: readonly number[] = shapes[name];
        const at = entry % sizeOf(dims);
        const place = dims.length === 1 ? `[${at}]` : `[${Math.floor(at / dims[1]!)}, ${at % dims[1]!}]`;
        expect(await rejectionOf(open(network(name, at, value), { dtype }))).toBe(
          `model: the weights of network.onnx must be finite, got ${value} at ${place} of "${name}" [${dims.join(", ")}]; export the model as it was before its training diverged, or leave the tensor out by parameters`,
        );
      },
    ),
    { numRuns: 30, seed: 1 },
  ));

test("a weight beyond float32 is refused in float32 alone", async () => {
  const model = network("second.weight", 7, -1e300);
  expect(await rejectionOf(open(model))).toBe(
    'model: the weights of network.onnx must be finite, got -1e+300, which float32 cannot hold, at [2, 1] of "second.weight" [5, 3]; use dtype: "float64" (--dtype float64)',
  );
  const risk = await open(model, { dtype: "float64" });
  expect(risk.theta()).toContain(-1e300);
  await risk.dispose();
});

test("tensors that are not differentiated may hold infinities, as masks do", async () => {
  const model = network("first.bias", 2, Number.NEGATIVE_INFINITY);
  const risk = await open(model, { parameters: "*.weight" });
  expect(await risk.loss()).toBeGreaterThan(0);
  await risk.dispose();
});
