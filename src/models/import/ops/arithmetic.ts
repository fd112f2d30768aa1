import { constantTensor, type Value } from "../../../graph/index.ts";
import {
  abs,
  acos,
  acosh,
  add,
  asin,
  asinh,
  atan,
  atanh,
  broadcast,
  cast,
  clip,
  cos,
  cosh,
  div,
  equal,
  erf,
  exp,
  floor,
  greater,
  greaterOrEqual,
  isNaN,
  less,
  lessOrEqual,
  log,
  maximum,
  minimum,
  mul,
  neg,
  pow,
  power,
  reciprocal,
  remainder,
  round,
  scale,
  sign,
  sin,
  sinh,
  sqrt,
  sub,
} from "../../../primitives/index.ts";
import { bound, type ImportedNode, operand, outputShape } from "./importedNode.ts";
import type { OperatorTraits } from "./traits.ts";

/** a + b with broadcasting. */
export function Add(node: ImportedNode): Value {
  return add(operand(node, 0), operand(node, 1));
}
Add.traits = { adds: true, constantRole: "offset" } satisfies OperatorTraits;

/** a - b with broadcasting. */
export function Sub(node: ImportedNode): Value {
  return sub(operand(node, 0), operand(node, 1));
}
Sub.traits = { constantRole: "offset" } satisfies OperatorTraits;

/** a b with broadcasting. */
export function Mul(node: ImportedNode): Value {
  return mul(operand(node, 0), operand(node, 1));
}
Mul.traits = { constantRole: "factor" } satisfies OperatorTraits;

/** a / b with broadcasting. */
export function Div(node: ImportedNode): Value {
  return div(operand(node, 0), operand(node, 1));
}
Div.traits = { constantRole: "factor" } satisfies OperatorTraits;

/** -x. */
export function Neg(node: ImportedNode): Value {
  return neg(operand(node, 0));
}

/** Sum of any number of tensors with broadcasting. */
export function Sum(node: ImportedNode): Value {
  return node.inputs.map((_, i) => operand(node, i)).reduce(add);
}

/** Mean of any number of tensors with broadcasting. */
export function Mean(node: ImportedNode): Value {
  return scale(Sum(node), 1 / node.inputs.length);
}

/** Maximum of any number of tensors with broadcasting; two that are equal get half the derivative each, as in PyTorch. */
export function Max(node: ImportedNode): Value {
  return node.inputs.map((_, i) => operand(node, i)).reduce(maximum);
}

/** Minimum of any number of tensors with broadcasting; two that are equal get half the derivative each, as in PyTorch. */
export function Min(node: ImportedNode): Value {
  return node.inputs.map((_, i) => operand(node, i)).reduce(minimum);
}

/**
 * min(max(x, low), high), the bounds being attributes before opset 11; derivative 0 at constant bounds, as of PyTorch's clamp,
 * hardtanh and relu6. Where x equals a bound that depends on weights or data, they share it, as Max and Min do.
 */
export function Clip(node: ImportedNode): Value {
  const x = operand(node, 0);
  const [low, high] = [1, 2].map((i) => node.inputs[i]);
  if ([low, high].some((value) => value !== undefined && constantTensor(value) === undefined)) {
    const raised = low === undefined ? x : maximum(x, low);
    return high === undefined ? raised : minimum(raised, high);
  }
  return clip(x, { low: bound(node, "min", 1) ?? -Infinity, high: bound(node, "max", 2) ?? Infinity });
}
Clip.traits = { formSince: 11 } satisfies OperatorTraits;

/**
 * x to the power of y with broadcasting. A constant exponent has no derivative, so x = 0 is allowed. Powers of integers are
 * rounded towards 0.
 */
export function Pow(node: ImportedNode): Value {
  const { type } = operand(node, 0);
  const [x, y] = [0, 1].map((position) => cast(operand(node, position), "float"));
  const result = y.uniform === undefined ? power(x, y) : pow(broadcast(x, outputShape(node)), y.uniform);
  return cast(result, type);
}

/** Error function. */
export function Erf(node: ImportedNode): Value {
  return erf(operand(node, 0));
}

/** Square root; its derivative at 0 is infinite, as in PyTorch, but 0 for the root of a sum of squares, as of PyTorch's norm. */
export function Sqrt(node: ImportedNode): Value {
  return sqrt(operand(node, 0));
}

/** e^x. */
export function Exp(node: ImportedNode): Value {
  return exp(operand(node, 0));
}

/**
 * Natural logarithm. Of a Softmax or a Sigmoid it is their logarithm in one, which stays finite with a derivative where the
 * probability itself is rounded to 0 (ONNX Runtime, node by node, gives minus infinity there).
 */
export function Log(node: ImportedNode): Value {
  const x = operand(node, 0);
  return x.primitive.logarithm?.(x) ?? log(x);
}

/** |x|, with derivative 0 at 0 as in PyTorch. */
export function Abs(node: ImportedNode): Value {
  return abs(operand(node, 0));
}

/** 1 / x. */
export function Reciprocal(node: ImportedNode): Value {
  return reciprocal(operand(node, 0));
}

/** Sine. */
export function Sin(node: ImportedNode): Value {
  return sin(operand(node, 0));
}

/** Cosine. */
export function Cos(node: ImportedNode): Value {
  return cos(operand(node, 0));
}

/** Tangent, sin(x) / cos(x). */
export function Tan(node: ImportedNode): Value {
  const x = operand(node, 0);
  return div(sin(x), cos(x));
}

/** Arc sine; its derivative at -1 and 1 is infinite, as in PyTorch. */
export function Asin(node: ImportedNode): Value {
  return asin(operand(node, 0));
}

/** Arc cosine; its derivative at -1 and 1 is infinite, as in PyTorch. */
export function Acos(node: ImportedNode): Value {
  return acos(operand(node, 0));
}

/** Arc tangent. */
export function Atan(node: ImportedNode): Value {
  return atan(operand(node, 0));
}

/** Hyperbolic sine. */
export function Sinh(node: ImportedNode): Value {
  return sinh(operand(node, 0));
}

/** Hyperbolic cosine. */
export function Cosh(node: ImportedNode): Value {
  return cosh(operand(node, 0));
}

/** Inverse of the hyperbolic sine. */
export function Asinh(node: ImportedNode): Value {
  return asinh(operand(node, 0));
}

/** Inverse of the hyperbolic cosine; its derivative at 1 is infinite, as in PyTorch. */
export function Acosh(node: ImportedNode): Value {
  return acosh(operand(node, 0));
}

/** Inverse of the hyperbolic tangent. */
export function Atanh(node: ImportedNode): Value {
  return atanh(operand(node, 0));
}

/**
 * Remainder of a / b with the sign of a, the only form that floats have; derivatives 1 in a and -trunc(a / b) in b, as of
 * PyTorch's fmod.
 */
export function Mod(node: ImportedNode): Value {
  return remainder(operand(node, 0), operand(node, 1));
}

/** Nearest integer, the even one of two, with derivative 0. */
export function Round(node: ImportedNode): Value {
  return round(operand(node, 0));
}

/** -1, 0 or 1, with derivative 0. */
export function Sign(node: ImportedNode): Value {
  return sign(operand(node, 0));
}

/** Largest integer not above x, with derivative 0. */
export function Floor(node: ImportedNode): Value {
  return floor(operand(node, 0));
}

/** Smallest integer not below x, with derivative 0. */
export function Ceil(node: ImportedNode): Value {
  return neg(floor(neg(operand(node, 0))));
}

/** a > b. */
export function Greater(node: ImportedNode): Value {
  return greater(operand(node, 0), operand(node, 1));
}
Greater.traits = { nonDifferentiable: true } satisfies OperatorTraits;

/** a >= b. */
export function GreaterOrEqual(node: ImportedNode): Value {
  return greaterOrEqual(operand(node, 0), operand(node, 1));
}
GreaterOrEqual.traits = { nonDifferentiable: true } satisfies OperatorTraits;

/** a < b. */
export function Less(node: ImportedNode): Value {
  return less(operand(node, 0), operand(node, 1));
}
Less.traits = { nonDifferentiable: true } satisfies OperatorTraits;

/** a <= b. */
export function LessOrEqual(node: ImportedNode): Value {
  return lessOrEqual(operand(node, 0), operand(node, 1));
}
LessOrEqual.traits = { nonDifferentiable: true } satisfies OperatorTraits;

/** a = b. */
export function Equal(node: ImportedNode): Value {
  return equal(operand(node, 0), operand(node, 1));
}
Equal.traits = { nonDifferentiable: true } satisfies OperatorTraits;

/** Whether an element is not a number. */
export function IsNaN(node: ImportedNode): Value {
  return isNaN(operand(node, 0));
}
IsNaN.traits = { nonDifferentiable: true } satisfies OperatorTraits;
