import { CurvatureError } from "../../../errors/index.ts";
import { type FileGraph, type FileNode, subgraphContents } from "../../../onnx/index.ts";
import { dtypeOf, type Tensor } from "../../../tensors/index.ts";
import { producersOf } from "../analysis/reachability.ts";
import { checkRoundsWithin, checkWrittenNodes } from "../prepared/nodeCounts.ts";
import { splitConstants } from "../prepared/prepare.ts";
import type { PreparedModel, StoredConstant } from "../prepared/preparedModel.ts";
import { describe } from "../prepared/sortNodes.ts";
import { freshName, takenNames } from "../prepared/valueNames.ts";
import { identityNode, inlineSubgraph, inOrder, plainNode } from "./inlineSubgraph.ts";

/** Rounds beyond which a loop is not written out. */
const MOST_ROUNDS = 10_000;

/** A loop that is being written out: the model so far, without the loop. */
interface Unrolling {
  readonly node: FileNode;
  readonly body: FileGraph;
  readonly prefix: string;
  readonly taken: Set<string>;
  /** Names in the model of the body's constants. */
  readonly shared: ReadonlyMap<string, string>;
  readonly model: PreparedModel;
  /** Nodes and constants so far, the model's own included. */
  readonly nodes: FileNode[];
  readonly constants: Map<string, StoredConstant>;
}

function soFar({ model, nodes, constants }: Unrolling): PreparedModel {
  return { ...model, nodes, constants };
}

/**
 * The model with the rounds of a Loop one after the other in its place: as many as its count and its condition say, the
 * latter asked for after every round unless the body only hands it on.
 *
 * @param valueOf gives a value that depends on shapes and constants alone; undefined for others
 * @throws CurvatureError "unsupported" for a condition that depends on the data, and for more than 10,000 rounds
 */
export async function unrollLoop(
  model: PreparedModel,
  node: FileNode,
  { valueOf }: { readonly valueOf: (model: PreparedModel, name: string) => Promise<Tensor | undefined> },
): Promise<PreparedModel> {
  const unrolling = start(model, node);
  const always = await handsOnCondition(unrolling);
  const [count, first, ...initial] = node.inputs;
  const most = count === "" ? Number.POSITIVE_INFINITY : await knownNumber(model, count, valueOf);
  let goesOn = first === undefined || first === "" || (await knownNumber(model, first, valueOf)) !== 0;
  let condition = first === undefined || first === "" ? constantOf(unrolling, trueTensor()) : first;
  let carried: readonly string[] = initial;
  const stacked: string[][] = [];
  if (always && goesOn) {
    checkRounds(node, most);
    await checkRoundsWithin(node, async (name) => {
      const constant = name === count ? undefined : model.constants.get(name);
      return name === count ? most : constant?.dims.length === 0 ? Number((await constant.load()).data[0]) : undefined;
    });
  }
  for (let round = 0; round < most && goesOn; round++) {
    checkRounds(node, round);
    const number = constantOf(unrolling, { data: BigInt64Array.of(BigInt(round)), dims: [] });
    const [next, ...results] = writeRound(unrolling, round, [number, condition, ...carried]);
    carried = results.slice(0, initial.length);
    stacked.push(results.slice(initial.length));
    if (!always) {
      const known = await valueOf(soFar(unrolling), next);
      if (known === undefined) throw dependsOnData(node);
      goesOn = Number(known.data[0]) !== 0;
    }
    condition = next;
  }
  node.outputs.slice(0, initial.length).forEach((name, i) => {
    if (name !== "") add(unrolling, [identityNode(carried[i], name)]);
  });
  node.outputs.slice(initial.length).forEach((name, i) => {
    if (name !== "") stack(unrolling, { name, pieces: stacked.map((round) => round[i]), axis: 0 });
  });
  return inOrder(soFar(unrolling));
}

/**
 * The model with the rounds of a Scan one after the other in its place, as many as the scanned inputs are long.
 *
 * @throws CurvatureError "unsupported" for more than 10,000 rounds, for none, and for the form of opset 8
 */
export function unrollScan(
  model: PreparedModel,
  node: FileNode,
  dims: ReadonlyMap<string, readonly number[]>,
): PreparedModel {
  const unrolling = start(model, node);
  const scanned = intAttribute(node, "num_scan_inputs");
  if (scanned === undefined || (model.opsets[""] ?? 0) < 9) {
    throw new CurvatureError(
      "unsupported",
      `${describe(node)} has the form of opset 8; convert the file to opset 9 or newer`,
    );
  }
  const states = node.inputs.length - scanned;
  const inputs = scannedInputs(node, { states, dims });
  const length = inputs[0]?.length ?? 0;
  checkRounds(node, length);
  let carried: readonly string[] = node.inputs.slice(0, states);
  const stacked: string[][] = [];
  for (let round = 0; round < length; round++) {
    const pieces = inputs.map(({ name, axis, back }) =>
      pieceOf(unrolling, { name, axis, at: back ? length - 1 - round : round }),
    );
    const results = writeRound(unrolling, round, [...carried, ...pieces]);
    carried = results.slice(0, states);
    stacked.push(results.slice(states));
  }
  node.outputs.slice(0, states).forEach((name, i) => {
    if (name !== "") add(unrolling, [identityNode(carried[i], name)]);
  });
  node.outputs.slice(states).forEach((name, i) => {
    const pieces = stacked.map((round) => round[i]);
    if (intsAttribute(node, "scan_output_directions")?.[i] === 1) pieces.reverse();
    if (name !== "") stack(unrolling, { name, pieces, axis: intsAttribute(node, "scan_output_axes")?.[i] ?? 0 });
  });
  return inOrder(soFar(unrolling));
}

/** The scanned inputs of a Scan, with the axis along which they are cut, its length, and whether from its end. */
function scannedInputs(
  node: FileNode,
  { states, dims }: { readonly states: number; readonly dims: ReadonlyMap<string, readonly number[]> },
) {
  return node.inputs.slice(states).map((name, i) => {
    const shape = dims.get(name) ?? [];
    const axis = intsAttribute(node, "scan_input_axes")?.[i] ?? 0;
    const back = intsAttribute(node, "scan_input_directions")?.[i] === 1;
    return { name, axis, length: shape[axis < 0 ? axis + shape.length : axis] ?? 0, back };
  });
}

function start(model: PreparedModel, node: FileNode): Unrolling {
  const { body } = node.attributes;
  if (body === undefined || !("graph" in body)) {
    throw new CurvatureError(
      "file",
      `${model.file}: ${describe(node)} lacks a body; the file is damaged, export it again`,
    );
  }
  const taken = takenNames(model);
  const prefix = node.name || node.outputs.find((name) => name !== "") || node.op;
  const graph = subgraphContents(body.graph);
  // Constants of the body are the same ones in every round.
  const { nodes, constants } = splitConstants(graph);
  const shared = new Map(
    [...constants.keys()].map((name) => [name, freshName(taken.has(name) ? `${prefix}/${name}` : name, taken)]),
  );
  const named = [...constants].map(([name, each]): [string, StoredConstant] => {
    const own = shared.get(name)!;
    return [own, { ...each, name: own }];
  });
  return {
    node,
    body: { ...graph, initializers: [], nodes },
    prefix,
    taken,
    shared,
    model,
    nodes: model.nodes.filter((other) => other !== node),
    constants: new Map([...model.constants, ...named]),
  };
}

/** Writes the body once more, for these outer values of its inputs; gives the names of its outputs. */
function writeRound(unrolling: Unrolling, round: number, inputs: readonly string[]): readonly string[] {
  const { body, prefix, taken, shared } = unrolling;
  const names = new Map([...shared, ...body.inputs.map(({ name }, i): [string, string] => [name, inputs[i] ?? ""])]);
  const { nodes, constants, results } = inlineSubgraph(body, { prefix: `${prefix}/${round}`, taken, inputs: names });
  unrolling.nodes.push(...nodes);
  checkWrittenNodes(unrolling.node, unrolling.nodes.length);
  for (const [name, constant] of constants) unrolling.constants.set(name, constant);
  return results;
}

function add(unrolling: Unrolling, nodes: readonly FileNode[]): void {
  unrolling.nodes.push(...nodes);
}

/** Element `at` along an axis of a scanned input, without the axis. */
function pieceOf(
  unrolling: Unrolling,
  { name, axis, at }: { readonly name: string; readonly axis: number; readonly at: number },
): string {
  const index = constantOf(unrolling, { data: BigInt64Array.of(BigInt(at)), dims: [] });
  const result = freshName(`${unrolling.prefix}/${name}[${at}]`, unrolling.taken);
  add(unrolling, [
    plainNode({ op: "Gather", inputs: [name, index], outputs: [result], attributes: { axis: { int: axis } } }),
  ]);
  return result;
}

/** Results of the rounds, along a new axis. */
function stack(
  unrolling: Unrolling,
  { name, pieces, axis }: { readonly name: string; readonly pieces: readonly string[]; readonly axis: number },
): void {
  if (pieces.length === 0) {
    throw new CurvatureError(
      "unsupported",
      `${describe(unrolling.node)} has no rounds but stacks their results; export the model without it`,
    );
  }
  const asInput = (unrolling.model.opsets[""] ?? 0) >= 13;
  const axes = asInput ? [constantOf(unrolling, { data: BigInt64Array.of(BigInt(axis)), dims: [1] })] : [];
  const attributes = asInput ? {} : { axes: { ints: [axis] } };
  const widened = pieces.map((piece) => {
    const result = freshName(`${piece}/widened`, unrolling.taken);
    add(unrolling, [plainNode({ op: "Unsqueeze", inputs: [piece, ...axes], outputs: [result], attributes })]);
    return result;
  });
  add(unrolling, [plainNode({ op: "Concat", inputs: widened, outputs: [name], attributes: { axis: { int: axis } } })]);
}

function constantOf(unrolling: Unrolling, tensor: Tensor): string {
  const name = freshName(`${unrolling.prefix}/constant`, unrolling.taken);
  const stored: StoredConstant = {
    name,
    dims: tensor.dims,
    dtype: dtypeOf(tensor),
    origin: "Constant node",
    load: async () => tensor,
  };
  unrolling.constants.set(name, stored);
  return name;
}

function trueTensor(): Tensor {
  return { data: Uint8Array.of(1), dims: [], dtype: "bool" };
}

/** Whether the condition for another round is the one that the round was given, or always true. */
function handsOnCondition({ body, shared, constants }: Unrolling): Promise<boolean> | boolean {
  const given = body.inputs[1]?.name;
  const producers = producersOf(body.nodes);
  let name = body.outputs[0]?.name;
  for (let node = producers.get(name); node?.op === "Identity" && node.domain === ""; node = producers.get(name)) {
    [name] = node.inputs;
  }
  if (name === given) return true;
  const constant = shared.get(name);
  return constant === undefined
    ? false
    : constants
        .get(constant)!
        .load()
        .then(({ data }) => Number(data[0]) !== 0);
}

async function knownNumber(
  model: PreparedModel,
  name: string,
  valueOf: (model: PreparedModel, name: string) => Promise<Tensor | undefined>,
): Promise<number> {
  return Number((await valueOf(model, name))!.data[0]);
}

function checkRounds(node: FileNode, rounds: number): void {
  if (rounds <= MOST_ROUNDS) return;
  throw new CurvatureError(
    "unsupported",
    `${describe(node)} has more than ${MOST_ROUNDS} rounds, too many to be written out; export the model without the loop`,
  );
}

function dependsOnData(node: FileNode): CurvatureError {
  return new CurvatureError(
    "unsupported",
    `${describe(node)} decides by the data how often it repeats; derivatives need one graph for all rows, so export the model without data-dependent control flow`,
  );
}

function intAttribute({ attributes }: FileNode, name: string): number | undefined {
  const value = attributes[name];
  return value !== undefined && "int" in value ? value.int : undefined;
}

function intsAttribute({ attributes }: FileNode, name: string): readonly number[] | undefined {
  const value = attributes[name];
  return value !== undefined && "ints" in value ? value.ints : undefined;
}
