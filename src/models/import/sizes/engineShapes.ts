import { openSession } from "#runtime";
import { type FileNode, type ValueInfo, writeModel } from "../../../onnx/index.ts";
import { arrayTypes, type Dtype, type Tensor } from "../../../tensors/index.ts";
import type { PreparedModel } from "../prepared/preparedModel.ts";
import type { KnownValue } from "./knownValue.ts";

/** Types and shapes of a node's outputs, by name; a size that only data tell is undefined. */
export type InferredOutputs = ReadonlyMap<
  string,
  { readonly type: Dtype; readonly dims: readonly (number | undefined)[] | undefined }
>;

/** Inferences of one file by node and operands: layers repeat. */
const remembered = new WeakMap<PreparedModel["opsets"], Map<string, Promise<InferredOutputs | undefined>>>();

/**
 * Inference by ONNX Runtime of a node's outputs from the shapes of its operands and from those of their elements that are known; the node
 * is not computed. Undefined where the engine refuses the node, as it will when the whole file is opened.
 */
export function inferredOutputs(
  { opsets, functions }: PreparedModel,
  { node, values }: { readonly node: FileNode; readonly values: ReadonlyMap<string, KnownValue> },
): Promise<InferredOutputs | undefined> {
  const known = remembered.get(opsets) ?? new Map<string, Promise<InferredOutputs | undefined>>();
  remembered.set(opsets, known);
  const operands = [...new Set([...node.inputs, ...node.captures])].filter((name) => name !== "");
  const key = JSON.stringify(
    [node.op, node.domain, node.inputs, node.outputs, node.attributes, operands.map((name) => values.get(name))],
    (_, value) => (value instanceof Uint8Array ? Array.from(value) : typeof value === "bigint" ? String(value) : value),
  );
  const found = known.get(key) ?? infer({ opsets, functions, node, operands, values });
  known.set(key, found);
  return found;
}

async function infer({
  opsets,
  functions,
  node,
  operands,
  values,
}: Pick<PreparedModel, "opsets" | "functions"> & {
  readonly node: FileNode;
  readonly operands: readonly string[];
  readonly values: ReadonlyMap<string, KnownValue>;
}): Promise<InferredOutputs | undefined> {
  const inputs: ValueInfo[] = [];
  const initializers: { readonly name: string; readonly tensor: Tensor }[] = [];
  for (const name of operands) {
    const value = values.get(name);
    if (value === undefined) return undefined;
    if (value.elements === undefined) inputs.push({ name, dtype: value.type, dims: value.dims });
    else initializers.push({ name, tensor: tensorOf(value) });
  }
  const names = node.outputs.filter((name) => name !== "");
  const outputs = names.map((name): ValueInfo => ({ name, dtype: null, dims: null }));
  const bytes = writeModel({
    producer: "onnx-curvature",
    opsets,
    functions,
    graph: { name: "node", nodes: [node], inputs, outputs, initializers },
  });
  try {
    const session = await openSession(bytes, { optimization: "none", threads: 1 });
    const { outputTypes, outputShapes } = session;
    await session.release();
    return new Map(names.map((name) => [name, { type: outputTypes[name], dims: outputShapes[name] }]));
  } catch {
    return undefined;
  }
}

/** The integer that a number represents. Files write INT64_MAX for "to the end", which no double equals. */
function wholeNumber(element: number): bigint {
  const whole = BigInt(Math.trunc(element));
  return whole === BigInt.asIntN(64, whole) ? whole : whole > 0n ? 2n ** 63n - 1n : -(2n ** 63n);
}

function tensorOf({ dims, type, elements = [] }: KnownValue): Tensor {
  if (type === "string") return { data: elements.map(() => ""), dims, dtype: type };
  const data = new arrayTypes[type](elements.length);
  for (const [i, element] of elements.entries()) {
    if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[i] = wholeNumber(element);
    else data[i] = element;
  }
  return { data, dims, dtype: type };
}
