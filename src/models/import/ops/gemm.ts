import type { Value } from "../../../graph/index.ts";
import { add, matmul, reshape, scale } from "../../../primitives/index.ts";
import { float, type ImportedNode, int, operand, string, unsupported } from "./importedNode.ts";
import { activated } from "./namedActivation.ts";
import type { OperatorTraits } from "./traits.ts";

/** alpha A' B' + beta C, with A and B transposed as the attributes say. */
export function Gemm(node: ImportedNode): Value {
  const options = { transposeA: int(node, "transA", 0) !== 0, transposeB: int(node, "transB", 0) !== 0 };
  const product = scale(matmul(operand(node, 0), operand(node, 1), options), float(node, "alpha", 1));
  const bias = node.inputs[2];
  return bias === undefined ? product : add(product, scale(bias, float(node, "beta", 1)));
}
Gemm.traits = { linear: true, roles: ["weight", "weight", "bias"] } satisfies OperatorTraits;

/** Gemm and an activation function (ONNX Runtime's own). */
export function FusedGemm(node: ImportedNode): Value {
  const parameters = ["alpha", "beta", "gamma"].map((name) => float(node, `activation_${name}`, Number.NaN));
  const given = parameters.filter((parameter) => !Number.isNaN(parameter));
  return activated(node, Gemm(node), { name: string(node, "activation", ""), parameters: given });
}
FusedGemm.traits = { microsoft: true, roles: ["weight", "weight", "bias"] } satisfies OperatorTraits;

/** NumPy's matmul: products of the last two axes; an operand with one axis is a row on the left, a column on the right. */
export function MatMul(node: ImportedNode): Value {
  const [a, b] = [operand(node, 0), operand(node, 1)];
  const left = a.shape.length === 1 ? reshape(a, [1, ...a.shape]) : a;
  const right = b.shape.length === 1 ? reshape(b, [...b.shape, 1]) : b;
  const product = matmul(left, right);
  const shape = product.shape.filter((_, axis) => {
    const added =
      (a.shape.length === 1 && axis === product.shape.length - 2) ||
      (b.shape.length === 1 && axis === product.shape.length - 1);
    return !added;
  });
  return reshape(product, shape);
}
MatMul.traits = { linear: true, roles: ["weight", "weight"] } satisfies OperatorTraits;

/** alpha times the product of the last two axes, transposed as the attributes say (ONNX Runtime's own). */
export function FusedMatMul(node: ImportedNode): Value {
  if (int(node, "transBatchA", 0) !== 0 || int(node, "transBatchB", 0) !== 0) {
    throw unsupported(node, "moves its leading axes");
  }
  const options = { transposeA: int(node, "transA", 0) !== 0, transposeB: int(node, "transB", 0) !== 0 };
  return scale(matmul(operand(node, 0), operand(node, 1), options), float(node, "alpha", 1));
}
FusedMatMul.traits = { microsoft: true, linear: true, roles: ["weight", "weight"] } satisfies OperatorTraits;
