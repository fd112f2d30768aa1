import { CurvatureError } from "../../../errors/index.ts";
import type { FileNode } from "../../../onnx/index.ts";
import type { PreparedModel } from "../prepared/preparedModel.ts";
import { describe } from "../prepared/sortNodes.ts";
import type { KnownValue } from "./knownValue.ts";

/**
 * Refuses nodes at which ONNX Runtime ends the process instead of refusing them itself: its inference of shapes reads past what is there.
 *
 * @param inputs what is known of the node's operands
 * @throws CurvatureError "model" for a Split into another number of parts than it has outputs, and a OneHot of less than one class
 */
export function checkEngineLimits(
  node: FileNode,
  { inputs, file }: { readonly inputs: readonly (KnownValue | undefined)[] } & Pick<PreparedModel, "file">,
): void {
  if (node.domain !== "") return;
  const { num_outputs: parts } = node.attributes;
  const outputs = node.outputs.length;
  if (node.op === "Split" && parts !== undefined && "int" in parts && Number(parts.int) !== outputs) {
    throw damaged(file, `${describe(node)} has ${outputs} outputs, but num_outputs is ${parts.int}`);
  }
  const depth = node.op === "OneHot" ? inputs[1]?.elements?.[0] : undefined;
  if (depth !== undefined && depth < 1) {
    throw damaged(file, `${describe(node)} is to have ${depth} classes, which must be one or more`);
  }
}

function damaged(file: string, what: string): CurvatureError {
  return new CurvatureError("model", `${file}: ${what}; the file is damaged, export it again`);
}
