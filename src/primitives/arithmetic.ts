import { type Addend, apply, type Lowering, type Primitive, sameShape, scalar, type Value } from "../graph/index.ts";
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
  simplify(inputs, _, { shape }) {
    const [a, b] = inputs;
    const sum = folded(inputs, (x, y) => x + y);
    if (sum !== undefined) return filled(shape, sum);
    if (a.uniform === 0) return broadcast(b, shape);
    if (b.uniform === 0) return broadcast(a, shape);
    if (a === b && a.type === "float") return scale(a, 2);
    const bare = withoutBroadcasts(inputs, shape);
    return bare ? add(bare[0], bare[1]) : (sumInside(a, b) ?? sumInside(b, a));
  },
  jvp: (node, [da, db]) => (da && db ? broadcast(add(da, db), node.shape) : expanded((da ?? db)!, node)),
  transpose: ({ inputs: [a, b] }, c, [la, lb]) => [la ? sumTo(c, a.shape) : null, lb ? sumTo(c, b.shape) : null],
  lowerSum: lowerNestedSum,
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

/** The sum as one operation with an operand that is read nowhere else, where that operand knows how. */
function lowerAsSum(node: Value, context: Lowering): string | undefined {
  for (const [i, operand] of node.inputs.entries()) {
    const addend = node.inputs[1 - i];
    if (context.uses(operand) !== 1 || !sameShape(operand.shape, node.shape)) continue;
    const name = operand.primitive.lowerSum?.(operand, written(addend, context), context);
    if (name !== undefined) return name;
  }
  return undefined;
}

/** (a + b) + c as a + (b + c), where both a and b can take in a sum. */
function lowerNestedSum({ inputs, shape }: Value, addend: Addend, context: Lowering): string | undefined {
  const [a, b] = inputs;
  if (![a, b].every((x) => context.uses(x) === 1 && sameShape(x.shape, shape))) return undefined;
  if (a.primitive.lowerSum === undefined) return undefined;
  const inner = b.primitive.lowerSum?.(b, addend, context);
  return inner && a.primitive.lowerSum(a, { name: inner, shape }, context);
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
  simplify(inputs, _, { shape }) {
    const [a, b] = inputs;
    const product = folded(inputs, (x, y) => x * y);
    if (product !== undefined) return filled(shape, product);
    // A structural zero wins over whatever the other factor is at run time: it stands for "does not depend on".
    if (a.type === "float" && (a.uniform === 0 || b.uniform === 0)) return filled(shape, 0);
    if (a.uniform === 1) return broadcast(b, shape);
    if (b.uniform === 1) return broadcast(a, shape);
    if (a.type === "float" && a.uniform === -1) return broadcast(neg(b), shape);
    if (a.type === "float" && b.uniform === -1) return broadcast(neg(a), shape);
    const bare = withoutBroadcasts(inputs, shape);
    return bare && mul(bare[0], bare[1]);
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
  lower: ({ inputs: [a, b] }, context) => context.node("Mul", [context.name(a), context.name(b)]),
};

/** a b, elementwise with broadcasting. */
export function mul(a: Value, b: Value): Value {
  return apply(mulPrimitive, [a, b], NOTHING);
}

const divPrimitive: Primitive<Nothing> = {
  name: "div",
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
  const sum = reduceSum(x, axes);
  return scale(sum, sizeOf(sum.shape) / sizeOf(x.shape));
}

/** The primitives behind these functions, for passes that rearrange sums and products. */
export const arithmeticPrimitives = {
  add: addPrimitive as Primitive,
  sub: subPrimitive as Primitive,
  neg: negPrimitive as Primitive,
  mul: mulPrimitive as Primitive,
  div: divPrimitive as Primitive,
};
