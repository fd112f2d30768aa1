import { CurvatureError } from "../../../errors/index.ts";
import { type Shape, sameShape, type Value } from "../../../graph/index.ts";
import type { FileNode } from "../../../onnx/index.ts";
import { formatDims, valueNamed } from "../../../tensors/index.ts";
import type { ImportedNode } from "../ops/importedNode.ts";
import { ruleOf } from "../ops/operators.ts";
import type { PreparedModel } from "../prepared/preparedModel.ts";
import { describe } from "../prepared/sortNodes.ts";
import type { MeasuredShapes } from "../sizes/measureShapes.ts";
import { passThrough } from "./passThrough.ts";

/** Context in which nodes are interpreted, one after the other. */
export interface WalkContext {
  readonly model: PreparedModel;
  readonly values: Map<string, Value>;
  readonly known: MeasuredShapes;
  readonly reached: ReadonlySet<string>;
  readonly consumers: ReadonlyMap<string, readonly string[]>;
}

/** Adds the values of a node's outputs: by the operator's rule, or passed on to ONNX Runtime as the node stands. */
export function interpretNode(node: FileNode, context: WalkContext): void {
  const { values, known, reached, model } = context;
  const inputs = node.inputs.map((name) => (name === "" ? undefined : values.get(name)));
  const shapes = node.outputs.map((name): Shape | undefined => (name === "" ? undefined : known.shapes.get(name)));
  const differentiable = node.outputs.some((name) => reached.has(name));
  const imported: ImportedNode = {
    op: node.op,
    domain: node.domain,
    name: node.name,
    opset: valueNamed(model.opsets, node.domain) ?? 1,
    inputs,
    outputShapes: shapes,
    attributes: node.attributes,
    consumers: context.consumers.get(node.outputs[0]) ?? [],
  };
  const results =
    applyRule(node, imported, differentiable) ?? passThrough(node, { ...imported, values, types: known.types });
  node.outputs.forEach((name, i) => {
    const value = results[i];
    if (name === "" || value === undefined) return;
    const shape = shapes[i];
    if (shape !== undefined && !sameShape(shape, value.shape)) {
      throw new CurvatureError(
        "model",
        `internal: ${describe(node)} has shape ${formatDims(shape)} in ONNX Runtime, but ${formatDims(value.shape)} by our rule`,
      );
    }
    values.set(name, value);
  });
}

/** Outputs by the operator's rule; undefined where the node is passed to ONNX Runtime. */
function applyRule(
  node: FileNode,
  imported: ImportedNode,
  differentiable: boolean,
): readonly (Value | undefined)[] | undefined {
  const rule = ruleOf(node);
  const onFloats = imported.inputs.some((value) => value?.type === "float");
  if (rule === undefined || !(differentiable || onFloats)) return undefined;
  try {
    const result = rule(imported);
    return Array.isArray(result) ? (result as readonly (Value | undefined)[]) : [result as Value];
  } catch (error) {
    const passable = !differentiable && error instanceof CurvatureError && error.code === "unsupported";
    if (passable) return undefined;
    throw error;
  }
}

/** The operators that read each value. */
export function consumersOf(nodes: readonly FileNode[]): Map<string, string[]> {
  const consumers = new Map<string, string[]>();
  for (const { inputs, op } of nodes) {
    for (const name of inputs) {
      const known = consumers.get(name);
      if (known === undefined) consumers.set(name, [op]);
      else known.push(op);
    }
  }
  return consumers;
}
