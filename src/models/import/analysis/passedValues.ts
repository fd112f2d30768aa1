import type { FileNode } from "../../../onnx/index.ts";
import { traitsOf } from "../ops/operators.ts";

/** Whether the result has each element of operand 0 once, perhaps at another place, and nothing else. */
export function isRearranged(node: FileNode): boolean {
  const { passes } = traitsOf(node);
  return passes === "unchanged" || passes === "rearranged";
}
