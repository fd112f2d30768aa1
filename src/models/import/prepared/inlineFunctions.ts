import { CurvatureError } from "../../../errors/index.ts";
import type { FileFunction, FileNode } from "../../../onnx/index.ts";
import { type AttributeValue, valueNamed } from "../../../tensors/index.ts";
import { describe } from "./sortNodes.ts";
import { freshName } from "./valueNames.ts";

/** Nodes without calls of local functions, as far as these can be written out. */
export interface InlinedNodes {
  readonly nodes: readonly FileNode[];
  /** Functions that are still called. */
  readonly functions: readonly FileFunction[];
}

/** Calls within calls that are written out; a chain of more is refused, whether or not it ends. */
const DEEPEST = 100;

/**
 * Writes the bodies of local functions in place of their calls, so that their operators are differentiated and their
 * constants found like any other. A function stays a call if it was written for other operator sets than the model, or
 * contains subgraphs, whose names cannot be changed.
 *
 * @throws CurvatureError "file" for functions that call themselves, "unsupported" for chains of more than 100 calls
 */
export function inlineFunctions(
  nodes: readonly FileNode[],
  {
    functions,
    opsets,
    defined = [],
  }: {
    readonly functions: readonly FileFunction[];
    readonly opsets: Readonly<Record<string, number>>;
    /** Names of values that nodes do not define: inputs and initializers. */
    readonly defined?: readonly string[];
  },
): InlinedNodes {
  const byKey = new Map(functions.map((each) => [keyOf(each.domain, each.name, each.overload), each]));
  const taken = new Set([...nodes.flatMap(({ inputs, outputs }) => [...inputs, ...outputs]), ...defined]);
  let count = 0;
  const expand = (node: FileNode, callers: ReadonlySet<string>): FileNode[] => {
    const key = keyOf(node.domain, node.op, node.overload);
    const called = byKey.get(key);
    if (called === undefined || !isInlinable(called, opsets)) return [node];
    checkCall(node, key, callers);
    const inside = new Set([...callers, key]);
    return bodyOf(node, called, { prefix: `${node.name || node.op}_${count++}`, taken }).flatMap((inner) =>
      expand(inner, inside),
    );
  };
  const expanded = nodes.flatMap((node) => expand(node, new Set()));
  const remaining = expanded.some(({ domain, op, overload }) => byKey.has(keyOf(domain, op, overload)));
  return { nodes: expanded, functions: remaining ? functions : [] };
}

function checkCall(node: FileNode, key: string, callers: ReadonlySet<string>): void {
  if (callers.has(key)) {
    throw new CurvatureError(
      "file",
      `${describe(node)} is a function that calls itself; the file is damaged, export it again`,
    );
  }
  if (callers.size > DEEPEST) {
    throw new CurvatureError(
      "unsupported",
      `${describe(node)} is called through a chain of more than ${DEEPEST} functions; inline some of them before (onnx.inliner.inline_local_functions)`,
    );
  }
}

function keyOf(domain: string, name: string, overload: string): string {
  return JSON.stringify([domain, name, overload]);
}

function isInlinable({ nodes, opsets }: FileFunction, model: Readonly<Record<string, number>>): boolean {
  const used = new Set(nodes.map(({ domain }) => domain));
  const sameForms = Object.entries(opsets).every(([domain, version]) => !used.has(domain) || model[domain] === version);
  return sameForms && nodes.every((node) => Object.values(node.attributes).every((value) => !hasGraph(value)));
}

function hasGraph(value: AttributeValue): boolean {
  return "graph" in value || "graphs" in value || "opaque" in value;
}

/** The function's nodes with the call's names for inputs and outputs, its attributes, and names of their own for the rest. */
function bodyOf(
  call: FileNode,
  { inputs, outputs, nodes, defaults }: FileFunction,
  { prefix, taken }: { readonly prefix: string; readonly taken: Set<string> },
): FileNode[] {
  const names = new Map<string, string>([["", ""]]);
  inputs.forEach((name, i) => {
    names.set(name, call.inputs[i] ?? "");
  });
  const copies: FileNode[] = [];
  outputs.forEach((name, i) => {
    const wanted = call.outputs[i] ?? "";
    if (wanted === "") return;
    // An input that is an output as well keeps both its names.
    if (names.has(name)) copies.push(copyNode(names.get(name)!, wanted, prefix));
    else names.set(name, wanted);
  });
  const rename = (name: string) => {
    if (!names.has(name)) names.set(name, freshName(`${prefix}/${name}`, taken));
    return names.get(name)!;
  };
  const given = { ...defaults, ...call.attributes };
  const body = nodes.map(
    (node): FileNode => ({
      ...node,
      name: node.name === "" ? "" : `${prefix}/${node.name}`,
      inputs: node.inputs.map(rename),
      outputs: node.outputs.map(rename),
      attributes: { ...node.attributes, ...referenced(node, given) },
      references: {},
      metadata: { ...call.metadata, ...node.metadata },
    }),
  );
  return [...body, ...copies];
}

function referenced(
  { references }: FileNode,
  given: Readonly<Record<string, AttributeValue>>,
): Readonly<Record<string, AttributeValue>> {
  const entries = Object.entries(references).flatMap(([name, source]) => {
    const value = valueNamed(given, source);
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(entries);
}

function copyNode(from: string, to: string, prefix: string): FileNode {
  return {
    op: "Identity",
    domain: "",
    name: `${prefix}/${to}`,
    overload: "",
    inputs: [from],
    outputs: [to],
    attributes: {},
    references: {},
    metadata: {},
    captures: [],
  };
}
