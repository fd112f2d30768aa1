import { describe, expect, test } from "vitest";
import { functionModel, loadModel, primitives } from "../../src/index.ts";
import { stream } from "../../src/random/index.ts";
import { sizeOf } from "../../src/tensors/index.ts";
import { exportedModels, exportedPath } from "../models/exportedModels.ts";
import { randomLike } from "../models/running.ts";
import { sampled } from "../sampled.ts";
import { compare, ROWS, riskOf, riskWith } from "./layerComparison.ts";

/** Parameters that also enter outside of layers: in a concatenation, an exponent, through a sum of parameters, in a first step without input. */
const ELSEWHERE: { readonly [file: string]: readonly string[] } = {
  "bert_dynamo.onnx": ["model.bert.embeddings.token_type_embeddings.weight"],
  "vit_dynamo.onnx": ["class_token"],
  "vit_torchscript.onnx": ["class_token"],
};

describe("input times cotangent is the gradient, row by row", () => {
  test.each(sampled(Object.keys(exportedModels), 8))("%s", async (name) => {
    const found = await compare(await riskOf(await loadModel(exportedPath(`${name}.onnx`))));
    expect(found.layers).toBeGreaterThan(0);
    expect(found.missing).toEqual([]);
    expect(found.elsewhere).toEqual(ELSEWHERE[`${name}.onnx`] ?? []);
    expect(found.difference).toBeLessThan(1e-12);
    expect(found.ofIgnoredRow).toBe(0);
  });
});

const { add, conv, convInputTranspose, gather, matmul, mul, permute, relu, reshape, scale, tanh } = primitives;

interface Written {
  readonly parameters: { readonly [name: string]: readonly number[] };
  /** Sizes of one row. */
  readonly input: readonly number[];
  readonly apply: Parameters<typeof functionModel>[0]["apply"];
  /** Kind, weight and bias of each layer, by the names of the parameters. */
  readonly layers: readonly string[];
  readonly elsewhere?: readonly string[];
  readonly integers?: true;
}

const written: { readonly [what: string]: Written } = {
  "a weight on the left": {
    parameters: { w: [4, 3], b: [4, 1] },
    input: [3, 5],
    apply: ({ w, b }, { x }) => tanh(add(matmul(w, x), b)),
    layers: ["linear w b"],
  },
  "rows behind positions": {
    parameters: { w: [3, 4], b: [4], g: [4] },
    input: [5, 3],
    apply({ w, b, g }, { x }) {
      const [rows] = x.shape;
      const z = add(matmul(reshape(permute(x, [1, 0, 2]), [5 * rows, 3]), w), b);
      return reshape(permute(reshape(mul(tanh(z), g), [5, rows, 4]), [1, 0, 2]), [rows, 20]);
    },
    layers: ["linear w b", "affine g"],
  },
  "one matrix at two places, and transposed": {
    parameters: { w: [3, 3], b: [3] },
    input: [3],
    apply: ({ w, b }, { x }) => add(matmul(tanh(matmul(relu(matmul(x, w)), w, { transposeB: true })), w), b),
    layers: ["linear w", "linear w", "linear w b"],
  },
  "convolutions in groups, and transposed": {
    parameters: { w: [6, 2, 3, 2], b: [6, 1, 1], u: [6, 2, 2, 3], c: [4, 1, 1] },
    input: [4, 5, 6],
    apply({ w, b, u, c }, { x }) {
      const z = tanh(add(conv(x, w, { groups: 2, strides: [2, 1], padsBefore: [1, 0] }), b));
      const spatial = [2 * z.shape[2], z.shape[3] + 2];
      return add(convInputTranspose(z, u, { groups: 2, strides: [2, 1], spatial }), c);
    },
    layers: ["convolution w b", "convolution u c"],
  },
  "a table, with indices from the end": {
    parameters: { t: [4, 3], p: [5, 3] },
    input: [5],
    apply: ({ t, p }, { x }) => tanh(add(gather(t, x, 0), p)),
    layers: ["embedding t", "affine p"],
    integers: true,
  },
  "scale and shift before a product, which could take them in": {
    parameters: { g: [3], s: [3], w: [3, 2], b: [2] },
    input: [40, 3],
    apply: ({ g, s, w, b }, { x }) => add(matmul(add(mul(tanh(x), g), s), w), b),
    layers: ["affine g s", "linear w b"],
  },
  "numbers before and after a product": {
    parameters: { w: [3, 2], b: [2] },
    input: [3],
    apply: ({ w, b }, { x }) => add(scale(matmul(scale(x, 3), w), 0.5), b),
    layers: ["linear w", "affine b"],
  },
  "a parameter inside a layer and outside": {
    parameters: { w: [3, 3] },
    input: [3],
    apply: ({ w }, { x }) => matmul(matmul(x, w), tanh(w)),
    layers: ["linear w"],
    elsewhere: ["w"],
  },
};

describe("layers of graphs written by hand", () => {
  test.each(Object.entries(written))(
    "%s",
    async (_, { parameters, input, apply, layers, elsewhere = [], integers }) => {
      const model = functionModel({
        parameters: Object.fromEntries(
          Object.entries(parameters).map(([name, dims]) => [
            name,
            { data: Float64Array.from(randomLike(dims, name)), dims },
          ]),
        ),
        inputs: { x: { dims: input, ...(integers && { dtype: "int64" as const }) } },
        apply,
      });
      const dims = [ROWS, ...input];
      const random = stream(6, "indices");
      const data = integers
        ? BigInt64Array.from({ length: sizeOf(dims) }, () => BigInt(Math.floor(8 * random.uniform()) - 4))
        : Float64Array.from(randomLike(dims, "x"));
      const graph = await model.graph({ shapes: { x: dims }, outputs: ["output"] });
      const risk = await riskWith(model, {
        inputs: { x: { data, dims } },
        output: "output",
        dims: graph.outputs.output.shape,
      });
      const found = await compare(risk);
      const names = Object.keys(parameters);
      const shown = found.seen.layers.map(({ kind, weight, bias }) =>
        [kind, ...[weight, bias].flatMap((place) => (place ? [names[place.index]] : []))].join(" "),
      );
      expect(shown).toEqual(layers);
      expect(found.elsewhere).toEqual(elsewhere);
      expect(found.difference).toBeLessThan(1e-13);
      expect(found.ofIgnoredRow).toBe(0);
    },
  );
});
