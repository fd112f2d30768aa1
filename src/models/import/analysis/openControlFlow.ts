import { type FileNode, subgraphContents } from "../../../onnx/index.ts";
import { sizeOf } from "../../../tensors/index.ts";
import { traitsOf } from "../ops/operators.ts";
import type { ControlFlow } from "../ops/traits.ts";
import { splitConstants } from "../prepared/prepare.ts";
import type { PreparedModel } from "../prepared/preparedModel.ts";
import { describe, readBy } from "../prepared/sortNodes.ts";
import { isRearranged } from "./passedValues.ts";
import { producersOf, reachedValues } from "./reachability.ts";

/** A node of control flow of which it is not known what it computes until some inputs are. */
export interface OpenControlFlow {
  readonly node: FileNode;
  /** Whether it takes one of two branches or repeats a body. */
  readonly kind: ControlFlow["kind"];
  /** Float tensors with more than one element within its graphs: weights that no derivative is taken in. */
  readonly tensors: number;
  /** Inputs of the model whose numbers decide. */
  readonly inputs: readonly string[];
  /** Open sizes that must be known too, as bindings name them. */
  readonly sizes: readonly string[];
}

/** The nodes of control flow in a model, with what decides them. */
export function openControlFlow(model: PreparedModel): readonly OpenControlFlow[] {
  return model.nodes.flatMap((node): OpenControlFlow[] => {
    const { controlFlow } = traitsOf(node);
    if (controlFlow === undefined) return [];
    const { kind } = controlFlow;
    return [{ node, kind, tensors: innerTensors(node), ...decidedBy(model, node, controlFlow) }];
  });
}

/** Float tensors with more than one element in a node's graphs, and in theirs. */
export function innerTensors(node: FileNode): number {
  let count = 0;
  for (const value of Object.values(node.attributes)) {
    const graphs = "graph" in value ? [value.graph] : "graphs" in value ? value.graphs : [];
    for (const bytes of graphs) {
      const { nodes, constants } = splitConstants(subgraphContents(bytes));
      const floats = [...constants.values()].filter(({ dtype, dims }) => dtype.startsWith("float") && sizeOf(dims) > 1);
      count += nodes.reduce((sum, inner) => sum + innerTensors(inner), floats.length);
    }
  }
  return count;
}

function decidedBy(
  model: PreparedModel,
  node: FileNode,
  { decidedBy: by }: ControlFlow,
): Pick<OpenControlFlow, "inputs" | "sizes"> {
  const producers = producersOf(model.nodes);
  const inputs = new Set<string>();
  const sizes = new Set<string>();
  const seen = new Set<string>();
  const deciding = by === "sizes" ? node.inputs : node.inputs.slice(0, by);
  // A list of what is left to look at, since networks are deeper than the stack of JavaScript.
  const left = deciding.map((name) => ({ name, sizeOnly: by === "sizes" })).reverse();
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const { name, sizeOnly } = next;
    const key = `${name} ${sizeOnly}`;
    if (seen.has(key)) continue;
    seen.add(key);
    const input = model.inputs.find((each) => each.name === name);
    if (input !== undefined && !sizeOnly) inputs.add(name);
    else if (input?.dims?.some((dim) => typeof dim !== "number")) sizes.add(name);
    const producer = producers.get(name);
    const reads = producer === undefined ? [] : readBy(producer).reverse();
    const measures = producer !== undefined && traitsOf(producer).fromShape === "sizes";
    left.push(...reads.map((read) => ({ name: read, sizeOnly: sizeOnly || measures })));
  }
  // Sizes are worth something only once all are known, since the engine computes with all of them.
  return { inputs: [...inputs], sizes: sizes.size === 0 ? [] : openSizes(model) };
}

/** Sizes that the file leaves open, as bindings name them. */
function openSizes({ inputs }: PreparedModel): string[] {
  const names = inputs.flatMap(({ name, dims }) =>
    (dims ?? []).flatMap((dim, axis) => (typeof dim === "number" ? [] : [dim ?? `${name}[${axis}]`])),
  );
  return [...new Set(names)];
}

/**
 * Advice on control flow that hides weights or that parameters reach: a sentence for each such node. Sizes
 * alone need no word where nothing is hidden: each batch has them.
 */
export async function openControlFlowNotices(
  model: PreparedModel,
  parameters: Iterable<string>,
): Promise<readonly string[]> {
  const reached = reachedValues(model.nodes, parameters);
  const open = openControlFlow(model).filter(({ node, tensors, inputs }) => {
    const needed = inputs.length > 0 && node.outputs.some((name) => reached.has(name));
    return tensors > 0 || needed;
  });
  return Promise.all(open.map(async (each) => `${whatItIs(each)}${capitalized(await remedy(model, each))}.`));
}

function whatItIs({ node, kind, tensors, inputs, sizes }: OpenControlFlow): string {
  const by = [...inputs.map((name) => `input "${name}"`), ...sizes.map((name) => `size "${name}"`)];
  const decided = by.length === 0 ? "by what it computes itself" : `by ${by.join(", ")}`;
  const what = kind === "branch" ? `takes one of two branches ${decided}` : `repeats its body, how often ${decided}`;
  const place = kind === "branch" ? "its branches" : "its body";
  const hidden =
    tensors === 0
      ? ""
      : ` ${tensors} float tensor${tensors === 1 ? "" : "s"} within ${place} ${tensors === 1 ? "is" : "are"} no weight${tensors === 1 ? "" : "s"} until that is known.`;
  return `${describe(node)} ${what}.${hidden} `;
}

/** Advice on such a node, as a clause. */
export async function remedy(model: PreparedModel, open: OpenControlFlow): Promise<string> {
  const { node, inputs, sizes } = open;
  const bound = await Promise.all(
    inputs
      .filter((name) => isSetting(model, name))
      .map(async (name) => [name, await comparedWith(model, node, name)] as const),
  );
  if (bound.length < inputs.length || bound.length + sizes.length === 0) return otherOutput(model, node);
  const values = [
    ...bound.map(([name, value]): [string, string] => [name, String(value ?? "VALUE")]),
    ...sizes.map((size): [string, string] => [size, "SIZE"]),
  ];
  const code = values.map(([name, value]) => `${JSON.stringify(name)}: ${value}`).join(", ");
  const flags = values.map(([name, value]) => `--bind ${name}=${value}`).join(" ");
  return `bind ${values.map(([name, value]) => `${name} to ${value}`).join(" and ")} (bind: { ${code} }, or ${flags})`;
}

/** Whether an input says how to compute, as a sampling rate does, rather than what of: an integer, truth value or single number. */
function isSetting(model: PreparedModel, name: string): boolean {
  const { dtype, dims } = model.inputs.find((input) => input.name === name)!;
  return dtype === "bool" || dims?.every((dim) => dim === 1) === true;
}

/** The number with which a condition compares an input, if it is that simple. */
async function comparedWith(model: PreparedModel, { inputs }: FileNode, input: string): Promise<number | undefined> {
  const producers = producersOf(model.nodes);
  let node = producers.get(inputs[0]);
  while (node !== undefined && passesTruth(node)) node = producers.get(node.inputs[0]);
  if (node?.op !== "Equal" || !node.inputs.includes(input)) return undefined;
  const other = model.constants.get(node.inputs.find((name) => name !== input) ?? "");
  if (other === undefined || sizeOf(other.dims) !== 1) return undefined;
  return Number((await other.load()).data[0]);
}

/** Whether a truth value that comes out is the one that went in, or its negation. */
function passesTruth(node: FileNode): boolean {
  return isRearranged(node) || traitsOf(node).negates === true;
}

/** Advice to take an output before the node: a value that the network computes and its branches use. */
function otherOutput(model: PreparedModel, node: FileNode): string {
  const producers = producersOf(model.nodes);
  const computed = [...node.captures, ...node.inputs].filter((name) => producers.has(name));
  const isProbability = (name: string) => traitsOf(producers.get(name)!).activation?.gives === "probabilities";
  const found = computed.find(isProbability) ?? computed.find((name) => node.captures.includes(name));
  const exported = "export the model without data-dependent control flow";
  if (found === undefined) return exported;
  return `choose an output before it, as "${found}" (output: ${JSON.stringify(found)}, or --output ${found}), or ${exported}`;
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
