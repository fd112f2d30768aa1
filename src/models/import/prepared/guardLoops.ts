import { CurvatureError } from "../../../errors/index.ts";
import { type FileGraph, type GraphChange, type OnnxNode, rewriteGraph } from "../../../onnx/index.ts";
import { type AttributeValue, MOST_AXES, type Tensor } from "../../../tensors/index.ts";
import { type GuardedNodes, guardSizes, PREFIX } from "./guardSizes.ts";
import { countOf, MOST_WORK, type NumberOf, numbersWithin, openLoops, workOf } from "./nodeCounts.ts";
import type { PreparedModel } from "./preparedModel.ts";

/** Prefix of the names of loop guards; the excessive number of rounds follows. */
const ROUNDS = "curvature rounds";

/** Prefix of the names of growth guards; the excessive number of elements follows. */
const GROWTH = "curvature growth";

/** Prefix of the names of axis guards; the excessive number of axes follows. */
const AXES = "curvature axes";

/** Limits, and the counts that are known. `checkExecutions` has checked the known counts before. */
interface Limits extends Pick<PreparedModel, "memoryLimit"> {
  readonly numberOf: NumberOf;
}

type Constant = GuardedNodes["constants"][number];

/** Where a node stands, and a source of names that are new. */
interface Place extends Limits {
  /** Nodes that its loops may run in all. */
  readonly work: number;
  readonly nextScope: () => string;
}

/**
 * Nodes that compute as before, except that control flow fails before it takes more memory than the limit, and repeats its graphs only
 * so often: the engine can neither be stopped nor asked for how long it will take. Nodes within graphs are guarded as
 * `guardSizes` does it; what a round hands on or collects passes a check of its own, since it may grow from round to
 * round. See `loopError` for what comes out.
 */
export async function guardLoops(nodes: readonly OnnxNode[], limits: Limits): Promise<GuardedNodes> {
  return guardedList(nodes, placeOf(limits));
}

/** A node alone, its graphs guarded as by `guardLoops`; where it is a Scan, its length is left to the caller. */
export async function guardGraphs<Node extends OnnxNode>(node: Node, limits: Limits): Promise<Node> {
  return isControlFlow(node) ? (await guarded(node, placeOf(limits))).node : node;
}

function placeOf(limits: Limits): Place {
  let scopes = 0;
  return { ...limits, work: MOST_WORK, nextScope: () => `${PREFIX} in graph ${scopes++}` };
}

async function guardedList(nodes: readonly OnnxNode[], place: Place): Promise<GuardedNodes> {
  const list: OnnxNode[] = [];
  const constants: Constant[] = [];
  for (const node of nodes) {
    if (!isControlFlow(node)) {
      list.push(node);
      continue;
    }
    const { node: safe, most } = await guarded(node, place);
    const checked = node.op === "Scan" ? scanChecked(safe, { place, most }) : { nodes: [safe], constants: [] };
    list.push(...checked.nodes);
    constants.push(...checked.constants);
  }
  return { nodes: list, constants };
}

function isControlFlow({ op, domain = "" }: OnnxNode): boolean {
  return domain === "" && (op === "If" || op === "Loop" || op === "Scan");
}

/** The error of a run that a guard of a loop has ended; undefined for other errors. */
export function loopError(cause: unknown, { file }: Pick<PreparedModel, "file">): CurvatureError | undefined {
  const text = cause instanceof Error ? cause.message : "";
  const found = new RegExp(`(${ROUNDS}|${GROWTH}|${AXES}) (\\d+): (.*?)(?: \\(\\d+\\))?'? Status Message`).exec(text);
  if (found === null) return undefined;
  const [, kind, most, node] = found;
  const advice = "bind the inputs that decide how often it repeats, or";
  if (kind === ROUNDS) {
    const why = `goes on for more than ${most} rounds, which is where it is stopped`;
    return new CurvatureError("unsupported", `${file}: ${node} ${why}; ${advice} export the model without the loop`, {
      cause,
    });
  }
  const [what, remedy] =
    kind === AXES
      ? [`hands on tensors of more than ${most} axes, too many for the engine`, "export the model without the loop"]
      : [
          `hands on or collects more than ${most} elements, too many for the memory limit`,
          "raise memoryLimit (--memory-limit)",
        ];
  return new CurvatureError("model", `${file}: ${node} ${what}; ${advice} ${remedy}`, { cause });
}

/** The node with guarded graphs, and how many rounds it may have. */
async function guarded<Node extends OnnxNode>(
  node: Node,
  place: Place,
): Promise<{ readonly node: Node; readonly most: number }> {
  const count = await countOf(node, place.numberOf);
  const isOpen = count === undefined;
  // Equal shares for each of the loops within one another.
  const depth = Math.max(await openLoops(node, place.numberOf), 1);
  const share = (place.work / (await workOf(node, place.numberOf))) ** (1 / depth);
  const rounds = isOpen ? Math.max(Math.floor(share), 2) : Math.max(count, 1);
  const inner: Place = { ...place, work: place.work / rounds };
  const entries: [string, AttributeValue][] = [];
  for (const [name, value] of Object.entries(node.attributes)) {
    const change = (graph: FileGraph) => guardedGraph(node, graph, { place: inner, most: isOpen ? rounds : undefined });
    entries.push([name, "graph" in value ? { graph: await rewriteGraph(value.graph, change) } : value]);
  }
  return { node: { ...node, attributes: Object.fromEntries(entries) }, most: rounds };
}

async function guardedGraph(
  owner: OnnxNode,
  graph: FileGraph,
  { place, most }: { readonly place: Place; readonly most: number | undefined },
): Promise<GraphChange> {
  const [number, condition] = graph.inputs;
  const [goesOn] = graph.outputs;
  if (goesOn?.name.startsWith(PREFIX)) return { nodes: graph.nodes, initializers: [] };
  const scope = place.nextScope();
  const inside = { ...place, numberOf: await numbersWithin(graph, place.numberOf) };
  const inner = await guardedList(graph.nodes, inside);
  const sized = guardSizes(inner.nodes, { memoryLimit: place.memoryLimit, scope });
  const { nodes, constants } = { nodes: sized.nodes, constants: [...inner.constants, ...sized.constants] };
  const isLoop = owner.op === "Loop" && number !== undefined && condition !== undefined && goesOn !== undefined;
  if (!isLoop) return { nodes, initializers: constants };
  const checks = roundChecks(owner, { graph, memoryLimit: place.memoryLimit, most, scope: `${scope} round` });
  return {
    nodes: [...nodes, ...checks.nodes],
    initializers: [...constants, ...checks.constants],
    firstOutput: checks.condition,
  };
}

interface Checked {
  readonly nodes: readonly OnnxNode[];
  readonly constants: readonly { readonly name: string; readonly tensor: Tensor }[];
  /** Name of the condition that is only there where all checks went well. */
  readonly condition: string;
}

/** Bytes of what loops hold are not known by element type; this is that of float32. */
const ELEMENT = 4;
/** A round holds what it was handed beside what it makes of it, often twice as much; collected results are joined at the end. */
const COPIES = 4;

interface Round {
  readonly graph: FileGraph;
  readonly memoryLimit: number;
  /** undefined where the rounds have been counted before. */
  readonly most: number | undefined;
  readonly scope: string;
}

/** Checks at the end of a round: that its number is small enough, and so is all that it hands on and has collected. */
function roundChecks(owner: OnnxNode, { graph, memoryLimit, most, scope }: Round): Checked {
  const own = (name: string) => `${scope} ${name}`;
  const nodes: OnnxNode[] = [make("Add", [graph.inputs[0].name, own("one")], own("rounds"))];
  const elements = Math.max(Math.floor(memoryLimit / (ELEMENT * COPIES)), 1);
  const constants = [
    { name: own("one"), tensor: integer(1) },
    { name: own("most elements"), tensor: double(elements) },
    { name: own("list"), tensor: { data: BigInt64Array.of(0n), dims: [1] } },
  ];
  let condition = graph.outputs[0].name;
  const check = (what: string, bound: { readonly value: string; readonly most: string; readonly name: string }) => {
    nodes.push(...boundedBy(own, what, bound), make("And", [condition, own(`${what} fits`)], own(`${what} goes on`)));
    condition = own(`${what} goes on`);
  };
  if (most !== undefined) {
    constants.push({ name: own("most rounds"), tensor: double(most) });
    check("number", { value: own("rounds"), most: own("most rounds"), name: `${ROUNDS} ${most}: ${shown(owner)}` });
  }
  const sized = sizedOutputs(graph);
  for (const [i, { name, isCollected }] of sized.entries()) {
    const what = `output ${i}`;
    nodes.push(make("Size", [name], own(`${what} size`)));
    if (isCollected) nodes.push(make("Mul", [own(`${what} size`), own("rounds")], own(`${what} all`)));
    const value = own(isCollected ? `${what} all` : `${what} size`);
    check(what, { value, most: own("most elements"), name: `${GROWTH} ${elements}: ${shown(owner)}` });
  }
  const states = sized.filter(({ isCollected }) => !isCollected);
  if (states.length > 0) {
    const counted = sumOfAxes(own, states);
    nodes.push(...counted.nodes);
    const axes = MOST_AXES * states.length;
    constants.push({ name: own("most axes"), tensor: double(axes) });
    check("axes", { value: counted.sum, most: own("most axes"), name: `${AXES} ${axes}: ${shown(owner)}` });
  }
  return { nodes, constants, condition };
}

/**
 * Nodes that count the axes of all values together. A loop that collects what the next round takes gives it one axis more each time: few
 * elements, yet each operation takes a time in proportion to the axes.
 */
function sumOfAxes(own: (name: string) => string, values: readonly { readonly name: string }[]) {
  const nodes: OnnxNode[] = [];
  let sum = "";
  for (const [i, { name }] of values.entries()) {
    const axes = own(`axes ${i}`);
    nodes.push(make("Shape", [name], own(`dims ${i}`)), make("Size", [own(`dims ${i}`)], axes));
    if (i > 0) nodes.push(make("Add", [sum, axes], own(`axes to ${i}`)));
    sum = i === 0 ? axes : own(`axes to ${i}`);
  }
  return { nodes, sum };
}

/** Values that a body passes on or collects, without sequences and optional values, which have no size. */
function sizedOutputs({
  inputs,
  outputs,
}: FileGraph): readonly { readonly name: string; readonly isCollected: boolean }[] {
  const states = inputs.length - 2;
  return outputs.slice(1).flatMap(({ name, dtype }, i) => {
    const isTensor = dtype !== null || i >= states || (inputs[i + 2].dtype ?? null) !== null;
    return isTensor ? [{ name, isCollected: i >= states }] : [];
  });
}

const double = (value: number): Tensor => ({ data: Float64Array.of(value), dims: [] });
const integer = (value: number): Tensor => ({ data: BigInt64Array.of(BigInt(value)), dims: [] });

function make(op: string, inputs: readonly string[], output: string): OnnxNode {
  return { op, inputs, outputs: [output], attributes: {} };
}

/**
 * Nodes that fail, under a name that says why, where an integer is more than a number, and else give a truth. Comparisons are of
 * doubles, the only ones that all operator sets have.
 */
function boundedBy(
  own: (name: string) => string,
  what: string,
  { value, most, name }: { readonly value: string; readonly most: string; readonly name: string },
): OnnxNode[] {
  const [size, large, index, zero, exceeds] = ["double", "large", "index", "zero", "exceeds"].map((part) =>
    own(`${what} ${part}`),
  );
  return [
    cast(value, size, DOUBLE),
    make("Greater", [size, most], large),
    cast(large, index, INT64),
    { ...make("Gather", [own("list"), index], zero), name },
    cast(zero, exceeds, BOOL),
    make("Not", [exceeds], own(`${what} fits`)),
  ];
}

/** ONNX codes of element types. */
const [INT64, BOOL, DOUBLE] = [7, 9, 11];

function cast(input: string, output: string, to: number): OnnxNode {
  return { op: "Cast", inputs: [input], outputs: [output], attributes: { to: { int: to } } };
}

/** A Scan of which the first scanned input passes a check of its length. */
function scanChecked(node: OnnxNode, { place, most }: { readonly place: Place; readonly most: number }) {
  const { num_scan_inputs, scan_input_axes } = node.attributes;
  const scanned = num_scan_inputs !== undefined && "int" in num_scan_inputs ? num_scan_inputs.int : 0;
  const position = node.inputs.length - scanned;
  const axis = scan_input_axes !== undefined && "ints" in scan_input_axes ? (scan_input_axes.ints[0] ?? 0) : 0;
  if (!(scanned > 0 && position >= 0)) return { nodes: [node], constants: [] };
  const scope = place.nextScope();
  const own = (name: string) => `${scope} ${name}`;
  const name = `${ROUNDS} ${most}: ${shown(node)}`;
  const nodes: OnnxNode[] = [
    make("Shape", [node.inputs[position]], own("dims")),
    make("Gather", [own("dims"), own("axis")], own("length")),
    ...boundedBy(own, "length", { value: own("length"), most: own("most"), name }),
    make("Add", [own("dims"), own("length zero")], own("checked dims")),
    make("Reshape", [node.inputs[position], own("checked dims")], own("checked")),
    { ...node, inputs: node.inputs.map((input, i) => (i === position ? own("checked") : input)) },
  ];
  const constants = [
    { name: own("axis"), tensor: integer(axis) },
    { name: own("most"), tensor: double(most) },
    { name: own("list"), tensor: { data: BigInt64Array.of(0n), dims: [1] } },
  ];
  return { nodes, constants };
}

function shown({ op, name = "", outputs }: OnnxNode): string {
  return `${op} "${(name || outputs[0] || "").replaceAll("'", "")}"`;
}
