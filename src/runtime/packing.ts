import {
  apply,
  input,
  integers,
  type Primitive,
  type Shape,
  substitute,
  topologicalOrder,
  type Value,
  withInputs,
} from "../graph/index.ts";
import { byName, type Precision, sizeOf, type Tensor, type Vector, zeros } from "../tensors/index.ts";
import type { NamedGraph } from "./lower.ts";

// A tensor that crosses between JavaScript and the engine costs some ten microseconds, whatever its size. Where a deep network has thousands of
// small weights, residuals and results, a product spends most of its time on that. Those that differ in their first size only cross side
// by side along that axis, as one tensor, which the engine takes apart and puts together without further nodes.

type Tensors = { readonly [name: string]: Tensor };

/** A graph whose many small inputs are packed into few large ones, and its outputs likewise. */
export interface PackedGraph {
  readonly graph: NamedGraph;
  /** Feeds of this graph from those of the original one, which are in the graph's precision. */
  pack(feeds: Tensors): Tensors;
  /** Results of the original graph from those of this one; packed ones are views of a common array. */
  unpack(results: Tensors): Tensors;
}

/** Tensors of one form from which on they are packed. */
const MANY = 32;

/** Tensors that cross as one: the engine plans for a node in a time that grows with the square of its results. */
const GROUP = 64;

/** Elements up to which a tensor is small: 4 kB in float32 are copied in a hundredth of the time that a tensor takes to cross. */
const SMALL = 1024;

/** The graph with its small floats packed, where they are many; inputs that no output needs are left out. */
export function packed({ inputs, outputs }: NamedGraph, precision: Precision): PackedGraph {
  const reached = new Set(topologicalOrder(Object.values(outputs)));
  const names = { ...inputs, ...outputs };
  const fed = grouped(
    Object.entries(inputs).filter(([, value]) => reached.has(value)),
    unusedPrefix("packed inputs", names),
  );
  const given = grouped(Object.entries(outputs), unusedPrefix("packed outputs", names));
  const taken = fed.groups.map(takenApart);
  const pieces = new Map(taken.flatMap((each) => each.pieces));
  const replaced = substitute(Object.values(outputs), pieces, withInputs);
  const computed = new Map(Object.keys(outputs).map((name, i) => [name, replaced[i]]));
  return {
    graph: {
      inputs: Object.fromEntries([...fed.others, ...fed.groups.map(({ name }, i) => [name, taken[i].whole] as const)]),
      outputs: Object.fromEntries([
        ...given.others.map(([name]) => [name, computed.get(name)!] as const),
        ...given.groups.map((group) => [group.name, putTogether(group, computed)] as const),
      ]),
    },
    pack(feeds) {
      if (fed.groups.length === 0) return feeds;
      const whole = byName<Tensor>();
      for (const [name] of fed.others) whole[name] = feeds[name];
      for (const group of fed.groups) whole[group.name] = joined(group, feeds, precision);
      return whole;
    },
    unpack(results) {
      if (given.groups.length === 0) return results;
      const parts = byName<Tensor>();
      for (const [name] of given.others) parts[name] = results[name];
      for (const { name, entries } of given.groups) cut(entries, results[name], parts);
      return parts;
    },
  };
}

type Entries = readonly (readonly [name: string, value: Value])[];

/** Values that differ in their first size only, and the name of the tensor that holds them one after the other. */
interface Group {
  readonly name: string;
  readonly entries: Entries;
}

/** The small values of one form, where they are many, in groups; and the others. */
function grouped(entries: Entries, prefix: string): { readonly groups: readonly Group[]; readonly others: Entries } {
  const forms = new Map<string, [string, Value][]>();
  for (const [name, value] of entries) {
    const form = formOf(value);
    const known = forms.get(form);
    if (known === undefined) forms.set(form, [[name, value]]);
    else known.push([name, value]);
  }
  const groups: Group[] = [];
  const others: [string, Value][] = [];
  for (const [form, members] of forms) {
    if (form === UNPACKED || members.length < MANY) others.push(...members);
    else {
      for (let i = 0; i < members.length; i += GROUP) {
        groups.push({ name: `${prefix} ${groups.length}`, entries: members.slice(i, i + GROUP) });
      }
    }
  }
  return { groups, others };
}

const UNPACKED = "unpacked";

function formOf({ type, shape }: Value): string {
  const size = sizeOf(shape);
  const isPacked = type === "float" && shape.length > 0 && size > 0 && size <= SMALL;
  return isPacked ? String(shape.slice(1)) + String(shape.length) : UNPACKED;
}

/** A prefix of no name in the graph. */
function unusedPrefix(wanted: string, names: { readonly [name: string]: unknown }): string {
  return Object.keys(names).some((name) => name.startsWith(wanted)) ? unusedPrefix(`${wanted}'`, names) : wanted;
}

/** Shape of the values of a group one after the other. */
function jointShape(shapes: readonly Shape[]): Shape {
  return [shapes.reduce((sum, [first]) => sum + first, 0), ...shapes[0].slice(1)];
}

/** A group as one input, and for each of its values the piece that replaces it. */
function takenApart({ name, entries }: Group) {
  const shapes = entries.map(([, { shape }]) => shape);
  const whole = input(name, jointShape(shapes));
  // One constant for all pieces, so that it is written once.
  const lengths = integers(shapes.map(([first]) => first));
  const pieces = entries.map(([, value], index): readonly [Value, Value] => [
    value,
    apply(piecePrimitive, [whole, lengths], { index, count: shapes.length, shape: value.shape }),
  ]);
  return { whole, pieces };
}

/** The values of a group as one output. */
function putTogether({ entries }: Group, computed: ReadonlyMap<string, Value>): Value {
  const members = entries.map(([name]) => computed.get(name)!);
  return apply(jointPrimitive, members, {});
}

interface PieceParams {
  readonly index: number;
  readonly count: number;
  readonly shape: Shape;
}

/** One of the parts of a tensor along its first axis, whose lengths are the second operand. */
const piecePrimitive: Primitive<PieceParams> = {
  name: "piece",
  output: (_, { shape }) => ({ shape, type: "float" }),
  lower({ inputs: [whole, lengths], params: { index, count } }, context) {
    const inputs = [context.name(whole), context.name(lengths)];
    return context.nodes(`pieces of ${whole.id}`, { op: "Split", inputs, attributes: {}, outputs: count })[index];
  },
  key: ({ index }) => String(index),
};

/** All operands one after the other along their first axis. */
const jointPrimitive: Primitive<object> = {
  name: "joint",
  output: (inputs) => ({ shape: jointShape(inputs.map(({ shape }) => shape)), type: "float" }),
  lower({ inputs }, context) {
    return context.node(
      "Concat",
      inputs.map((value) => context.name(value)),
      { axis: { int: 0 } },
    );
  },
};

function joined({ entries }: Group, feeds: Tensors, precision: Precision): Tensor {
  const dims = jointShape(entries.map(([, { shape }]) => shape));
  const data = zeros(sizeOf(dims), precision);
  let offset = 0;
  for (const [name] of entries) {
    const part = feeds[name].data as Vector;
    data.set(part, offset);
    offset += part.length;
  }
  return { data, dims };
}

function cut(entries: Entries, { data }: Tensor, parts: { [name: string]: Tensor }): void {
  let offset = 0;
  for (const [name, { shape }] of entries) {
    const end = offset + sizeOf(shape);
    parts[name] = { data: (data as Vector).subarray(offset, end), dims: shape };
    offset = end;
  }
}
