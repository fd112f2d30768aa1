import { expect } from "vitest";
import { arrays } from "../../src/data/index.ts";
import { meanSquaredError } from "../../src/losses/index.ts";
import { inspectModel, loadModel } from "../../src/models/index.ts";
import { type Initializer, type OnnxNode, type ValueInfo, writeModel } from "../../src/onnx/index.ts";
import { empiricalRisk, hessian } from "../../src/operators/index.ts";

const WIDTH = 2;

/** A file of nodes from "x" to "y", [N, WIDTH] both. */
function fileOf(name: string, nodes: readonly OnnxNode[], initializers: readonly Initializer[]): Uint8Array {
  const info = (value: string): ValueInfo => ({ name: value, dtype: "float32", dims: ["N", WIDTH] });
  const graph = { name, nodes, inputs: [info("x")], outputs: [info("y")], initializers };
  return writeModel({ producer: "test", opsets: { "": 17 }, graph });
}

/** File of a network of Gemm and Tanh, `layers` times. */
function chain(layers: number): Uint8Array {
  const nodes: OnnxNode[] = [];
  const initializers: Initializer[] = [];
  for (let i = 0; i < layers; i++) {
    const [w, b] = [`w${i}`, `b${i}`];
    const turn = 0.3 * Math.sin(i);
    const rotation = [Math.cos(turn), -Math.sin(turn), Math.sin(turn), Math.cos(turn)].map((x) => 1.05 * x);
    initializers.push({ name: w, tensor: { data: Float32Array.from(rotation), dims: [WIDTH, WIDTH] } });
    initializers.push({ name: b, tensor: { data: Float32Array.of(0.02 * Math.cos(3 * i), 0.01), dims: [WIDTH] } });
    nodes.push({ op: "Gemm", inputs: [i === 0 ? "x" : `h${i - 1}`, w, b], outputs: [`a${i}`], attributes: {} });
    nodes.push({ op: "Tanh", inputs: [`a${i}`], outputs: [i === layers - 1 ? "y" : `h${i}`], attributes: {} });
  }
  return fileOf("chain", nodes, initializers);
}

/** File of the sum of tanh(w_i x) over `branches` weights. */
function sumOfBranches(branches: number): Uint8Array {
  const nodes: OnnxNode[] = [];
  const initializers: Initializer[] = [];
  for (let i = 0; i < branches; i++) {
    const weights = Float32Array.of(Math.sin(i) / branches, Math.cos(i) / branches);
    initializers.push({ name: `w${i}`, tensor: { data: weights, dims: [WIDTH] } });
    nodes.push({ op: "Mul", inputs: ["x", `w${i}`], outputs: [`m${i}`], attributes: {} });
    nodes.push({ op: "Tanh", inputs: [`m${i}`], outputs: [`t${i}`], attributes: {} });
  }
  nodes.push({
    op: "Sum",
    inputs: nodes.flatMap(({ op, outputs }) => (op === "Tanh" ? outputs : [])),
    outputs: ["y"],
    attributes: {},
  });
  return fileOf("branches", nodes, initializers);
}

/** The files of deep and wide graphs by name. */
export const deepFiles = { chain, "sum of branches": sumOfBranches } as const;

/**
 * Reads a file of `size` layers or branches, and holds gradient and Hessian product to central differences of the loss and the gradient
 * along a direction, in float64.
 */
export async function checkDeep(kind: keyof typeof deepFiles, size: number): Promise<void> {
  const model = await loadModel(deepFiles[kind](size));
  expect(inspectModel(model).operators.reduce((sum, { count }) => sum + count, 0)).toBeGreaterThanOrEqual(2 * size);
  const inputs = { data: Float64Array.of(0.3, -0.2, 0.5, 0.1), dims: [2, WIDTH] };
  const targets = { data: Float64Array.of(1, -1, 0.5, 2), dims: [2, WIDTH] };
  const risk = await empiricalRisk({
    model,
    loss: meanSquaredError(),
    data: arrays({ inputs, targets }),
    dtype: "float64",
  });
  const v = Float64Array.from({ length: risk.size }, (_, i) => Math.sin(1 + i) / Math.sqrt(risk.size));
  const theta = risk.theta();
  const at = (step: number) => risk.at(Float64Array.from(theta, (weight, i) => weight + step * v[i]));
  const dot = (a: ArrayLike<number>) => v.reduce((sum, x, i) => sum + x * a[i], 0);
  const step = 1e-4;
  const [after, before] = [at(step), at(-step)];
  const [gradient, product] = [await risk.gradient(), await hessian(risk).matvec(v)];
  const slope = ((await after.loss()) - (await before.loss())) / (2 * step);
  const [g1, g0] = [await after.gradient(), await before.gradient()];
  expect(Math.abs(dot(gradient) - slope)).toBeLessThan(1e-6 * (Math.abs(slope) + Math.hypot(...gradient)));
  const largest = Array.from(product).reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  product.forEach((x, i) => {
    expect(Math.abs(x - (g1[i] - g0[i]) / (2 * step))).toBeLessThan(1e-5 * largest);
  });
  await risk.dispose();
}
