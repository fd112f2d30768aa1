import { type FileGraph, type FileInitializer, type FileNode, modelContents, readModel } from "../onnx/index.ts";
import type { FileModel } from "./loadModel.ts";

/** The part of a tensor that belongs to the hidden units of a layer: `block` consecutive positions along an axis for each unit. */
export interface UnitAxis {
  /** Name of the initializer. */
  readonly tensor: string;
  readonly axis: number;
  readonly block: number;
  /** "in": weights, bias and scales that the unit is computed with; "out": weights that the following layers multiply it by. */
  readonly side: "in" | "out";
}

/** Hidden units of a layer that a file can do without: everything between it and the next layers works on each unit by itself. */
export interface HiddenUnits {
  /** Initializer of the layer's weight. */
  readonly weight: string;
  /** Parameter that this is. */
  readonly parameter: string;
  readonly count: number;
  readonly axes: readonly UnitAxis[];
  /** Values whose shapes depend on the number of units. */
  readonly values: readonly string[];
}

/** A layer whose units must stay, and why. */
export interface FixedUnits {
  readonly parameter: string;
  readonly reason: string;
}

/** Operators that work on each element by itself, with no operand that needs to be cut. */
const ELEMENTWISE: ReadonlySet<string> = new Set(
  "Relu LeakyRelu Elu Selu Celu Sigmoid HardSigmoid HardSwish Tanh Softplus Softsign Gelu Erf Exp Abs Neg Sqrt Identity Dropout Clip ThresholdedRelu Mish Swish".split(
    " ",
  ),
);
const BROADCASTING: ReadonlySet<string> = new Set(["Add", "Sub", "Mul", "Div", "Pow", "PRelu"]);
const POOLING: ReadonlySet<string> = new Set(["MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"]);

/** Layers of a file whose hidden units can be taken out, and the others with the reason. Reads the graph of the file; nothing is run. */
export async function hiddenUnits(
  model: FileModel,
): Promise<{ readonly layers: readonly HiddenUnits[]; readonly fixed: readonly FixedUnits[] }> {
  const loaded = await readModel(model.source.bytes, { externalData: {} }).catch(() => undefined);
  const parameters = new Map(model.source.weights.map((weight) => [weight.tensor, weight]));
  const names = (reason: string) => ({
    layers: [],
    fixed: model.parameters.filter(({ dims }) => dims.length > 1).map(({ name: parameter }) => ({ parameter, reason })),
  });
  if (loaded === undefined) return names("the file has external data");
  const { graph } = modelContents(loaded);
  const listed = new Set(loaded.model.graph.input.map(({ name }) => name));
  const context = contextOf(graph, listed);
  const layers: HiddenUnits[] = [];
  const fixed: FixedUnits[] = [];
  for (const node of graph.nodes) {
    const own = parameters.get(node.inputs[1] ?? "");
    if (own === undefined || own.dims.length < 2 || !["Gemm", "MatMul", "Conv"].includes(node.op)) continue;
    const found = own.transposed ? "its weight is a copy of another" : unitsOf(node, context);
    if (typeof found === "string") fixed.push({ parameter: own.parameter, reason: found });
    else layers.push({ ...found, weight: own.tensor, parameter: own.parameter });
  }
  const known = new Set([...layers, ...fixed].map(({ parameter }) => parameter));
  for (const { name: parameter, dims } of model.parameters) {
    if (dims.length < 2 || known.has(parameter)) continue;
    fixed.push({ parameter, reason: "it is not the weight of a Gemm, MatMul or Conv of the main graph" });
  }
  return { layers, fixed };
}

interface Context {
  readonly initializers: ReadonlyMap<string, FileInitializer>;
  readonly consumers: ReadonlyMap<string, readonly FileNode[]>;
  /** Names that must keep their shapes: outputs, initializers that are inputs too, values that subgraphs read. */
  readonly fixed: ReadonlySet<string>;
}

function contextOf(graph: FileGraph, listed: ReadonlySet<string>): Context {
  const consumers = new Map<string, FileNode[]>();
  const fixed = new Set([...listed, ...graph.outputs.map(({ name }) => name)]);
  for (const node of graph.nodes) {
    for (const name of new Set(node.inputs)) consumers.set(name, [...(consumers.get(name) ?? []), node]);
    for (const name of node.captures) fixed.add(name);
  }
  return { initializers: new Map(graph.initializers.map((each) => [each.name, each])), consumers, fixed };
}

/** A value with one entry a unit along an axis, counted from the end: 1 is the last one. */
interface UnitValue {
  readonly fromEnd: number;
  /** Whether the axis has been flattened together with those after it. */
  readonly flat: boolean;
}

interface Walk extends Context {
  readonly count: number;
  readonly values: Map<string, UnitValue>;
  readonly axes: UnitAxis[];
}

/** The units of a layer, or the reason why they must stay. */
function unitsOf(node: FileNode, context: Context): Omit<HiddenUnits, "weight" | "parameter"> | string {
  const weight = context.initializers.get(node.inputs[1]);
  if (weight === undefined) return "its weight is not an initializer of the main graph";
  const start = producerOf(node, weight);
  if (typeof start === "string") return start;
  const count = weight.dims[start.axis];
  const walk: Walk = { ...context, count, values: new Map(), axes: [] };
  const refused =
    cut(weight.name, { axis: start.axis, block: 1, side: "in" }, walk) ?? cutOperand(node.inputs[2], start.value, walk);
  if (refused !== undefined) return refused;
  walk.values.set(node.outputs[0], start.value);
  const problem = follow(walk);
  if (problem !== undefined) return problem;
  if (!walk.axes.some(({ side }) => side === "out")) return "nothing reads its units";
  return { count, axes: walk.axes, values: [...walk.values.keys()] };
}

function producerOf(
  { op, attributes }: FileNode,
  { dims }: FileInitializer,
): { readonly axis: number; readonly value: UnitValue } | string {
  if (op === "Conv") {
    if (intOf(attributes, "group", 1) !== 1) return "a grouped convolution ties its channels";
    return { axis: 0, value: { fromEnd: dims.length - 1, flat: false } };
  }
  if (dims.length !== 2) return "its weight is not a matrix";
  const axis = op === "Gemm" && intOf(attributes, "transB", 0) === 1 ? 0 : 1;
  return { axis, value: { fromEnd: 1, flat: false } };
}

function intOf(attributes: FileNode["attributes"], name: string, otherwise: number): number {
  const value = attributes[name];
  return value !== undefined && "int" in value ? Number(value.int) : otherwise;
}

/** Follows the units through all nodes that read them, until the layers that multiply them by weights. */
function follow(walk: Walk): string | undefined {
  const open = [...walk.values.keys()];
  const waiting = new Set<FileNode>();
  while (open.length > 0) {
    const name = open.pop()!;
    if (walk.fixed.has(name)) return `its units are an output of the model or read by a subgraph ("${name}")`;
    for (const node of walk.consumers.get(name) ?? []) {
      const next = through(node, { name, walk });
      if (next === WAITS) {
        waiting.add(node);
        continue;
      }
      if (typeof next === "string") return next;
      waiting.delete(node);
      if (next === undefined || walk.values.has(node.outputs[0])) continue;
      if (node.outputs.slice(1).some((output) => output !== "" && walk.consumers.has(output)))
        return `${node.op} has further results that are used`;
      walk.values.set(node.outputs[0], next);
      open.push(node.outputs[0]);
    }
  }
  const [left] = waiting;
  return left && `${left.op} combines its units with other values, as a residual connection does`;
}

/** Result of `through` where another operand may turn out to have the units too. */
const WAITS = "waits";

/** The units after a node; undefined where a layer reads them, `WAITS` where another operand may have the units too, else the reason why they must stay. */
function through(
  node: FileNode,
  { name, walk }: { readonly name: string; readonly walk: Walk },
): UnitValue | undefined | string {
  const { op, inputs } = node;
  const value = walk.values.get(name)!;
  if (["Gemm", "MatMul", "Conv"].includes(op)) return consumed(node, { name, value, walk });
  if (ELEMENTWISE.has(op) && inputs[0] === name) return value;
  if (POOLING.has(op) && value.fromEnd > 1) return value;
  if (op === "Flatten" && value.fromEnd > 1 && intOf(node.attributes, "axis", 1) === 1)
    return { fromEnd: 1, flat: true };
  if (op === "Flatten" && value.fromEnd === 1 && intOf(node.attributes, "axis", 1) === 1) return value;
  if (op === "BatchNormalization" && inputs[0] === name) {
    for (const operand of inputs.slice(1)) {
      const refused = cut(operand, { axis: 0, block: 1, side: "in" }, walk);
      if (refused !== undefined) return refused;
    }
    return value;
  }
  if (BROADCASTING.has(op)) return combined(node, { value, walk });
  return `${op} mixes its units or is not known to keep them apart`;
}

function combined(
  { inputs, op }: FileNode,
  { value, walk }: { readonly value: UnitValue; readonly walk: Walk },
): UnitValue | string {
  for (const operand of inputs) {
    const other = walk.values.get(operand);
    if (other !== undefined) {
      if (other.fromEnd !== value.fromEnd || other.flat !== value.flat)
        return `${op} combines its units in two layouts`;
      continue;
    }
    if (!walk.initializers.has(operand)) return WAITS;
    const refused = cutOperand(operand, value, walk);
    if (refused !== undefined) return refused;
  }
  return value;
}

function consumed(
  { op, inputs, attributes }: FileNode,
  { name, value, walk }: { readonly name: string; readonly value: UnitValue; readonly walk: Walk },
): string | undefined {
  const weight = walk.initializers.get(inputs[1] ?? "");
  if (inputs[0] !== name || weight === undefined) return `${op} multiplies its units by computed values`;
  if (op === "Conv") {
    if (intOf(attributes, "group", 1) !== 1 || value.fromEnd !== weight.dims.length - 1)
      return "a grouped convolution ties its channels";
    return cut(weight.name, { axis: 1, block: 1, side: "out" }, walk);
  }
  if (value.fromEnd !== 1 || weight.dims.length !== 2 || intOf(attributes, "transA", 0) === 1)
    return `${op} does not multiply its units by a matrix`;
  const axis = op === "Gemm" && intOf(attributes, "transB", 0) === 1 ? 1 : 0;
  const block = weight.dims[axis] / walk.count;
  if (!Number.isInteger(block) || (block !== 1 && !value.flat)) return `${op} reads another number of units`;
  return cut(weight.name, { axis, block, side: "out" }, walk);
}

/** Notes that a constant operand is cut along the axis of the units, if it has one entry for each. */
function cutOperand(operand: string | undefined, { fromEnd, flat }: UnitValue, walk: Walk): string | undefined {
  if (operand === undefined || operand === "") return undefined;
  const tensor = walk.initializers.get(operand);
  if (tensor === undefined) return "a bias or factor of its units is computed";
  const { dims } = tensor;
  // The bias of a convolution has one axis, which is that of the channels.
  const isBias = fromEnd > 1 && dims.length === 1 && dims[0] === walk.count && walk.values.size === 0;
  const axis = isBias ? 0 : dims.length - fromEnd;
  if (axis < 0 || dims[axis] === 1) return undefined;
  if (dims[axis] !== walk.count || flat) return `"${operand}" does not have one entry for each of its units`;
  return cut(operand, { axis, block: 1, side: "in" }, walk);
}

function cut(tensor: string, place: Omit<UnitAxis, "tensor">, walk: Walk): string | undefined {
  const own = walk.initializers.get(tensor);
  if (own === undefined) return `"${tensor}" is computed, not stored`;
  if (own.external) return `"${tensor}" is in an external file`;
  if (walk.fixed.has(tensor)) return `"${tensor}" is an input of the model too`;
  if (walk.axes.some((each) => each.tensor === tensor && each.axis === place.axis)) return undefined;
  if ((walk.consumers.get(tensor)?.length ?? 0) !== 1) return `"${tensor}" is used more than once`;
  walk.axes.push({ tensor, ...place });
  return undefined;
}
