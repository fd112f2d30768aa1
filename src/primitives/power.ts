import { apply, type Primitive, scalar, type Value } from "../graph/index.ts";
import { add, mul, scale, sub } from "./arithmetic.ts";
import { broadcast, filled, zeros } from "./broadcast.ts";
import { elementwise } from "./elementwise.ts";
import { and, equal, greaterOrEqual, where } from "./select.ts";
import { log, reciprocal, sqrt, square } from "./unary.ts";

interface PowParams {
  readonly exponent: number;
}

const powPrimitive: Primitive<PowParams> = {
  name: "pow",
  harmless: { operand: 0, value: 1 },
  ...elementwise("pow", ([x], { exponent }: PowParams) => pow(x, exponent)),
  simplify([x], { exponent }, { shape }) {
    if (exponent === 0) return filled(shape, 1);
    if (exponent === 1) return x;
    if (exponent === 2) return square(x);
    if (exponent === 0.5) return sqrt(x);
    if (exponent === -1) return reciprocal(x);
    return x.uniform === undefined ? undefined : filled(shape, x.uniform ** exponent);
  },
  flatAtZero: ({ inputs: [x], params: { exponent } }, isFlat) => exponent >= 1 && (exponent % 2 === 0 || isFlat(x)),
  // e x^(e - 1)
  jvp: ({ inputs: [x], params: { exponent } }, [dx]) => mul(dx!, scale(pow(x, exponent - 1), exponent)),
  lower({ inputs: [x], params: { exponent } }, context) {
    const name = context.name(x);
    if (exponent === 3) return context.node("Mul", [context.node("Mul", [name, name]), name]);
    return context.node("Pow", [name, context.float(exponent)]);
  },
  key: ({ exponent }) => String(exponent),
};

/** x to the power of a number; x^0 is 1 also at 0, with derivative 0. */
export function pow(x: Value, exponent: number): Value {
  return apply(powPrimitive, [x], { exponent });
}

type Nothing = Record<string, never>;
const NOTHING: Nothing = {};

const powerPrimitive: Primitive<Nothing> = {
  name: "power",
  harmless: { operand: 0, value: 1 },
  ...elementwise("power", ([x, y]) => power(x, y)),
  simplify: ([x, y], _, { shape }) =>
    y.uniform !== undefined && y.type === "float" ? pow(broadcast(x, shape), y.uniform) : undefined,
  jvp(node, [dx, dy]) {
    const left = dx && mul(dx, baseDerivative(node));
    const right = dy && mul(dy, exponentDerivative(node));
    return broadcast(left && right ? add(left, right) : (left ?? right)!, node.shape);
  },
  lower: ({ inputs: [x, y] }, context) => context.node("Pow", [context.name(x), context.name(y)]),
};

/** y x^(y - 1), and 0 where x = y = 0, where x^-1 would leave the numbers. */
function baseDerivative({ inputs: [x, y] }: Value): Value {
  const zero = and(equal(x, scalar(0)), equal(y, scalar(0)));
  return mul(y, power(x, where(zero, scalar(1), sub(y, scalar(1)))));
}

/** x^y log x, and 0 where x = 0 and y >= 0. The unused branch is kept finite, since its derivative is computed too. */
function exponentDerivative(node: Value): Value {
  const [x, y] = node.inputs;
  const zero = and(equal(x, scalar(0)), greaterOrEqual(y, scalar(0)));
  return where(zero, zeros([]), mul(node, log(where(zero, scalar(1), x))));
}

/** x to the power of y, elementwise with broadcasting, with PyTorch's derivatives at 0. */
export function power(x: Value, y: Value): Value {
  return apply(powerPrimitive, [x, y], NOTHING);
}
