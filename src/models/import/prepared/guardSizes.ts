import { CurvatureError } from "../../../errors/index.ts";
import { formatBytes } from "../../../files/index.ts";
import type { OnnxNode } from "../../../onnx/index.ts";
import type { Tensor } from "../../../tensors/index.ts";
import { traitsOf } from "../ops/operators.ts";
import type { SizeOperand } from "../ops/traits.ts";
import type { PreparedModel } from "./preparedModel.ts";

/** Elements of a tensor that a file asks for out of a few numbers: as many in float32 as the memory limit allows. */
function mostElements({ memoryLimit }: Pick<PreparedModel, "memoryLimit">): number {
  return Math.max(Math.floor(memoryLimit / 4), 1);
}

/** Nodes with those that check sizes before them, and the constants these need. */
export interface GuardedNodes {
  readonly nodes: readonly OnnxNode[];
  readonly constants: readonly { readonly name: string; readonly tensor: Tensor }[];
}

/** Prefix of the names of guards. */
export const PREFIX = "curvature guard";

/**
 * Nodes that compute as before, except that those which would make a tensor beyond the memory limit out of a few numbers
 * fail before they allocate it: their sizes pass through a Gather whose index is out of bounds where the product of the sizes is
 * too large. Nothing runs twice for it; see `sizeError` for what comes out.
 */
export function guardSizes(
  nodes: readonly OnnxNode[],
  { memoryLimit, scope = PREFIX }: Pick<PreparedModel, "memoryLimit"> & { readonly scope?: string },
): GuardedNodes {
  const guarded: OnnxNode[] = [];
  let number = 0;
  for (const node of nodes) {
    let current = node;
    for (const { position, checks } of (node.domain ?? "") === "" ? checksOf(node) : []) {
      const guard: Guard = { scope, prefix: `${scope} ${number++}` };
      guarded.push(...checks(guard));
      const checked = `${guard.prefix} checked`;
      current = { ...current, inputs: current.inputs.map((name, i) => (i === position ? checked : name)) };
    }
    guarded.push(current);
  }
  const constants = number === 0 ? [] : constantsFor(scope, mostElements({ memoryLimit }));
  return number === 0 ? { nodes, constants } : { nodes: guarded, constants };
}

/** Prefix of the names of a guard, and the names of the constants that all guards of a graph share. */
interface Guard {
  readonly scope: string;
  readonly prefix: string;
}

/** The error of a run that a guard has ended, naming the node; undefined for other errors. */
export function sizeError(
  cause: unknown,
  model: Pick<PreparedModel, "file" | "memoryLimit">,
): CurvatureError | undefined {
  const found =
    cause instanceof Error ? new RegExp(`${PREFIX}: (.*?)(?: \\(\\d+\\))?'? Status Message`).exec(cause.message) : null;
  if (found === null) return undefined;
  const what = `${model.file}: ${found[1]} asks for more than ${mostElements(model)} elements`;
  const limit = `more than the memory limit of ${formatBytes(model.memoryLimit)}`;
  const remedy = "bind the sizes of the inputs, or raise memoryLimit (--memory-limit)";
  return new CurvatureError("model", `${what}, ${limit}; ${remedy}`, { cause });
}

function checksOf(node: OnnxNode) {
  const { sizedBy = [] } = traitsOf(node);
  if (sizedBy === "range") return [{ position: 1, checks: (guard: Guard) => rangeCheck(node, guard) }];
  const present = ({ position }: SizeOperand) => (node.inputs[position] ?? "") !== "";
  return sizedBy.filter(present).map((sizes) => ({
    position: sizes.position,
    checks: (guard: Guard) => productCheck(node, guard, sizes),
  }));
}

const constantsFor = (scope: string, most: number): GuardedNodes["constants"] => [
  { name: `${scope} most`, tensor: { data: Float64Array.of(Math.log(most)), dims: [] } },
  { name: `${scope} outside`, tensor: { data: BigInt64Array.of(1n), dims: [] } },
  { name: `${scope} inside`, tensor: { data: BigInt64Array.of(0n), dims: [] } },
  { name: `${scope} int64`, tensor: { data: BigInt64Array.of(0n), dims: [1] } },
  { name: `${scope} float32`, tensor: { data: Float32Array.of(0), dims: [1] } },
  { name: `${scope} one`, tensor: { data: BigInt64Array.of(1n), dims: [1] } },
  { name: `${scope} unit`, tensor: { data: Float64Array.of(1), dims: [] } },
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
function productCheck(node: OnnxNode, guard: Guard, { position, kind, type }: SizeOperand): OnnxNode[] {
  const { scope, prefix } = guard;
  const sizes = node.inputs[position];
  const margins = [
    make("Abs", [`${prefix} double`], `${prefix} magnitude`),
    make("Add", [`${prefix} magnitude`, `${scope} unit`], `${prefix} margin`),
  ];
  const own = [
    double(sizes, `${prefix} double`),
    ...(kind === "margins" ? margins : []),
    make("Log", [`${prefix} ${kind === "margins" ? "margin" : "double"}`], `${prefix} logarithms`),
    make("ReduceSum", [`${prefix} logarithms`], `${prefix} sum`, { keepdims: { int: 0 } }),
  ];
  const others = [
    make("Size", [node.inputs[0]], `${prefix} size`),
    double(`${prefix} size`, `${prefix} double size`),
    make("Log", [`${prefix} double size`], `${prefix} logarithm`),
    make("Add", [`${prefix} sum`, `${prefix} logarithm`], `${prefix} total`),
  ];
  const checks = kind === "factors" ? [...own, ...others] : own;
  const index = indexFrom(`${prefix} ${kind === "factors" ? "total" : "sum"}`, guard);
  if (type === undefined) return [...checks, ...index, ...elementAt(node, sizes, guard)];
  return [
    ...checks,
    ...index,
    named(node, make("Gather", [`${scope} ${type}`, `${prefix} index`], `${prefix} nothing`, { axis: { int: 0 } })),
    make("Add", [sizes, `${prefix} nothing`], `${prefix} checked`),
  ];
}

function rangeCheck(node: OnnxNode, guard: Guard): OnnxNode[] {
  const { prefix } = guard;
  const [from, to, step] = node.inputs;
  return [
    double(from, `${prefix} from`),
    double(to, `${prefix} to`),
    double(step, `${prefix} step`),
    make("Sub", [`${prefix} to`, `${prefix} from`], `${prefix} span`),
    make("Div", [`${prefix} span`, `${prefix} step`], `${prefix} count`),
    make("Log", [`${prefix} count`], `${prefix} logarithm`),
    ...indexFrom(`${prefix} logarithm`, guard),
    ...elementAt(node, to, guard),
  ];
}

function indexFrom(logarithm: string, { scope, prefix }: Guard): OnnxNode[] {
  return [
    make("Greater", [logarithm, `${scope} most`], `${prefix} large`),
    make("Where", [`${prefix} large`, `${scope} outside`, `${scope} inside`], `${prefix} index`),
  ];
}

/** The number, of whatever type, as the element that the index names of a list of it alone. */
function elementAt(node: OnnxNode, number: string, { scope, prefix }: Guard): OnnxNode[] {
  return [
    make("Shape", [number], `${prefix} dims`),
    make("Concat", [`${scope} one`, `${prefix} dims`], `${prefix} listed`, { axis: { int: 0 } }),
    make("Reshape", [number, `${prefix} listed`], `${prefix} list`),
    named(node, make("Gather", [`${prefix} list`, `${prefix} index`], `${prefix} checked`, { axis: { int: 0 } })),
  ];
}

/** The node that fails says for which one it does; quotes would end its name in the engine's message. */
function named({ op, name = "", outputs }: OnnxNode, guard: OnnxNode): OnnxNode {
  return { ...guard, name: `${PREFIX}: ${op} "${(name || outputs[0]).replaceAll("'", "")}"` };
}
