import type { Value } from "../../../graph/index.ts";
import { add, div, mul, neg, sub } from "../../../primitives/index.ts";
import { type ImportedNode, operand } from "../importedNode.ts";

/** a + b with broadcasting. */
export function Add(node: ImportedNode): Value {
  return add(operand(node, 0), operand(node, 1));
}

/** a - b with broadcasting. */
export function Sub(node: ImportedNode): Value {
  return sub(operand(node, 0), operand(node, 1));
}

/** a b with broadcasting. */
export function Mul(node: ImportedNode): Value {
  return mul(operand(node, 0), operand(node, 1));
}

/** a / b with broadcasting. */
export function Div(node: ImportedNode): Value {
  return div(operand(node, 0), operand(node, 1));
}

/** -x. */
export function Neg(node: ImportedNode): Value {
  return neg(operand(node, 0));
}
