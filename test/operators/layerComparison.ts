import {
  arrays,
  type BatchLayers,
  type BatchProduct,
  empiricalRisk,
  type FileModel,
  type Model,
  meanSquaredError,
  type Risk,
} from "../../src/index.ts";
import { stream } from "../../src/random/index.ts";
import { sizeOf, type Tensor } from "../../src/tensors/index.ts";
import { randomLike } from "../models/running.ts";
import { layerGradients } from "./layerGradients.ts";

/** Rows of the batch. */
export const ROWS = 3;
/** The second row does not count: nothing of it may appear in the others, and nothing of the others in it. */
const rowWeights = [1, 0, 2];

/** The gradient by layers against the engine's, relative to its largest entry. */
export async function compare(risk: Risk) {
  await using used = risk;
  let seen: BatchLayers = { layers: [], elsewhere: [] };
  const product: BatchProduct = {
    build(batch) {
      seen = batch.layered();
      return layerGradients.build(batch);
    },
  };
  const gradient = await used.gradient();
  const parts = await used.engine.total(product);
  const largest = Math.max(...Array.from(gradient, Math.abs));
  let [difference, ofIgnoredRow] = [0, 0];
  used.parameters.forEach(({ offset, size }, i) => {
    if (seen.elsewhere.includes(i) || parts[`${i}`] === undefined) return;
    const data = parts[`${i}`].data as Float64Array;
    for (let j = 0; j < size; j++) {
      const rows = Array.from({ length: ROWS }, (_, row) => data[row * size + j]);
      ofIgnoredRow = Math.max(ofIgnoredRow, Math.abs(rows[1]));
      const sum = rows.reduce((a, b) => a + b, 0);
      difference = Math.max(difference, Math.abs(sum - gradient[offset + j]) / largest);
    }
  });
  const named = (keep: (index: number) => boolean) => used.parameters.flatMap(({ name }, i) => (keep(i) ? [name] : []));
  return {
    layers: seen.layers.length,
    seen,
    difference,
    ofIgnoredRow,
    elsewhere: named((i) => seen.elsewhere.includes(i)),
    missing: named((i) => {
      const { offset, size } = used.parameters[i];
      const counts = gradient.subarray(offset, offset + size).some((entry) => entry !== 0);
      return counts && parts[`${i}`] === undefined && !seen.elsewhere.includes(i);
    }),
  };
}

/** The sum of squares of the first output of floats against random targets, for random inputs. */
export async function riskOf(model: FileModel, { coupledRows = true } = {}): Promise<Risk> {
  const random = stream(5, model.name.split("/").pop()!);
  const inputs = Object.fromEntries(
    model.inputs.map(({ name, dtype, dims: [, ...rest] }): [string, Tensor] => {
      const dims = [ROWS, ...rest.map((dim) => (typeof dim === "number" ? dim : 4))];
      const size = sizeOf(dims);
      const data = dtype.startsWith("float")
        ? Float32Array.from({ length: size }, () => random.normal())
        : BigInt64Array.from({ length: size }, () => BigInt(Math.floor(2 * random.uniform())));
      return [name, { data, dims }];
    }),
  );
  const shapes = Object.fromEntries(Object.entries(inputs).map(([name, { dims }]) => [name, dims]));
  const names = model.outputs.map(({ name }) => name);
  const { outputs } = await model.graph({ shapes, outputs: names });
  const output = names.find((name) => outputs[name].type === "float")!;
  return riskWith(model, { inputs, output, dims: outputs[output].shape, coupledRows });
}

/** The sum of squares against random targets. */
export function riskWith(
  model: Model,
  {
    inputs,
    output,
    dims,
    coupledRows = true,
  }: {
    readonly inputs: { readonly [name: string]: Tensor };
    readonly output: string;
    readonly dims: readonly number[];
    readonly coupledRows?: boolean;
  },
): Promise<Risk> {
  const targets = { data: Float64Array.from(randomLike(dims, "targets")), dims };
  const data = arrays({ inputs, targets, weights: rowWeights });
  return empiricalRisk({
    model,
    loss: meanSquaredError({ reduction: "sum" }),
    data,
    dtype: "float64",
    output,
    coupledRows,
  });
}
