import { constant, constantTensor, type Value } from "../../../graph/index.ts";
import type { FileNode } from "../../../onnx/index.ts";
import { compile } from "../../../runtime/index.ts";
import type { Tensor } from "../../../tensors/index.ts";
import type { PreparedModel } from "../prepared/preparedModel.ts";
import { readBy } from "../prepared/sortNodes.ts";
import type { MeasuredShapes } from "../sizes/measureShapes.ts";
import { consumersOf, interpretNode } from "./interpretNode.ts";

/**
 * Constants of floats in float64 for a graph that is computed in float64: values that depend on constants and shapes alone,
 * evaluated once by the operators' rules. The run that gave the shapes was in float32, as the file is; operators without a
 * rule, integers and truth values (which shapes depend on) keep its results.
 */
export async function preciseConstants(
  model: PreparedModel,
  {
    nodes,
    statics,
    known,
  }: { readonly nodes: readonly FileNode[]; readonly statics: ReadonlySet<string>; readonly known: MeasuredShapes },
): Promise<ReadonlyMap<string, Tensor>> {
  const isStatic = (node: FileNode) => node.outputs.every((name) => name === "" || statics.has(name));
  const values = new Map<string, Value>();
  for (const [name, tensor] of known.constants) values.set(name, constant(tensor));
  const context = { model, values, known, reached: new Set<string>(), consumers: consumersOf(nodes) };
  for (const node of nodes.filter(isStatic)) {
    const floats = node.outputs.some((name) => values.get(name)?.type === "float");
    if (floats && readBy(node).some((name) => values.get(name)?.type === "float")) interpretNode(node, context);
  }
  const read = new Set(nodes.filter((node) => !isStatic(node)).flatMap((node) => readBy(node)));
  const computed = [...read].flatMap((name): (readonly [string, Value])[] => {
    const value = statics.has(name) ? values.get(name) : undefined;
    return value?.type === "float" && constantTensor(value) === undefined ? [[name, value]] : [];
  });
  if (computed.length === 0) return new Map();
  const outputs = Object.fromEntries(computed.map(([, value], i) => [`constant ${i}`, value]));
  const program = await compile({ inputs: {}, outputs }, { precision: "float64", optimized: false });
  try {
    const results = await program.run({});
    return new Map(computed.map(([name], i) => [name, results[`constant ${i}`]]));
  } finally {
    await program.release();
  }
}
