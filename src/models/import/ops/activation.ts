import type { Value } from "../../../graph/index.ts";
import { logSoftmax, maskedSoftmax, relu, reshape, sigmoid, softmax, tanh } from "../../../primitives/index.ts";
import { type ImportedNode, int, operand } from "../importedNode.ts";

/** max(x, 0), with derivative 0 at 0 as in PyTorch. */
export function Relu(node: ImportedNode): Value {
  return relu(operand(node, 0));
}

/** Logistic function. */
export function Sigmoid(node: ImportedNode): Value {
  return sigmoid(operand(node, 0));
}

/** Hyperbolic tangent. */
export function Tanh(node: ImportedNode): Value {
  return tanh(operand(node, 0));
}

/** Softmax along an axis; before opset 13 over all axes from `axis` on together, as one row. */
export function Softmax(node: ImportedNode): Value {
  // What follows masks out rows without any finite entry, which are NaN.
  const masked = node.consumers.includes("IsNaN");
  return rowwise(node, masked ? maskedSoftmax : softmax);
}

/** Logarithm of Softmax. */
export function LogSoftmax(node: ImportedNode): Value {
  return rowwise(node, logSoftmax);
}

function rowwise(node: ImportedNode, along: (x: Value, axis: number) => Value): Value {
  const x = operand(node, 0);
  if (node.opset >= 13) return along(x, int(node, "axis", -1));
  const axis = int(node, "axis", 1);
  const from = axis < 0 ? axis + x.shape.length : axis;
  const size = (dims: readonly number[]) => dims.reduce((product, dim) => product * dim, 1);
  return reshape(along(reshape(x, [size(x.shape.slice(0, from)), size(x.shape.slice(from))]), 1), x.shape);
}
