import { CurvatureError } from "../../../errors/index.ts";
import { type FileGraph, type FileNode, subgraphContents } from "../../../onnx/index.ts";
import { describe } from "./sortNodes.ts";

/**
 * Checks the attributes, also within graphs of control flow, that ONNX Runtime takes at their word: it would allocate without end, or
 * not come back.
 *
 * @throws CurvatureError "file" for one that no file has that is not damaged
 */
export function checkAttributes({ nodes }: Pick<FileGraph, "nodes">, file: string): void {
  for (const node of nodes) {
    checkGrowth(node, file);
    checkScannedInputs(node, file);
    for (const value of Object.values(node.attributes)) {
      const graphs = "graph" in value ? [value.graph] : "graphs" in value ? value.graphs : [];
      for (const graph of graphs) checkAttributes(subgraphContents(graph), file);
    }
  }
}

/** Attributes that make results larger than operands, or that windows are placed by. */
const GROWING: readonly string[] = ["pads", "output_padding", "output_shape"];

/** More than any network has of padding, in all axes together. */
const MOST_GROWTH = 2 ** 28;

function checkGrowth(node: FileNode, file: string): void {
  for (const name of GROWING) {
    const value = node.attributes[name];
    if (value === undefined || !("ints" in value)) continue;
    const growth = value.ints.reduce((product, amount) => product * (1 + Math.abs(amount)), 1);
    if (growth <= MOST_GROWTH) continue;
    throw new CurvatureError(
      "file",
      `${file}: ${describe(node)} has ${name} [${value.ints.join(", ")}], more than any tensor can hold; the file is damaged, export it again`,
    );
  }
}

function checkScannedInputs(node: FileNode, file: string): void {
  const { num_scan_inputs: count } = node.attributes;
  if (node.op !== "Scan" || node.domain !== "" || count === undefined || !("int" in count)) return;
  if (count.int >= 1 && count.int <= node.inputs.length) return;
  throw new CurvatureError(
    "file",
    `${file}: ${describe(node)} scans ${count.int} inputs, but has ${node.inputs.length} in all; the file is damaged, export it again`,
  );
}
