import type { LoweredNode, Lowering, Value } from "../graph/index.ts";
import type { Initializer, OnnxNode } from "../onnx/index.ts";
import { dtypeOf, type Precision, type Tensor, toPrecision, type Vector } from "../tensors/index.ts";

/** An ONNX graph that is being written. */
export interface GraphWriter extends Lowering {
  readonly initializers: readonly Initializer[];
  /** Says under which name a value can be read. */
  define(value: Value, name: string): void;
  /** Gives values the names of graph outputs. */
  finish(outputs: readonly (readonly [name: string, value: Value])[]): readonly OnnxNode[];
}

/** Prefix of generated names. Inputs and outputs keep theirs. */
const PREFIX = "curvature/";

interface WriterOptions extends Pick<Lowering, "precision" | "opset" | "portable" | "uses"> {
  /** Names that values of the graph cannot have: those of its inputs and outputs. */
  readonly reserved: ReadonlySet<string>;
}

/** Starts an empty graph. */
export function graphWriter({ reserved, ...options }: WriterOptions): GraphWriter {
  const nodes: OnnxNode[] = [];
  const initializers: Initializer[] = [];
  const names = new Map<Value, string>();
  const constants = new Map<string, string>();
  const shared = new Map<string, readonly string[]>();
  const aliases = new Set<string>();
  let count = 0;
  const fresh = () => {
    let name = `${PREFIX}${count++}`;
    while (reserved.has(name)) name = `${PREFIX}${count++}`;
    return name;
  };

  const emit = ({ op, domain = "", inputs, attributes, outputs }: LoweredNode): string[] => {
    const results = [fresh()];
    while (results.length < outputs) results.push(fresh());
    nodes.push({ op, domain, inputs, outputs: results, attributes });
    return results;
  };
  const constant = (tensor: Tensor): string => {
    const converted = inPrecision(tensor, options.precision);
    const key = constantKey(converted);
    const name = (key === undefined ? undefined : constants.get(key)) ?? fresh();
    if (key === undefined || !constants.has(key)) initializers.push({ name, tensor: converted });
    if (key !== undefined) constants.set(key, name);
    return name;
  };
  const alias = (name: string, target: string) => {
    if (name !== target && !aliases.has(name)) {
      nodes.push({ op: "Identity", inputs: [target], outputs: [name], attributes: {} });
    }
    aliases.add(name);
  };
  return {
    ...options,
    initializers,
    define: (value, name) => void names.set(value, name),
    name: (value) => names.get(value)!,
    node: (op, inputs, attributes = {}, domain = "") => emit({ op, domain, inputs, attributes, outputs: 1 })[0],
    nodes(key, node) {
      const results = shared.get(key) ?? emit(node);
      shared.set(key, results);
      return results;
    },
    alias,
    constant,
    integers(values) {
      // Shapes and axes recur all over a graph, so their key leaves out the tensor.
      const key = elementKey("BigInt64Array", [values.length], values);
      return (
        (key && constants.get(key)) ?? constant({ data: BigInt64Array.from(values, BigInt), dims: [values.length] })
      );
    },
    float: (value) => constant({ data: Float64Array.of(value), dims: [] }),
    finish(outputs) {
      const sources = outputs.map(([name, value]): readonly [string, string] => [name, names.get(value)!]);
      const needed = new Set(aliases);
      for (const [, source] of sources) needed.add(source);
      return renameOutputs(neededNodes(nodes, needed), sources);
    },
  };
}

/** The tensor with floats in the graph's precision; other types as they are. */
export function inPrecision(tensor: Tensor, precision: Precision): Tensor {
  const dtype = dtypeOf(tensor);
  if (dtype !== "float32" && dtype !== "float64") return tensor;
  return { data: toPrecision(tensor.data as Vector, precision), dims: tensor.dims };
}

function constantKey({ data, dims, dtype }: Tensor): string | undefined {
  return elementKey(dtype ?? data.constructor.name, dims, data as ArrayLike<unknown>);
}

/** Key of a constant by its elements, where they are few. */
function elementKey(type: string, dims: readonly number[], elements: ArrayLike<unknown>): string | undefined {
  if (elements.length > 64) return undefined;
  return `${type}[${dims}]${Array.from(elements, (x) => (Object.is(x, -0) ? "-0" : String(x)))}`;
}

/**
 * The nodes that the names in `needed` are computed from, which are added to it: an operation that took in another one leaves that one
 * unread.
 */
function neededNodes(nodes: readonly OnnxNode[], needed: Set<string>): OnnxNode[] {
  const kept: OnnxNode[] = [];
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i];
    if (!node.outputs.some((name) => needed.has(name))) continue;
    for (const name of node.inputs) needed.add(name);
    kept.push(node);
  }
  return kept.reverse();
}

/** Nodes whose results are graph outputs write them under the outputs' names; other outputs get an Identity. */
function renameOutputs(
  nodes: readonly OnnxNode[],
  outputs: readonly (readonly [name: string, source: string])[],
): readonly OnnxNode[] {
  const produced = new Set<string>();
  for (const node of nodes) for (const name of node.outputs) produced.add(name);
  const renamed = new Map<string, string>();
  const copies: OnnxNode[] = [];
  for (const [name, source] of outputs) {
    if (produced.has(source) && source.startsWith(PREFIX) && !renamed.has(source)) renamed.set(source, name);
    else copies.push({ op: "Identity", inputs: [source], outputs: [name], attributes: {} });
  }
  const rename = (names: readonly string[]) =>
    names.some((name) => renamed.has(name)) ? names.map((name) => renamed.get(name) ?? name) : names;
  const results: OnnxNode[] = [];
  for (const node of nodes) {
    const inputs = rename(node.inputs);
    const own = rename(node.outputs);
    results.push(inputs === node.inputs && own === node.outputs ? node : { ...node, inputs, outputs: own });
  }
  for (const node of copies) results.push({ ...node, inputs: rename(node.inputs) });
  return results;
}
