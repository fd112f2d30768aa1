import { jvp, vjp } from "../autodiff/index.ts";
import { CurvatureError } from "../errors/index.ts";
import { input, scalar, type Value } from "../graph/index.ts";
import type { LinearOperator, RunOptions } from "../linalg/operator/operator.ts";
import { zeros as zeroValue } from "../primitives/index.ts";
import { sizeOf, type Tensor, toPrecision, type Vector, zeros } from "../tensors/index.ts";
import { checkLength, vectorFeeds, vectorName } from "./engine/flatVectors.ts";
import type { BatchGraph, BatchProduct, Risk } from "./engine/risk.ts";
import { checkRisk } from "./products/checkRisk.ts";
import { scaledLoss } from "./products/lossAndGradient.ts";
import { rowProduct } from "./products/rowProduct.ts";

/** The input with respect to which to differentiate; default: the model's only one. */
export interface InputOptions {
  readonly input?: string;
}

/**
 * Gradient of the risk with respect to an input, [rows, ...]: forces, saliency, adversarial directions. Row n is c times the gradient of
 * the row's weighted loss. One forward and backward pass.
 *
 * @throws CurvatureError "argument" for an input that the model does not have, or that is not of floats
 */
export async function inputGradient(
  risk: Risk,
  { input: name, ...options }: InputOptions & RunOptions = {},
): Promise<Tensor> {
  checkRisk(risk, "inputGradient");
  const variable = chosenInput(risk, name);
  const perRow = sizeOf(variable.dims);
  const data = zeros(risk.rows * perRow, risk.dtype);
  await risk.engine.run(gradientProduct(variable.name), {
    collect: ({ result }, { start }) => data.set(result.data as Vector, start * perRow),
    options,
  });
  return { data, dims: [risk.rows, ...variable.dims] };
}

/**
 * Gradient with respect to an input of the derivative of the risk along a direction v of the parameters, [rows, ...]: the mixed second derivative times v. Row n is c
 * times that of the row's weighted loss. One forward and backward pass with tangents, about three gradients.
 *
 * @throws CurvatureError "argument" as `inputGradient`, "shape" for a direction of another length
 */
export async function inputTangentGradient(
  risk: Risk,
  v: Vector,
  { input: name, ...options }: InputOptions & RunOptions = {},
): Promise<Tensor> {
  checkRisk(risk, "inputTangentGradient");
  checkLength(v, risk.size);
  const variable = chosenInput(risk, name);
  const perRow = sizeOf(variable.dims);
  const data = zeros(risk.rows * perRow, risk.dtype);
  const feeds = vectorFeeds(toPrecision(v, risk.dtype), risk.parameters);
  await risk.engine.run(tangentProduct(variable.name), {
    feed: () => feeds,
    collect: ({ result }, { start }) => data.set(result.data as Vector, start * perRow),
    options,
  });
  return { data, dims: [risk.rows, ...variable.dims] };
}

/**
 * Hessian of the risk with respect to an input, [rows d, rows d] with d entries a row: block-diagonal, one block per row. Symmetric. A
 * product is one pass over the data, about two gradients.
 *
 * @throws CurvatureError "argument" as `inputGradient`
 */
export function inputHessian(risk: Risk, { input: name }: InputOptions = {}): LinearOperator {
  checkRisk(risk, "inputHessian");
  const variable = chosenInput(risk, name);
  const size = sizeOf(variable.dims);
  const product = hessianProduct(variable.name);
  const matvec = rowProduct(risk, { product, sizes: [size, size], name: "input Hessian" });
  return { shape: [risk.rows * size, risk.rows * size], dtype: risk.dtype, symmetric: true, psd: false, matvec };
}

/**
 * Jacobian of the model's outputs with respect to an input, [rows o, rows d] with o outputs and d entries a row: block-diagonal, one block
 * per row, unscaled. A product is one pass over the data, about one gradient. A product with the adjoint costs the same.
 *
 * @throws CurvatureError "argument" as `inputGradient`
 */
export function inputJacobian(risk: Risk, { input: name }: InputOptions = {}): LinearOperator {
  checkRisk(risk, "inputJacobian");
  const variable = chosenInput(risk, name);
  const { rows, layout, dtype } = risk;
  const size = sizeOf(variable.dims);
  const outputs = layout.positions * layout.outputs;
  const shared = { dtype, symmetric: false, psd: false } as const;
  const called = { name: "input Jacobian" } as const;
  const operator: LinearOperator = {
    ...shared,
    shape: [rows * outputs, rows * size],
    matvec: rowProduct(risk, { ...called, product: forwardProduct(variable.name), sizes: [size, outputs] }),
    adjoint: () => transposed,
  };
  const transposed: LinearOperator = {
    ...shared,
    shape: [rows * size, rows * outputs],
    matvec: rowProduct(risk, { ...called, product: backwardProduct(variable.name), sizes: [outputs, size] }),
    adjoint: () => operator,
  };
  return operator;
}

const gradientProduct = byInput((name) => ({
  build: (batch) => ({ outputs: { result: gradientIn(batch, batch.inputs[name]) } }),
}));

const tangentProduct = byInput((name) => ({
  build(batch) {
    const x = batch.inputs[name];
    const v = batch.parameters.map(({ shape }, i) => input(vectorName(i), shape));
    const [result] = jvp([gradientIn(batch, x)], batch.parameters, v);
    return {
      vectors: Object.fromEntries(v.map((value, i) => [vectorName(i), value])),
      outputs: { result: result ?? zeroValue(x.shape) },
    };
  },
}));

const hessianProduct = byInput((name) => ({
  build(batch) {
    const x = batch.inputs[name];
    const u = input("u", x.shape);
    const [result] = jvp([gradientIn(batch, x)], [x], [u]);
    return { vectors: { u }, outputs: { result: result ?? zeroValue(x.shape) } };
  },
}));

const forwardProduct = byInput((name) => ({
  build({ inputs, output }) {
    const x = inputs[name];
    const u = input("u", x.shape);
    return { vectors: { u }, outputs: { result: jvp([output], [x], [u])[0] ?? zeroValue(output.shape) } };
  },
}));

const backwardProduct = byInput((name) => ({
  build({ inputs, output }) {
    const u = input("u", output.shape);
    return { vectors: { u }, outputs: { result: vjp([output], [inputs[name]], [u])[0] } };
  },
}));

/** Creates the product for an input once, so that all risks of a family share its programs. */
function byInput(make: (name: string) => BatchProduct): (name: string) => BatchProduct {
  const made = new Map<string, BatchProduct>();
  return (name) => {
    const known = made.get(name) ?? make(name);
    made.set(name, known);
    return known;
  };
}

function gradientIn(batch: BatchGraph, x: Value): Value {
  return vjp([scaledLoss(batch)], [x], [scalar(1)])[0];
}

/** Name and sizes of one row of an input of floats. */
function chosenInput(
  { model, data }: Risk,
  name: string | undefined,
): { readonly name: string; readonly dims: readonly number[] } {
  const names = model.inputs.map((each) => `"${each.name}"`).join(", ");
  const found =
    name === undefined && model.inputs.length === 1 ? model.inputs[0] : model.inputs.find((each) => each.name === name);
  if (found === undefined) {
    throw new CurvatureError(
      "argument",
      `${name === undefined ? "choose an input to differentiate in" : `there is no input "${name}"`}; ${model.name} has ${names}`,
    );
  }
  if (!found.dtype.startsWith("float")) {
    throw new CurvatureError(
      "argument",
      `input "${found.name}" holds ${found.dtype}, which has no derivative; differentiate in an input of floats`,
    );
  }
  const row = data.inputs[found.name] ?? data.inputs[""];
  return { name: found.name, dims: row.dims };
}
