import {
  type Addend,
  apply,
  areOperationsApart,
  type Lowering,
  normalizeAxis,
  type Primitive,
  sameShape,
  scalar,
  type Value,
} from "../graph/index.ts";
import { sizeOf } from "../tensors/index.ts";
import { broadcast, filled, reduceSum, sumTo } from "./broadcast.ts";
import { elementwise, withoutBroadcasts } from "./elementwise.ts";
import { reshape, reshapedFrom } from "./movement.ts";

type Nothing = Record<string, never>;
const NOTHING: Nothing = {};

/** The operand, repeated to the shape of the result if it is smaller. */
const expanded = (x: Value, node: Value) => broadcast(x, node.shape);

/** The result for operands of one number each, or undefined. */
function folded(inputs: readonly Value[], compute: (a: number, b: number) => number): number | undefined {
  const [a, b] = inputs;
  return a.uniform === undefined || b.uniform === undefined || a.type !== "float"
    ? undefined
    : compute(a.uniform, b.uniform);
}

const addPrimitive: Primitive<Nothing> = {
  name: "add",
  commutative: true,
  ...elementwise("add", ([a, b]) => add(a, b)),
  affine: () => ({ kind: "shift" }),
  simplify(inputs, _, { shape }) {
    const [a, b] = inputs;
    const sum = folded(inputs, (x, y) => x + y);
    if (sum !== undefined) return filled(shape, sum);
    if (a.uniform === 0) return broadcast(b, shape);
    if (b.uniform === 0) return broadcast(a, shape);
    if (a === b && a.type === "float") return scale(a, 2);
    const bare = withoutBroadcasts(inputs, shape);
    return bare
      ? add(bare[0], bare[1])
      : (rowsTogether(a, b) ?? rowsTogether(b, a) ?? sumInside(a, b) ?? sumInside(b, a));
  },
  flatAtZero: ({ inputs }, isFlat) => inputs.every(isFlat),
  jvp: (node, [da, db]) => (da && db ? broadcast(add(da, db), node.shape) : expanded((da ?? db)!, node)),
  transpose: ({ inputs: [a, b] }, c, [la, lb]) => [la ? sumTo(c, a.shape) : null, lb ? sumTo(c, b.shape) : null],
  lowerSum: lowerNestedSum,
  lowerScaled: (node, factor, context) => lowerAsSum(node, context, factor),
  lower: (node, context) =>
    lowerAsSum(node, context) ??
    context.node(
      "Add",
      node.inputs.map((x) => context.name(x)),
    ),
};

/**
 * A reshaped matrix plus a bias along its last axis, or plus a tensor of its shape, as the reshape of a sum of matrices: a
 * product of matrices can take such a sum in.
 */
function sumInside(reshaped: Value, addend: Value): Value | undefined {
  const matrix = reshapedFrom(reshaped);
  if (matrix?.primitive.lowerSum === undefined || matrix.shape.length !== 2) return undefined;
  const columns = matrix.shape[1];
  const { shape } = reshaped;
  if (shape[shape.length - 1] !== columns) return undefined;
  if (addend.shape.length === 1 && addend.shape[0] === columns) return reshape(add(matrix, addend), shape);
  return sameShape(addend.shape, shape) ? reshape(add(matrix, reshape(addend, matrix.shape)), shape) : undefined;
}

/** (x + r) + s for rows of numbers r and s, which every row of x gets, as x + (r + s). */
function rowsTogether(sum: Value, row: Value): Value | undefined {
  const inner = reshapedFrom(sum) ?? sum;
  if (inner.primitive !== (addPrimitive as Primitive) || row.shape.length !== 1 || areOperationsApart())
    return undefined;
  const [a, b] = inner.inputs;
  const [x, first] = sameShape(b.shape, row.shape) ? [a, b] : [b, a];
  const columns = (value: Value) => value.shape[value.shape.length - 1];
  if (!sameShape(first.shape, row.shape) || !sameShape(x.shape, inner.shape) || x.shape.length < 2) return undefined;
  return columns(sum) === columns(inner) ? reshape(add(x, add(first, row)), sum.shape) : undefined;
}

/** The sum, times a number, fused into an operand that is read nowhere else, where that operand supports it. */
function lowerAsSum(node: Value, context: Lowering, factor = 1): string | undefined {
  for (const [i, operand] of node.inputs.entries()) {
    const addend = node.inputs[1 - i];
    if (context.uses(operand) !== 1 || !sameShape(operand.shape, node.shape)) continue;
    const name = operand.primitive.lowerSum?.(operand, written(addend, context), context, factor);
    if (name !== undefined) return name;
  }
  return undefined;
}

/** (a + b) + c as a + (b + c), where both a and b can take in a sum; times a number. */
function lowerNestedSum({ inputs, shape }: Value, addend: Addend, context: Lowering, factor = 1): string | undefined {
  const [a, b] = inputs;
  // An operand that is a sum has already absorbed its terms: looking into it again would write long sums once for each of their terms.
  const isTerm = (x: Value) => x.primitive !== (addPrimitive as Primitive);
  if (![a, b].every((x) => context.uses(x) === 1 && sameShape(x.shape, shape) && isTerm(x))) return undefined;
  if (a.primitive.lowerSum === undefined) return undefined;
  const inner = b.primitive.lowerSum?.(b, addend, context);
  return inner && a.primitive.lowerSum(a, { name: inner, shape }, context, factor);
}

function written(value: Value, context: Lowering): Addend {
  return { name: context.name(value), shape: value.shape };
}

/** a + b, elementwise with broadcasting. */
export function add(a: Value, b: Value): Value {
  return apply(addPrimitive, [a, b], NOTHING);
}

const subPrimitive: Primitive<Nothing> = {
  name: "sub",
  ...elementwise("sub", ([a, b]) => sub(a, b)),
  simplify(inputs, _, { shape }) {
    const [a, b] = inputs;
    const difference = folded(inputs, (x, y) => x - y);
    if (difference !== undefined) return filled(shape, difference);
    if (a.uniform === 0) return broadcast(neg(b), shape);
    if (b.uniform === 0) return broadcast(a, shape);
    const bare = withoutBroadcasts(inputs, shape);
    return bare && sub(bare[0], bare[1]);
  },
  jvp: (node, [da, db]) => expanded(da && db ? sub(da, db) : (da ?? neg(db!)), node),
  transpose: ({ inputs: [a, b] }, c, [la, lb]) => [la ? sumTo(c, a.shape) : null, lb ? neg(sumTo(c, b.shape)) : null],
  lower: ({ inputs: [a, b] }, context) => context.node("Sub", [context.name(a), context.name(b)]),
};

/** a - b, elementwise with broadcasting. */
export function sub(a: Value, b: Value): Value {
  return apply(subPrimitive, [a, b], NOTHING);
}

const negPrimitive: Primitive<Nothing> = {
  name: "neg",
  ...elementwise("neg", ([x]) => neg(x)),
  simplify([x], _, { shape }) {
    if (x.uniform !== undefined && x.type === "float") return filled(shape, -x.uniform);
    return x.primitive === (negPrimitive as Primitive) ? x.inputs[0] : undefined;
  },
  jvp: (_, [dx]) => neg(dx!),
  transpose: (_, c) => [neg(c)],
  lower: ({ inputs: [x] }, context) => context.node("Neg", [context.name(x)]),
};

/** Negative -x, elementwise. */
export function neg(x: Value): Value {
  return apply(negPrimitive, [x], NOTHING);
}

const mulPrimitive: Primitive<Nothing> = {
  name: "mul",
  commutative: true,
  ...elementwise("mul", ([a, b]) => mul(a, b)),
  affine: () => ({ kind: "scale" }),
  simplify(inputs, _, { shape }) {
    const [a, b] = inputs;
    const product = folded(inputs, (x, y) => x * y);
    if (product !== undefined) return filled(shape, product);
    // A structural zero wins over any value of the other factor at run time: it means "does not depend on".
    if (a.type === "float" && (a.uniform === 0 || b.uniform === 0)) return filled(shape, 0);
    if (a.uniform === 1) return broadcast(b, shape);
    if (b.uniform === 1) return broadcast(a, shape);
    if (a.type === "float" && a.uniform === -1) return broadcast(neg(b), shape);
    if (a.type === "float" && b.uniform === -1) return broadcast(neg(a), shape);
    const bare = withoutBroadcasts(inputs, shape);
    return bare && mul(bare[0], bare[1]);
  },
  flatAtZero: ({ inputs: [a, b] }, isFlat) => {
    const isFactor = (x: Value) => (x.uniform ?? -1) >= 0 || isFlat(x);
    return a === b || (isFlat(a) && isFactor(b)) || (isFlat(b) && isFactor(a));
  },
  jvp({ inputs: [a, b], shape }, [da, db]) {
    const left = da && mul(da, b);
    const right = db && mul(a, db);
    return broadcast(left && right ? add(left, right) : (left ?? right)!, shape);
  },
  transpose: ({ inputs: [a, b] }, c, [la, lb]) => [
    la ? sumTo(mul(c, b), a.shape) : null,
    lb ? sumTo(mul(a, c), b.shape) : null,
  ],
  lower: ({ inputs: [a, b] }, context) =>
    lowerScaled(a, b, context) ?? lowerScaled(b, a, context) ?? context.node("Mul", [context.name(a), context.name(b)]),
};

/** x times a number, fused into x, if x is read nowhere else and supports it. */
function lowerScaled(x: Value, { uniform, shape }: Value, context: Lowering): string | undefined {
  const isNumber = uniform !== undefined && sizeOf(shape) === 1 && shape.length <= x.shape.length;
  if (!isNumber || x.type !== "float" || context.uses(x) !== 1) return undefined;
  return x.primitive.lowerScaled?.(x, uniform, context);
}

/** a b, elementwise with broadcasting. */
export function mul(a: Value, b: Value): Value {
  return apply(mulPrimitive, [a, b], NOTHING);
}

const divPrimitive: Primitive<Nothing> = {
  name: "div",
  harmless: { operand: 1, value: 1 },
  ...elementwise("div", ([a, b]) => div(a, b)),
  simplify(inputs, _, { shape }) {
    const [a, b] = inputs;
    if (b.uniform !== 0) {
      const quotient = folded(inputs, (x, y) => x / y);
      if (quotient !== undefined) return filled(shape, quotient);
      if (a.uniform === 0 && a.type === "float") return filled(shape, 0);
    }
    if (b.uniform === 1) return broadcast(a, shape);
    const bare = withoutBroadcasts(inputs, shape);
    return bare && div(bare[0], bare[1]);
  },
  flatAtZero: ({ inputs: [a, b] }, isFlat) => (b.uniform ?? 0) > 0 && isFlat(a),
  // d(a / b) = (da - (a / b) db) / b
  jvp(node, [da, db]) {
    const b = node.inputs[1];
    const right = db && mul(node, db);
    return broadcast(div(da && right ? sub(da, right) : (da ?? neg(right!)), b), node.shape);
  },
  transpose: ({ inputs: [a, b] }, c) => [sumTo(div(c, b), a.shape), null],
  lower: ({ inputs: [a, b] }, context) => context.node("Div", [context.name(a), context.name(b)]),
};

/** a / b, elementwise with broadcasting. */
export function div(a: Value, b: Value): Value {
  return apply(divPrimitive, [a, b], NOTHING);
}

/** x times a number. */
export function scale(x: Value, factor: number): Value {
  return mul(x, scalar(factor));
}

/** Mean over some axes, which are removed; over all axes by default. Negative axes count from the end. */
export function mean(x: Value, axes: readonly number[] = x.shape.map((_, axis) => axis)): Value {
  const removed = axes.map((axis) => normalizeAxis("mean", axis, x.shape.length));
  // A loop, since networks are deeper than the stack of JavaScript.
  const outer: Apart[] = [];
  let inner = x;
  for (let apart = apartFromMean(x, removed); apart !== undefined; apart = apartFromMean(inner, removed)) {
    outer.push(apart);
    inner = apart.x;
  }
  const sum = reduceSum(inner, removed);
  const result = scale(sum, sizeOf(sum.shape) / sizeOf(inner.shape));
  return outer.reduceRight((value, { combine, same }) => combine(value, same), result);
}

/** A product or sum of x and an operand that is constant along the axes of a mean, without these axes. */
interface Apart {
  readonly x: Value;
  readonly combine: (a: Value, b: Value) => Value;
  readonly same: Value;
}

/** The mean of x g as mean(x) g, of x + g as mean(x) + g, for g that is the same along the axes: less is multiplied and added. */
function apartFromMean({ primitive, inputs, shape }: Value, axes: readonly number[]): Apart | undefined {
  const combine =
    primitive === (mulPrimitive as Primitive) ? mul : primitive === (addPrimitive as Primitive) ? add : undefined;
  if (combine === undefined) return undefined;
  const aligned = ({ shape: own }: Value) => [...new Array<number>(shape.length - own.length).fill(1), ...own];
  const isSame = (x: Value) => axes.every((axis) => aligned(x)[axis] === 1);
  const [a, b] = inputs;
  const [x, same] = isSame(b) ? [a, b] : [b, a];
  if (!isSame(same) || !sameShape(x.shape, shape)) return undefined;
  const left = aligned(same).filter((_, axis) => !axes.includes(axis));
  return { x, combine, same: reshape(same, left) };
}

/** The primitives behind these functions, for passes that rearrange sums and products. */
export const arithmeticPrimitives = {
  add: addPrimitive as Primitive,
  sub: subPrimitive as Primitive,
  neg: negPrimitive as Primitive,
  mul: mulPrimitive as Primitive,
  div: divPrimitive as Primitive,
};
