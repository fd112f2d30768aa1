import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { type BatchLayer, empiricalRisk, arrays, type FileModel, loadModel, meanSquaredError, type Risk } from "../../src/index.ts";
import { sizeOf, type Tensor } from "../../src/tensors/index.ts";
import { exportedModels, exportedPath, storedTensors } from "../models/exportedModels.ts";
import { randomLike } from "../models/running.ts";
import { layerGradients } from "./layerGradients.ts";

const ROWS = 3;
/** One row does not count: nothing of it may appear, and nothing of the others be lost. */
const rowWeights = Float64Array.of(1, 0, 2);

test("explore", async () => {
  const folder = fileURLToPath(new URL("../models/weights", import.meta.url));
  const files = [
    ...Object.keys(exportedModels).map((name) => exportedPath(`${name}.onnx`)),
    ...readdirSync(folder).filter((f) => f.endsWith(".onnx")).map((f) => `${folder}/${f}`),
  ];
  for (const file of files) {
    const short = file.split("/").pop()!;
    try {
      console.log(short, await explore(file));
    } catch (error) {
      console.log(short, "ERROR", String((error as Error).stack).slice(0, 700));
    }
  }
}, 600000);

async function explore(file: string): Promise<string> {
  const model = await loadModel(file);
  const risk = await riskOf(model);
  try {
    let layers: readonly BatchLayer[] = [];
    let elsewhere: readonly number[] = [];
    const product = { build: (b: any) => { const l = b.layered(); layers = l.layers; elsewhere = l.elsewhere; return layerGradients.build(b); } };
    const gradient = await risk.gradient();
    const parts = await risk.engine.total(product as any);
    let worst = 0;
    let zero = 0;
    risk.parameters.forEach(({ offset, size }, i) => {
      if (elsewhere.includes(i) || !parts[`${i}`]) return;
      const data = parts[`${i}`].data as Float64Array;
      const largest = Math.max(...gradient.subarray(offset, offset + size).map(Math.abs), 1e-300);
      for (let j = 0; j < size; j++) {
        const rows = Array.from({ length: ROWS }, (_, r) => data[r * size + j]);
        zero = Math.max(zero, Math.abs(rows[1]));
        worst = Math.max(worst, Math.abs(rows.reduce((a, b) => a + b, 0) - gradient[offset + j]) / largest);
      }
    });
    const missing = risk.parameters.filter((_, i) => !parts[`${i}`] && !elsewhere.includes(i)).map((p) => p.name);
    const kinds: any = {}; for (const l of layers) kinds[l.kind] = (kinds[l.kind] ?? 0) + 1;
    return `${layers.length} ${JSON.stringify(kinds)} worst ${worst.toExponential(1)} zero ${zero} elsewhere ${elsewhere.map((i) => risk.parameters[i].name)} missing ${missing}`;
  } finally {
    await risk.dispose();
  }
}

async function riskOf(model: FileModel): Promise<Risk> {
  const inputs = Object.fromEntries(model.inputs.map(({ name, dtype, dims }, i): [string, Tensor] => {
    const shape = [ROWS, ...dims.slice(1).map((d) => (typeof d === "number" ? d : 4))];
    if (dtype.startsWith("float")) return [name, { data: Float32Array.from(randomLike(shape, name)), dims: shape }];
    return [name, { data: BigInt64Array.from({ length: sizeOf(shape) }, (_, k) => BigInt((k * 7 + i) % 2)), dims: shape }];
  }));
  const output = model.outputs.find((o) => !["label","argmax"].includes(o.name))!.name;
  const graph = await model.graph({ shapes: Object.fromEntries(Object.entries(inputs).map(([n, t]) => [n, t.dims])), outputs: [output] });
  const dims = graph.outputs[output].shape;
  const targets = { data: Float64Array.from(randomLike(dims, "targets")), dims };
  return empiricalRisk({ model, loss: meanSquaredError({ reduction: "sum" }), data: arrays({ inputs, targets, weights: rowWeights } as any), dtype: "float64", output, coupledRows: true });
}
