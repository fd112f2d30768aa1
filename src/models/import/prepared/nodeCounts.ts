import { CurvatureError } from "../../../errors/index.ts";
import {
  type FileFunction,
  type FileGraph,
  type FileNode,
  type OnnxNode,
  subgraphContents,
} from "../../../onnx/index.ts";
import { describe } from "./sortNodes.ts";

/** Nodes of a graph once loops and functions are written out; larger ones take minutes to compile. */
const MOST_NODES = 100_000;

/** Nodes that loops may run within the engine, all rounds together: some seconds. */
export const MOST_WORK = 2_000_000;

/** Cost of a round beside its nodes, guards included, counted in nodes. */
const ROUND_WORK = 40;

/** Nesting of functions that is followed. */
const DEEPEST = 200;

/**
 * Checks how many nodes there will be when the bodies of local functions stand in place of their calls, calls within bodies included.
 *
 * @throws CurvatureError "unsupported" for more than 100,000
 */
export function checkCalls(nodes: readonly FileNode[], functions: readonly FileFunction[]): void {
  if (functions.length === 0) return;
  const byKey = new Map(functions.map((each) => [keyOf({ ...each, op: each.name }), each]));
  const counts = new Map<FileFunction, number>();
  const count = (list: readonly FileNode[], depth: number): number => {
    let total = 0;
    for (const node of list) {
      const called = byKey.get(keyOf(node));
      const inner = subgraphsOf(node);
      total += called === undefined || depth > DEEPEST ? 1 : counted(called, depth + 1);
      for (const graph of inner) total += count(graph.nodes, depth + 1);
    }
    return total;
  };
  const counted = (called: FileFunction, depth: number): number => {
    const known = counts.get(called);
    if (known !== undefined) return known;
    // A function that calls itself is found when it is written out.
    counts.set(called, 1);
    const total = count(called.nodes, depth);
    counts.set(called, total);
    return total;
  };
  for (const node of nodes) {
    const total = count([node], 0);
    if (total <= MOST_NODES) continue;
    throw new CurvatureError(
      "unsupported",
      `${describe(node)} is a function that stands for ${shownCount(total)} nodes with all that it calls, more than the ${MOST_NODES} that can be written out; export the model again without functions`,
    );
  }
}

/**
 * Checks how many nodes a loop adds to a graph so far.
 *
 * @throws CurvatureError "unsupported" for more than 100,000 in all
 */
export function checkWrittenNodes(loop: FileNode, nodes: number): void {
  if (nodes <= MOST_NODES) return;
  throw new CurvatureError(
    "unsupported",
    `${describe(loop)}, written out with the loops before it, makes more than ${MOST_NODES} nodes; export the model without the loop`,
  );
}

/**
 * Checks how often a loop that is left to the engine runs its nodes: rounds times nodes, with the rounds of the loops within.
 *
 * @throws CurvatureError "unsupported" for more than the engine does in some seconds
 */
export async function checkExecutions(node: FileNode, numberOf: NumberOf): Promise<void> {
  if (node.domain !== "" || node.op !== "Loop") return;
  const total = await executions(node, { numberOf, perRound: ROUND_WORK });
  if (total > MOST_WORK) throw tooMany(node, { total, most: MOST_WORK });
}

/**
 * Checks how many nodes a loop will be when it and the loops within stand written out, as far as their counts are known.
 *
 * @throws CurvatureError "unsupported" for more than 100,000
 */
export async function checkRoundsWithin(node: FileNode, numberOf: NumberOf): Promise<void> {
  const total = await executions(node, { numberOf, perRound: 0 });
  if (total > MOST_NODES) throw tooMany(node, { total, most: MOST_NODES });
}

/** Cost of a node with its graphs, counted in nodes. Loops of unknown counts are taken to have one round. */
export async function workOf(node: OnnxNode, numberOf: NumberOf): Promise<number> {
  return executions(node, { numberOf, perRound: ROUND_WORK });
}

/** Depth to which loops of unknown counts are nested at a node, itself included. */
export async function openLoops(node: OnnxNode, numberOf: NumberOf): Promise<number> {
  let within = 0;
  for (const graph of subgraphsOf(node)) {
    const inside = await numbersWithin(graph, numberOf);
    for (const inner of graph.nodes) within = Math.max(within, await openLoops(inner, inside));
  }
  return within + ((await countOf(node, numberOf)) === undefined ? 1 : 0);
}

/** Rounds of a node's graphs: 1 but for loops, and undefined where these are not known. */
export async function countOf({ op, domain = "", inputs }: OnnxNode, numberOf: NumberOf): Promise<number | undefined> {
  if (domain !== "" || (op !== "Loop" && op !== "Scan")) return 1;
  const count = op === "Loop" ? await numberOf(inputs[0] ?? "") : undefined;
  return count === undefined || count >= Number.MAX_SAFE_INTEGER ? undefined : Math.max(count, 0);
}

function tooMany(node: FileNode, { total, most }: { readonly total: number; readonly most: number }): CurvatureError {
  return new CurvatureError(
    "unsupported",
    `${describe(node)} has ${shownCount(total)} nodes in all its rounds, with the loops within, more than the ${most} that are computed; export the model without the loop`,
  );
}

/** The number that a value is known to be. */
export type NumberOf = (name: string) => number | undefined | Promise<number | undefined>;

async function executions(
  node: OnnxNode,
  { numberOf, perRound }: { readonly numberOf: NumberOf; readonly perRound: number },
): Promise<number> {
  let within = 0;
  for (const graph of subgraphsOf(node)) {
    const inside = await numbersWithin(graph, numberOf);
    for (const inner of graph.nodes) within += await executions(inner, { numberOf: inside, perRound });
  }
  const isLoop = node.op === "Loop" || node.op === "Scan";
  return ((await countOf(node, numberOf)) ?? 1) * (Math.max(within, 1) + (isLoop ? perRound : 0));
}

/** The numbers that are known within a graph: its own, and those around it. */
export async function numbersWithin({ nodes, initializers }: FileGraph, outside: NumberOf): Promise<NumberOf> {
  const numbers = new Map<string, number | undefined>();
  for (const { name, dims, load } of initializers) {
    if (dims.length === 0) numbers.set(name, Number((await load()).data[0]));
  }
  for (const node of nodes) if (node.op === "Constant") numbers.set(node.outputs[0], constantNumber(node));
  return async (name) => numbers.get(name) ?? (await outside(name));
}

function constantNumber({ attributes: { value, value_int } }: FileNode): number | undefined {
  if (value_int !== undefined && "int" in value_int) return value_int.int;
  return value !== undefined && "tensor" in value ? Number(value.tensor.data[0]) : undefined;
}

function keyOf({ domain, op, overload }: Pick<FileNode, "domain" | "op" | "overload">): string {
  return JSON.stringify([domain, op, overload]);
}

function subgraphsOf({ attributes }: OnnxNode) {
  return Object.values(attributes).flatMap((value) => {
    if ("graph" in value) return [subgraphContents(value.graph)];
    return "graphs" in value ? value.graphs.map((each) => subgraphContents(each)) : [];
  });
}

function shownCount(count: number): string {
  return Number.isFinite(count) && count < 1e15 ? String(count) : `about ${count.toExponential(0)}`;
}
