import type { FileNode } from "../../../onnx/index.ts";
import { traitsOf } from "../ops/operators.ts";

/** Whether no derivative passes through a node, so that it needs no rule even where a parameter reaches it. */
export function isNonDifferentiable(node: FileNode): boolean {
  const { nonDifferentiable = false } = traitsOf(node);
  return typeof nonDifferentiable === "function" ? nonDifferentiable(node) : nonDifferentiable;
}

/** Whether the shape of the result depends on more than shapes. */
export function isShapedByData(node: FileNode, statics: ReadonlySet<string>): boolean {
  const { shapedBy = [] } = traitsOf(node);
  return shapedBy.some((position) => (node.inputs[position] ?? "") !== "" && !statics.has(node.inputs[position]));
}
