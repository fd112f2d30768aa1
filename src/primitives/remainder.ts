import { apply, type Primitive, type Value } from "../graph/index.ts";
import { div, mul, neg, sub } from "./arithmetic.ts";
import { broadcast } from "./broadcast.ts";
import { elementwise } from "./elementwise.ts";
import { unary } from "./unary.ts";

type Nothing = Record<string, never>;
const NOTHING: Nothing = {};

/** The nearest integer, the even one of two; derivative 0. */
export const round: (x: Value) => Value = unary("round", { op: "Round" });

const remainderPrimitive: Primitive<Nothing> = {
  name: "remainder",
  ...elementwise("remainder", ([x, y]) => remainder(x, y)),
  // With n = (x - r) / y, an integer: dr = dx - n dy.
  jvp(node, [dx, dy]) {
    const [x, y] = node.inputs;
    const moved = dy && mul(round(div(sub(x, node), y)), dy);
    return broadcast(dx && moved ? sub(dx, moved) : (dx ?? neg(moved!)), node.shape);
  },
  lower: ({ inputs: [x, y] }, context) => context.node("Mod", [context.name(x), context.name(y)], { fmod: { int: 1 } }),
};

/** Remainder of x / y rounded towards zero, with the sign of x (C's fmod), elementwise with broadcasting. */
export function remainder(x: Value, y: Value): Value {
  return apply(remainderPrimitive, [x, y], NOTHING);
}
