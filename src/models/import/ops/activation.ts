import { scalar, type Value } from "../../../graph/index.ts";
import {
  abs,
  add,
  div,
  exp,
  gelu,
  greater,
  hardSigmoid,
  less,
  logSoftmax,
  maskedSoftmax,
  mul,
  relu,
  reshape,
  scale,
  sigmoid,
  softmax,
  softplus,
  sub,
  tanh,
  where,
} from "../../../primitives/index.ts";
import { float, type ImportedNode, int, operand, string, unsupported } from "./importedNode.ts";
import type { OperatorTraits } from "./traits.ts";

/** max(x, 0), with derivative 0 at 0 as in PyTorch. */
export function Relu(node: ImportedNode): Value {
  return relu(operand(node, 0));
}

/** Logistic function. */
export function Sigmoid(node: ImportedNode): Value {
  return sigmoid(operand(node, 0));
}
Sigmoid.traits = { activation: { name: "Sigmoid", gives: "probabilities" } } satisfies OperatorTraits;

/** Hyperbolic tangent. */
export function Tanh(node: ImportedNode): Value {
  return tanh(operand(node, 0));
}

/** log(1 + e^x). */
export function Softplus(node: ImportedNode): Value {
  return softplus(operand(node, 0));
}

/** x / (1 + |x|). */
export function Softsign(node: ImportedNode): Value {
  const x = operand(node, 0);
  return div(x, add(scalar(1), abs(x)));
}

/** x where x > 0, else alpha x; derivative alpha at 0, as in PyTorch. */
export function LeakyRelu(node: ImportedNode): Value {
  const x = operand(node, 0);
  return where(positive(x), x, scale(x, float(node, "alpha", 0.01)));
}

/** x where x > 0, else slope x, with a slope for each channel or one for all; derivative in x is the slope at 0, as in PyTorch. */
export function PRelu(node: ImportedNode): Value {
  const x = operand(node, 0);
  return where(positive(x), x, mul(operand(node, 1), x));
}
PRelu.traits = { roles: [undefined, "slope"] } satisfies OperatorTraits;

/** x where x > alpha, else 0; derivative 0 at alpha, as in PyTorch's `threshold`. */
export function ThresholdedRelu(node: ImportedNode): Value {
  const x = operand(node, 0);
  return where(greater(x, scalar(float(node, "alpha", 1))), x, scalar(0));
}

/** x where x > 0, else alpha (e^x - 1); derivative alpha at 0, as in PyTorch. */
export function Elu(node: ImportedNode): Value {
  return exponentialUnit(operand(node, 0), { alpha: float(node, "alpha", 1), gamma: 1, width: 1 });
}

/** x where x > 0, else alpha (e^(x / alpha) - 1). */
export function Celu(node: ImportedNode): Value {
  const alpha = float(node, "alpha", 1);
  return exponentialUnit(operand(node, 0), { alpha, gamma: 1, width: alpha });
}

/** gamma x where x > 0, else gamma alpha (e^x - 1); derivative gamma alpha at 0, as in PyTorch. */
export function Selu(node: ImportedNode): Value {
  const alpha = float(node, "alpha", 1.6732632423543772);
  return exponentialUnit(operand(node, 0), { alpha, gamma: float(node, "gamma", 1.0507009873554805), width: 1 });
}

function exponentialUnit(
  x: Value,
  { alpha, gamma, width }: { readonly alpha: number; readonly gamma: number; readonly width: number },
): Value {
  // The exponential never sees what it is not used for: infinity times zero would be in the derivative.
  const negative = where(positive(x), scalar(0), x);
  const below = scale(sub(exp(scale(negative, 1 / width)), scalar(1)), alpha * gamma);
  return where(positive(x), scale(x, gamma), below);
}

/** max(0, min(1, alpha x + beta)); derivative 0 at both kinks, as in PyTorch. */
export function HardSigmoid(node: ImportedNode): Value {
  return hardSigmoid(operand(node, 0), { alpha: float(node, "alpha", 0.2), beta: float(node, "beta", 0.5) });
}

/** x max(0, min(1, x / 6 + 1/2)); derivatives -1/2 at -3 and 3/2 at 3, as in PyTorch. */
export function HardSwish(node: ImportedNode): Value {
  const x = operand(node, 0);
  // Written with the middle piece closed: a clipped factor would have derivative 0 at -3 and 1 at 3.
  const middle = mul(x, add(scale(x, 1 / 6), scalar(0.5)));
  return where(greater(x, scalar(3)), x, where(less(x, scalar(-3)), scalar(0), middle));
}

/** x tanh(log(1 + e^x)). */
export function Mish(node: ImportedNode): Value {
  const x = operand(node, 0);
  return mul(x, tanh(softplus(x)));
}

/** x / (1 + e^(-alpha x)), alpha = 1 by default. */
export function Swish(node: ImportedNode): Value {
  const x = operand(node, 0);
  return mul(x, sigmoid(scale(x, float(node, "alpha", 1))));
}

/** x Phi(x) with the normal distribution function Phi, or its approximation by tanh. */
export function Gelu(node: ImportedNode): Value {
  const approximate = string(node, "approximate", "none");
  if (approximate !== "none" && approximate !== "tanh") throw unsupported(node, `approximates by "${approximate}"`);
  return gelu(operand(node, 0), { approximate });
}
Gelu.traits = { microsoft: true } satisfies OperatorTraits;

/** Gelu of x plus a bias. */
export function BiasGelu(node: ImportedNode): Value {
  return gelu(add(operand(node, 0), operand(node, 1)));
}
BiasGelu.traits = { microsoft: true, roles: [undefined, "bias"] } satisfies OperatorTraits;

/** The approximation of Gelu by tanh, of x plus a bias if there is one. */
export function FastGelu(node: ImportedNode): Value {
  const bias = node.inputs[1];
  const x = operand(node, 0);
  return gelu(bias === undefined ? x : add(x, bias), { approximate: "tanh" });
}
FastGelu.traits = { microsoft: true, roles: [undefined, "bias"] } satisfies OperatorTraits;

/** x / (1 + e^(-alpha x)), alpha = 1.702 by default. */
export function QuickGelu(node: ImportedNode): Value {
  const x = operand(node, 0);
  return mul(x, sigmoid(scale(x, float(node, "alpha", 1.702))));
}
QuickGelu.traits = { microsoft: true } satisfies OperatorTraits;

/** Softmax along an axis; before opset 13 over all axes from `axis` on together, as one row. */
export function Softmax(node: ImportedNode): Value {
  // Rows without any finite entry are NaN; the mask below removes them.
  const masked = node.consumers.includes("IsNaN");
  return rowwise(node, masked ? maskedSoftmax : softmax);
}
Softmax.traits = { activation: { name: "Softmax", gives: "probabilities" }, formSince: 13 } satisfies OperatorTraits;

/** Logarithm of Softmax. */
export function LogSoftmax(node: ImportedNode): Value {
  return rowwise(node, logSoftmax);
}
LogSoftmax.traits = { activation: { name: "LogSoftmax", gives: "logarithms" }, formSince: 13 } satisfies OperatorTraits;

function rowwise(node: ImportedNode, along: (x: Value, axis: number) => Value): Value {
  const x = operand(node, 0);
  if (node.opset >= 13) return along(x, int(node, "axis", -1));
  const axis = int(node, "axis", 1);
  const from = axis < 0 ? axis + x.shape.length : axis;
  const size = (dims: readonly number[]) => dims.reduce((product, dim) => product * dim, 1);
  return reshape(along(reshape(x, [size(x.shape.slice(0, from)), size(x.shape.slice(from))]), 1), x.shape);
}

function positive(x: Value): Value {
  return greater(x, scalar(0));
}
