import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import {
  arrays,
  crossEntropy,
  type EmpiricalRiskOptions,
  empiricalRisk,
  hessian,
  loadModel,
  type Risk,
} from "../../src/index.ts";
import type { Tensor } from "../../src/tensors/index.ts";

interface StoredTensor {
  readonly data: readonly number[];
  readonly dims: readonly number[];
}

/** Numbers of a small model by PyTorch in float64: `hv` is the Hessian's product with v_i = cos(0.37 i + 0.1). */
export interface TorchCase {
  readonly inputs: { readonly [name: string]: StoredTensor };
  readonly targets: StoredTensor;
  readonly lossValue: number;
  readonly parameters: readonly (StoredTensor & {
    readonly name: string;
    readonly gradient: readonly number[];
    readonly hv: readonly number[];
  })[];
}

const folder = (name: string) => fileURLToPath(new URL(name, import.meta.url));

export function torchCase(name: string): TorchCase {
  return JSON.parse(readFileSync(`${folder(name)}/expected.json`, "utf8")) as TorchCase;
}

const BUFFERS: ReadonlyMap<string, readonly string[]> = new Map([["float64_constants_in_float32", ["logs"]]]);

/** The case's objective: cross-entropy on its rows, in float64. */
export async function riskOf(
  name: string,
  options: Partial<EmpiricalRiskOptions> = {},
  batchSize = 100,
): Promise<Risk> {
  const { inputs, targets } = torchCase(name);
  const tensors = Object.fromEntries(
    Object.entries(inputs).map(([key, { data, dims }]): [string, Tensor] => [
      key,
      { data: Float64Array.from(data), dims },
    ]),
  );
  const labels = { data: Int32Array.from(targets.data), dims: targets.dims };
  const data = arrays({ inputs: tensors, targets: labels, batchSize });
  // Buffers of a TorchScript file are stored as parameters are; PyTorch's numbers are those of the parameters.
  const exclude = BUFFERS.get(name) ?? [];
  const model = await loadModel(`${folder(name)}/model.onnx`, { parameters: { exclude } });
  return empiricalRisk({ model, loss: crossEntropy(), data, dtype: "float64", ...options });
}

/** Holds loss, gradient and a product of the Hessian against PyTorch's. */
export async function expectTorch(name: string, risk: Risk): Promise<void> {
  const { parameters, lossValue } = torchCase(name);
  const places = parameters.map((parameter) => placeOf(parameter, risk));
  const flat = (values: (index: number) => readonly number[]) => {
    const vector = new Float64Array(risk.size);
    places.forEach((place, i) => {
      values(i).forEach((value, k) => {
        vector[place[k]] = value;
      });
    });
    return vector;
  };
  let count = 0;
  const v = flat((i) => parameters[i].data.map(() => Math.cos(0.37 * count++ + 0.1)));
  expect(risk.size).toBe(count);
  expect(Math.abs((await risk.loss()) - lossValue)).toBeLessThan(1e-12 * lossValue);
  const gradient = flat((i) => parameters[i].gradient);
  expectNear(await risk.gradient(), gradient);
  expectNear(
    await hessian(risk).matvec(v),
    flat((i) => parameters[i].hv),
  );
}

function expectNear(actual: ArrayLike<number>, expected: Float64Array): void {
  const scale = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const worst = expected.reduce((most, x, i) => Math.max(most, Math.abs(x - actual[i])), 0);
  expect(worst).toBeLessThan(1e-9 * scale);
}

/** Where the entries of PyTorch's parameter lie in ours, which an exporter may have transposed. */
function placeOf({ data, dims }: StoredTensor, risk: Risk): readonly number[] {
  const theta = risk.theta();
  const same = (place: readonly number[]) =>
    place.every((at, k) => Math.abs(theta[at] - data[k]) <= 1e-6 * Math.abs(data[k]));
  for (const parameter of risk.parameters) {
    if (parameter.size !== data.length) continue;
    const straight = data.map((_, k) => parameter.offset + k);
    if (same(straight)) return straight;
    if (dims.length !== 2) continue;
    const [rows, columns] = dims;
    const transposed = data.map((_, k) => parameter.offset + (k % columns) * rows + Math.floor(k / columns));
    if (same(transposed)) return transposed;
  }
  throw new Error(`no parameter of the risk holds the numbers of PyTorch's [${dims}]`);
}
