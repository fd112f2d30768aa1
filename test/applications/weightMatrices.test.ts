import { expect, test } from "vitest";
import { weightMatrices } from "../../src/applications/weightMatrices.ts";
import { arrays, empiricalRisk, loadModel, meanSquaredError, type Tensor } from "../../src/index.ts";
import { stream } from "../../src/random/index.ts";
import { tinyModel } from "../models/tinyModel.ts";

const random = stream(3, "weights");
const numbers = (dims: readonly number[]): Tensor => ({
  data: Float32Array.from({ length: dims.reduce((a, b) => a * b) }, () => random.normal()),
  dims,
});

/** A network whose operators read x and one weight. */
async function riskOf(
  op: string,
  weight: readonly number[],
  { x, y, attributes = {} }: { x: number[]; y: number[]; attributes?: object },
) {
  const model = await loadModel(
    tinyModel({
      inputs: [{ name: "x", dtype: "float32", dims: ["n", ...x] }],
      nodes: [{ op, inputs: ["x", "W"], outputs: ["y"], attributes: attributes as never }],
      initializers: [{ name: "W", tensor: numbers(weight) }],
    }),
    { parameters: { include: ["W"] } },
  );
  const data = arrays({ inputs: numbers([3, ...x]), targets: numbers([3, ...y]) });
  return empiricalRisk({ model, loss: meanSquaredError(), data, dtype: "float64" });
}

/** The entries of a tensor `dims` for which the output `of` names is `row`, in their order. */
function entriesOf(dims: readonly number[], of: (place: readonly number[]) => number, row: number): number[] {
  const size = dims.reduce((a, b) => a * b);
  const places = Array.from({ length: size }, (_, k) => {
    let rest = k;
    return dims.toReversed().map((dim) => {
      const place = rest % dim;
      rest = (rest - place) / dim;
      return place;
    });
  }).map((place) => place.toReversed());
  return places.flatMap((place, k) => (of(place) === row ? [k] : []));
}

test.each([
  { op: "MatMul", weight: [4, 3], x: [4], y: [3], outputs: 3, of: ([, j]: readonly number[]) => j! },
  {
    op: "Gemm",
    weight: [3, 4],
    x: [4],
    y: [3],
    attributes: { transB: { int: 1 } },
    outputs: 3,
    of: ([i]: readonly number[]) => i!,
  },
  { op: "Conv", weight: [4, 2, 3], x: [2, 5], y: [4, 3], outputs: 4, of: ([i]: readonly number[]) => i! },
  {
    op: "Conv",
    weight: [4, 1, 3],
    x: [2, 5],
    y: [4, 3],
    attributes: { group: { int: 2 } },
    outputs: 4,
    of: ([i]: readonly number[]) => i!,
  },
  { op: "ConvTranspose", weight: [2, 3, 2], x: [2, 5], y: [3, 6], outputs: 3, of: ([, j]: readonly number[]) => j! },
  {
    op: "ConvTranspose",
    weight: [4, 3, 2],
    x: [4, 5],
    y: [6, 6],
    attributes: { group: { int: 2 } },
    outputs: 6,
    of: ([i, j]: readonly number[]) => 3 * Math.floor(i! / 2) + j!,
  },
])("$op with weights $weight and attributes $attributes: the weights of each output", async (sample) => {
  const { op, weight, outputs, of, x, y, attributes = {} } = sample;
  const risk = await riskOf(op, weight, { x, y, attributes });
  const [matrix, ...others] = await weightMatrices(risk);
  expect(others).toEqual([]);
  expect(matrix).toMatchObject({ parameter: "W", rows: outputs });
  const { columns, index } = matrix!;
  for (let row = 0; row < outputs; row++) {
    const found = [...index.subarray(row * columns, (row + 1) * columns)].sort((a, b) => a - b);
    expect(found).toEqual(entriesOf(weight, of, row));
  }
  await risk.dispose();
});
