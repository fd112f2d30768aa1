import type { Initializer } from "../../src/onnx/index.ts";
import type { Tensor } from "../../src/tensors/index.ts";
import type { Draws } from "./fuzzDraws.ts";
import { localFunction, subgraph, type TinyModel } from "./tinyModel.ts";

type Nodes = TinyModel["nodes"];

const WEIGHTS: NonNullable<TinyModel["weights"]> = {
  w: [
    [1, 2, 3, 4],
    [2, 2],
  ],
};
const product = { op: "MatMul", inputs: ["x", "w"], outputs: ["h"] };
const one = (value: number): Tensor => ({ data: BigInt64Array.of(BigInt.asIntN(64, BigInt(value))), dims: [] });
const truth = (value: boolean): Tensor => ({ data: Uint8Array.of(value ? 1 : 0), dims: [], dtype: "bool" });

const COUNTS = [0, 1, 3, 20, 300, 20000, 1e6, 2 ** 31, 2 ** 62, -1, -(2 ** 63)];

/** y = h + what a Loop, an If or a Scan gives, with others within it, of counts that are given, computed or endless. */
export function controlFlow(draws: Draws): TinyModel {
  const before: Nodes[number][] = [product];
  const initializers: Initializer[] = [{ name: "yes", tensor: truth(true) }];
  const start = draws.pick(["h", "w", "small"]);
  initializers.push({ name: "small", tensor: { data: Float32Array.of(0.5), dims: [1] } });
  const { nodes, result } = within(draws, { value: start, depth: draws.below(4), prefix: "", initializers });
  const sum: Nodes = [
    { op: "ReduceMean", inputs: [result], outputs: ["z mean"], attributes: { keepdims: { int: 0 } } },
    { op: "Add", inputs: ["h", "z mean"], outputs: ["y"] },
  ];
  return { weights: WEIGHTS, initializers, nodes: [...before, ...nodes, ...sum] };
}

interface Place {
  readonly value: string;
  readonly depth: number;
  readonly prefix: string;
  /** Those of the graph that the nodes stand in. */
  readonly initializers: Initializer[];
}

interface Part {
  readonly nodes: Nodes;
  readonly result: string;
}

function within(draws: Draws, place: Place): Part {
  const { depth } = place;
  if (depth === 0 && draws.chance(0.7)) return step(draws, place);
  return draws.pick([loop, loop, loop, branch, scan])(draws, place);
}

/** A step of a body: what it carries as it was, or larger, or no more. */
function step(draws: Draws, { value, prefix, initializers }: Place): Part {
  const [result, dims] = [`${prefix}r`, `${prefix}dims`];
  const sizes = Array.from({ length: 1 + draws.below(2) }, () =>
    BigInt(draws.pick([1, 2, 1000, 30000, 2 ** 20, 2 ** 31])),
  );
  initializers.push({ name: dims, tensor: { data: BigInt64Array.from(sizes), dims: [sizes.length] } });
  const nodes: Nodes = [
    { op: "Tanh", inputs: [value], outputs: [result] },
    { op: "Tanh", inputs: [value], outputs: [result] },
    { op: "Add", inputs: [value, value], outputs: [result] },
    { op: "Concat", inputs: [value, value], outputs: [result], attributes: { axis: { int: 0 } } },
    { op: "Concat", inputs: [value, value], outputs: [result], attributes: { axis: { int: 0 } } },
    { op: "Expand", inputs: [value, dims], outputs: [result] },
    { op: "ConstantOfShape", inputs: [dims], outputs: [result] },
    { op: "Tile", inputs: [value, dims], outputs: [result] },
    { op: "Transpose", inputs: [value], outputs: [result] },
    { op: "Nothing", inputs: [value], outputs: [result] },
    { op: "Mul", inputs: [value, "absent"], outputs: [result] },
  ];
  return { nodes: [draws.pick(nodes)], result };
}

const NO_TYPE = { dtype: null, dims: null } as const;

function loop(draws: Draws, { value, depth, prefix, initializers }: Place): Part {
  const own = `${prefix}l`;
  const [count, known] = [`${own} count`, draws.chance(0.7)];
  const nodes: Nodes[number][] = [];
  if (known) initializers.push({ name: count, tensor: one(draws.pick(COUNTS)) });
  else
    nodes.push(
      { op: "ReduceMax", inputs: [value], outputs: [`${own} most`], attributes: { keepdims: { int: 0 } } },
      { op: "Exp", inputs: [`${own} most`], outputs: [`${own} larger`] },
      { op: "Cast", inputs: [`${own} larger`], outputs: [count], attributes: { to: { int: 7 } } },
    );
  const inner: Initializer[] = [];
  const body = within(draws, {
    value: `${own} v`,
    depth: Math.max(depth - 1, 0),
    prefix: `${own}/`,
    initializers: inner,
  });
  const stays = draws.pick<Nodes[number]>([
    { op: "Identity", inputs: [`${own} c`], outputs: [`${own} c2`] },
    { op: "Identity", inputs: [`${own} c`], outputs: [`${own} c2`] },
    { op: "Identity", inputs: ["yes"], outputs: [`${own} c2`] },
    { op: "Not", inputs: [`${own} c`], outputs: [`${own} c2`] },
    { op: "Cast", inputs: [`${own} i`], outputs: [`${own} c2`], attributes: { to: { int: 9 } } },
    { op: "Less", inputs: [`${own} i`, `${own} i`], outputs: [`${own} c2`] },
  ]);
  const scanned = draws.chance(0.3) ? [body.result] : [];
  const graph = subgraph({
    inputs: [
      { name: `${own} i`, dtype: "int64", dims: [] },
      { name: `${own} c`, dtype: "bool", dims: [] },
      { name: `${own} v`, dtype: "float32", dims: null },
    ],
    initializers: inner,
    nodes: [...body.nodes, stays],
    outputs: [`${own} c2`, body.result, ...scanned],
  });
  nodes.push({
    op: "Loop",
    name: draws.chance(0.1) ? "loop\u001b[31m" : own,
    inputs: [draws.chance(0.15) ? "" : count, draws.chance(0.5) ? "yes" : "", value],
    outputs: [`${own} out`, ...(scanned.length > 0 ? [`${own} all`] : [])],
    attributes: draws.chance(0.03) ? {} : { body: { graph } },
  });
  return { nodes, result: scanned.length > 0 && draws.chance(0.5) ? `${own} all` : `${own} out` };
}

function branch(draws: Draws, { value, depth, prefix, initializers }: Place): Part {
  const own = `${prefix}b`;
  const side = (name: string) => {
    const inner: Initializer[] = [];
    const { nodes, result } = within(draws, {
      value,
      depth: Math.max(depth - 1, 0),
      prefix: `${own}${name}/`,
      initializers: inner,
    });
    return { graph: subgraph({ inputs: [], initializers: inner, nodes, outputs: [result] }) };
  };
  const nodes: Nodes[number][] = [];
  if (draws.chance(0.5)) initializers.push({ name: `${own} if`, tensor: truth(draws.chance(0.5)) });
  else
    nodes.push(
      { op: "ReduceMax", inputs: [value], outputs: [`${own} most`], attributes: { keepdims: { int: 0 } } },
      { op: "Cast", inputs: [`${own} most`], outputs: [`${own} if`], attributes: { to: { int: 9 } } },
    );
  nodes.push({
    op: "If",
    inputs: [`${own} if`],
    outputs: [`${own} out`],
    attributes: { then_branch: side("t"), else_branch: side("e") },
  });
  return { nodes, result: `${own} out` };
}

function scan(draws: Draws, { value, depth, prefix, initializers }: Place): Part {
  const own = `${prefix}s`;
  const inner: Initializer[] = [];
  const body = within(draws, {
    value: `${own} v`,
    depth: Math.max(depth - 1, 0),
    prefix: `${own}/`,
    initializers: inner,
  });
  const length = draws.pick([1, 5, 300, 100_000, 1e7]);
  initializers.push(
    { name: `${own} size`, tensor: { data: BigInt64Array.of(BigInt(length)), dims: [1] } },
    { name: `${own} tiny`, tensor: { data: Float32Array.of(1), dims: [1] } },
  );
  const graph = subgraph({
    inputs: [
      { name: `${own} v`, ...NO_TYPE, dtype: "float32" },
      { name: `${own} e`, dtype: "float32", dims: [] },
    ],
    initializers: inner,
    nodes: [...body.nodes, { op: "Identity", inputs: [`${own} e`], outputs: [`${own} e2`] }],
    outputs: [body.result, `${own} e2`],
  });
  const num = draws.chance(0.9) ? 1 : draws.pick([0, 2, 3, -1, 2 ** 31]);
  return {
    nodes: [
      { op: "Expand", inputs: [`${own} tiny`, `${own} size`], outputs: [`${own} list`] },
      {
        op: "Scan",
        inputs: [value, `${own} list`],
        outputs: [`${own} out`, `${own} all`],
        attributes: {
          body: { graph },
          num_scan_inputs: { int: num },
          ...(draws.chance(0.2) && { scan_input_axes: { ints: [draws.pick([0, 1, -1, 7, 2 ** 40])] } }),
          ...(draws.chance(0.2) && { scan_output_axes: { ints: [draws.pick([0, 1, -1, 7, 2 ** 40])] } }),
        },
      },
    ],
    result: `${own} out`,
  };
}

/** Functions that call functions, each several times; some themselves, some none, some with other numbers of operands. */
export function callingFunctions(draws: Draws): TinyModel {
  const calls = 1 + draws.below(3);
  // Between these numbers of nodes a graph is large and nothing else: it takes its time.
  const deep = 1 + draws.below(draws.chance(0.3) ? 300 : 12);
  const depth = calls ** deep > 2000 && calls ** deep < 100_000 ? 5 : deep;
  const functions = Array.from({ length: depth }, (_, level) => {
    const next = draws.chance(0.03) ? `f${draws.below(depth + 2)}` : `f${level + 1}`;
    const nodes = Array.from({ length: calls }, (__, call) => ({
      op: level + 1 === depth ? "Tanh" : next,
      domain: level + 1 === depth ? "" : "local",
      inputs: draws.chance(0.02) ? [] : [call === 0 ? "a" : `t${call - 1}`],
      outputs: [call === calls - 1 ? "b" : `t${call}`],
    }));
    return localFunction({
      name: `f${level}`,
      inputs: draws.chance(0.02) ? ["a", "a"] : ["a"],
      outputs: draws.chance(0.02) ? ["c"] : ["b"],
      nodes,
      ...(draws.chance(0.1) && { attributes: ["alpha"], references: { 0: { alpha: "alpha" } } }),
      opsets: { "": draws.chance(0.9) ? 17 : draws.below(40), local: 1 },
    });
  });
  return {
    weights: WEIGHTS,
    opsets: { "": 17, local: 1 },
    functions: draws.chance(0.05) ? functions.toReversed() : functions,
    nodes: [
      product,
      {
        op: draws.chance(0.05) ? "absent" : "f0",
        domain: "local",
        inputs: ["h", ...(draws.chance(0.05) ? ["w"] : [])],
        outputs: ["y"],
        attributes: draws.chance(0.2) ? { alpha: { float: draws.number() } } : {},
      },
    ],
  };
}
