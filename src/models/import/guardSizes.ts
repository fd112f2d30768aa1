import type { OnnxNode } from "../../onnx/index.ts";
import type { Tensor } from "../../tensors/index.ts";

/** Elements beyond which a tensor that a file asks for out of nothing is taken for a mistake: 2^28, a gigabyte of float32. */
export const MOST_ELEMENTS = 2 ** 28;

/** Nodes with those that check sizes before them, and the constants these need. */
export interface GuardedNodes {
  readonly nodes: readonly OnnxNode[];
  readonly constants: readonly { readonly name: string; readonly tensor: Tensor }[];
}

interface Sizes {
  readonly position: number;
  /** Whether the elements of the first operand are repeated as often. */
  readonly timesInput: boolean;
}

/** Where each of these operators reads sizes that can be far beyond those of its operands. */
const SIZES: Readonly<Record<string, Sizes>> = {
  ConstantOfShape: { position: 0, timesInput: false },
  Expand: { position: 1, timesInput: false },
  Tile: { position: 1, timesInput: true },
  OneHot: { position: 1, timesInput: true },
};

const PREFIX = "curvature guard";

/**
 * Nodes that compute as before, except that those which would make a tensor of more than 2^28 elements out of a few numbers
 * (ConstantOfShape, Expand, Tile, OneHot, Range) fail before they allocate it: their sizes pass through a Gather whose index is
 * out of bounds where the product of the sizes is too large. Nothing else runs twice, and ONNX Runtime says so in one line.
 */
export function guardSizes(nodes: readonly OnnxNode[]): GuardedNodes {
  const guarded: OnnxNode[] = [];
  let number = 0;
  for (const node of nodes) {
    const sizes = (node.domain ?? "") === "" ? SIZES[node.op] : undefined;
    const range = node.op === "Range" && (node.domain ?? "") === "";
    if (sizes === undefined && !range) {
      guarded.push(node);
      continue;
    }
    const prefix = `${PREFIX} ${number++}`;
    const { position } = sizes ?? { position: 1 };
    const checks = range ? rangeCheck(node, prefix) : productCheck(node, prefix, sizes!);
    const inputs = node.inputs.map((name, i) => (i === position ? `${prefix} checked` : name));
    guarded.push(...checks, { ...node, inputs });
  }
  return number === 0 ? { nodes, constants: [] } : { nodes: guarded, constants: CONSTANTS };
}

const CONSTANTS: GuardedNodes["constants"] = [
  { name: `${PREFIX} most`, tensor: { data: Float64Array.of(Math.log(MOST_ELEMENTS)), dims: [] } },
  { name: `${PREFIX} outside`, tensor: { data: BigInt64Array.of(1n), dims: [] } },
  { name: `${PREFIX} inside`, tensor: { data: BigInt64Array.of(0n), dims: [] } },
  { name: `${PREFIX} zero`, tensor: { data: BigInt64Array.of(0n), dims: [1] } },
  { name: `${PREFIX} one`, tensor: { data: BigInt64Array.of(1n), dims: [1] } },
];

function make(
  op: string,
  inputs: readonly string[],
  output: string,
  attributes: OnnxNode["attributes"] = {},
): OnnxNode {
  return { op, inputs, outputs: [output], attributes };
}

function double(name: string, output: string): OnnxNode {
  return make("Cast", [name], output, { to: { int: 11 } });
}

/** The sizes plus an element, 0, of a list, which is not there where the logarithms of the sizes add up to too much. */
function productCheck(node: OnnxNode, prefix: string, { position, timesInput }: Sizes): OnnxNode[] {
  const sizes = node.inputs[position];
  const own = [
    double(sizes, `${prefix} double`),
    make("Log", [`${prefix} double`], `${prefix} logarithms`),
    make("ReduceSum", [`${prefix} logarithms`], `${prefix} sum`, { keepdims: { int: 0 } }),
  ];
  const others = [
    make("Size", [node.inputs[0]], `${prefix} size`),
    double(`${prefix} size`, `${prefix} double size`),
    make("Log", [`${prefix} double size`], `${prefix} logarithm`),
    make("Add", [`${prefix} sum`, `${prefix} logarithm`], `${prefix} total`),
  ];
  const checks = timesInput ? [...own, ...others] : own;
  const count = `${prefix} ${timesInput ? "total" : "sum"}`;
  if (node.op === "OneHot") return [...checks, ...indexFrom(count, prefix), ...elementAt(sizes, prefix)];
  return [
    ...checks,
    ...indexFrom(count, prefix),
    make("Gather", [`${PREFIX} zero`, `${prefix} index`], `${prefix} nothing`, { axis: { int: 0 } }),
    make("Add", [sizes, `${prefix} nothing`], `${prefix} checked`),
  ];
}

function rangeCheck({ inputs: [from, to, step] }: OnnxNode, prefix: string): OnnxNode[] {
  return [
    double(from, `${prefix} from`),
    double(to, `${prefix} to`),
    double(step, `${prefix} step`),
    make("Sub", [`${prefix} to`, `${prefix} from`], `${prefix} span`),
    make("Div", [`${prefix} span`, `${prefix} step`], `${prefix} count`),
    make("Log", [`${prefix} count`], `${prefix} logarithm`),
    ...indexFrom(`${prefix} logarithm`, prefix),
    ...elementAt(to, prefix),
  ];
}

function indexFrom(logarithm: string, prefix: string): OnnxNode[] {
  return [
    make("Greater", [logarithm, `${PREFIX} most`], `${prefix} large`),
    make("Where", [`${prefix} large`, `${PREFIX} outside`, `${PREFIX} inside`], `${prefix} index`),
  ];
}

/** The number, of whatever type, as the element that the index names of a list of it alone. */
function elementAt(number: string, prefix: string): OnnxNode[] {
  return [
    make("Shape", [number], `${prefix} dims`),
    make("Concat", [`${PREFIX} one`, `${prefix} dims`], `${prefix} listed`, { axis: { int: 0 } }),
    make("Reshape", [number, `${prefix} listed`], `${prefix} list`),
    make("Gather", [`${prefix} list`, `${prefix} index`], `${prefix} checked`, { axis: { int: 0 } }),
  ];
}
