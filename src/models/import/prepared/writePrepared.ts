import { type OnnxNode, type ValueInfo, writeModel } from "../../../onnx/index.ts";
import { engineName } from "../../../runtime/index.ts";
import { dtypeOf, sizeOf, type Tensor } from "../../../tensors/index.ts";
import { guardLoops } from "./guardLoops.ts";
import { guardSizes } from "./guardSizes.ts";
import type { NumberOf } from "./nodeCounts.ts";
import type { PreparedModel } from "./preparedModel.ts";

/** Parts of a prepared model to write. */
export interface WriteRequest {
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  /** Nodes beyond the model's own. */
  readonly extra?: readonly OnnxNode[];
}

/** A prepared model as ONNX bytes, in float32, pruned to what the outputs need. */
export async function writePrepared(
  model: PreparedModel,
  { inputs, outputs, extra = [] }: WriteRequest,
): Promise<Uint8Array> {
  const needed = new Set(outputs.map(({ name }) => name));
  const nodes: OnnxNode[] = [];
  for (const node of [...model.nodes, ...extra].reverse()) {
    if (!node.outputs.some((name) => needed.has(name))) continue;
    nodes.push(node);
    for (const name of node.inputs) needed.add(name);
    for (const name of "captures" in node ? (node.captures as readonly string[]) : []) needed.add(name);
  }
  const ordered = nodes.reverse();
  const looped = await guardLoops(ordered, { memoryLimit: model.memoryLimit, numberOf: numbersOf(model) });
  // `Where`, with which sizes are checked, came with operator set 9.
  const guarded = (model.opsets[""] ?? 0) < 9 ? looped : guardSizes(looped.nodes, model);
  const initializers: { name: string; tensor: Tensor }[] = [...new Set([...looped.constants, ...guarded.constants])];
  for (const { name, load } of model.constants.values()) {
    if (needed.has(name)) initializers.push({ name, tensor: single(await load()) });
  }
  const renamed = outputs.filter(({ name }) => engineName(name) !== name);
  return writeModel({
    producer: "onnx-curvature",
    opsets: model.opsets,
    functions: model.functions,
    graph: {
      name: "model",
      nodes: [...guarded.nodes, ...renamed.map(renaming)],
      inputs,
      outputs: outputs.map((info) => ({ ...info, name: engineName(info.name) })),
      initializers,
    },
  });
}

/** The model's constants of one number, for `guardLoops`. */
export function numbersOf({ constants }: Pick<PreparedModel, "constants">): NumberOf {
  return async (name) => {
    const constant = constants.get(name);
    return constant !== undefined && sizeOf(constant.dims) === 1 ? Number((await constant.load()).data[0]) : undefined;
  };
}

/** The tensor with doubles rounded to float32. */
function single(tensor: Tensor): Tensor {
  return dtypeOf(tensor) === "float64"
    ? { data: Float32Array.from(tensor.data as Float64Array), dims: tensor.dims }
    : tensor;
}

function renaming({ name }: ValueInfo): OnnxNode {
  return { op: "Identity", inputs: [name], outputs: [engineName(name)], attributes: {} };
}
