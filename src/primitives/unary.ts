import { apply, type Primitive, scalar, type Value } from "../graph/index.ts";
import type { Precision } from "../tensors/index.ts";
import { add, div, mul, neg, sub } from "./arithmetic.ts";
import { filled } from "./broadcast.ts";
import { elementwise } from "./elementwise.ts";
import { isFlatAtZero } from "./flatAtZero.ts";
import { greater, indicator, where } from "./select.ts";

type Nothing = Record<string, never>;
const NOTHING: Nothing = {};

interface Unary {
  readonly op: string;
  /** A number at which function and derivatives are finite, where they are not at all of them. */
  readonly harmless?: number;
  /** Whether it is nowhere negative, with derivative 0 where it is 0, if its operand is so. */
  readonly keepsFlat?: boolean;
  /** f'(x), from x and y = f(x); absent where it is zero almost everywhere. */
  readonly derivative?: (x: Value, y: Value) => Value;
  /** f of a number, to fold constants; absent where JavaScript has no such function. */
  readonly evaluate?: (x: number) => number;
  /** The same function through kernels that exist in float64, where its own does not. */
  readonly float64?: (x: Value) => Value;
}

/** A function of one number applied to each element, with all its rules. */
export function unary(
  name: string,
  { op, derivative, evaluate, float64, harmless, keepsFlat = false }: Unary,
): (x: Value) => Value {
  const rebuild = (x: Value) => apply(primitive, [x], NOTHING);
  const primitive: Primitive<Nothing> = {
    name,
    ...elementwise(name, ([x]) => rebuild(x)),
    simplify: ([x], _, { shape }) =>
      x.uniform === undefined || x.type !== "float" || evaluate === undefined
        ? undefined
        : filled(shape, evaluate(x.uniform)),
    ...(harmless !== undefined && { harmless: { operand: 0, value: harmless } }),
    ...(keepsFlat && { flatAtZero: ({ inputs: [x] }, isFlat) => isFlat(x) }),
    jvp: (node, [dx]) => (derivative === undefined ? null : mul(dx!, derivative(node.inputs[0], node))),
    ...(float64 && {
      alternative: ({ inputs: [x] }: Value, precision: Precision) => (precision === "float64" ? float64(x) : undefined),
    }),
    lower: ({ inputs: [x] }, context) => context.node(op, [context.name(x)]),
  };
  return rebuild;
}

/** Exponential e^x, elementwise. */
export const exp: (x: Value) => Value = unary("exp", {
  op: "Exp",
  harmless: 0,
  evaluate: Math.exp,
  derivative: (_, y) => y,
});

/** Natural logarithm. */
export const log: (x: Value) => Value = unary("log", {
  op: "Log",
  harmless: 1,
  evaluate: Math.log,
  derivative: (x) => div(scalar(1), x),
});

/**
 * Square root; its derivative at 0 is infinite, as in PyTorch. The root of a sum of squares is a norm, whose derivatives at 0 are taken as 0, as
 * those of PyTorch's norm.
 */
export const sqrt: (x: Value) => Value = unary("sqrt", {
  op: "Sqrt",
  harmless: 1,
  evaluate: Math.sqrt,
  derivative: (x, y) => (isFlatAtZero(x) ? zeroAtZero(y) : div(scalar(0.5), y)),
});

/** 1 / (2 y), and 0 at 0, also in its derivatives. */
function zeroAtZero(y: Value): Value {
  const positive = greater(y, scalar(0));
  return where(positive, div(scalar(0.5), where(positive, y, scalar(1))), scalar(0));
}

/** 1 / x. */
export const reciprocal: (x: Value) => Value = unary("reciprocal", {
  op: "Reciprocal",
  harmless: 1,
  evaluate: (x) => 1 / x,
  derivative: (_, y) => neg(square(y)),
});

/** Hyperbolic tangent. */
export const tanh: (x: Value) => Value = unary("tanh", {
  op: "Tanh",
  evaluate: Math.tanh,
  derivative: (_, y) => sub(scalar(1), square(y)),
});

/** max(x, 0), with derivative 0 at 0 as in PyTorch. */
export const relu: (x: Value) => Value = unary("relu", {
  op: "Relu",
  keepsFlat: true,
  evaluate: (x) => Math.max(x, 0),
  derivative: (x) => indicator(greater(x, scalar(0))),
});

/** |x|, with derivative 0 at 0 as in PyTorch. */
export const abs: (x: Value) => Value = unary("abs", { op: "Abs", evaluate: Math.abs, derivative: (x) => sign(x) });

/** -1, 0 or 1. */
export const sign: (x: Value) => Value = unary("sign", { op: "Sign", evaluate: Math.sign });

/** Sine of radians. */
export const sin: (x: Value) => Value = unary("sin", { op: "Sin", evaluate: Math.sin, derivative: (x) => cos(x) });

/** Cosine of radians. */
export const cos: (x: Value) => Value = unary("cos", { op: "Cos", evaluate: Math.cos, derivative: (x) => neg(sin(x)) });

/** Largest integer not above x; derivative 0. */
export const floor: (x: Value) => Value = unary("floor", { op: "Floor", evaluate: Math.floor });

/** x x. */
export function square(x: Value): Value {
  return mul(x, x);
}

/**
 * Logistic function 1 / (1 + e^-x). Run as it is written here: ONNX Runtime's float32 kernel takes as long but has no correct
 * digit below -10, where this has all of them.
 */
export const sigmoid: (x: Value) => Value = composite("sigmoid", {
  alternative: (x) => reciprocal(add(scalar(1), exp(neg(x)))),
  derivative: (_, y) => mul(y, sub(scalar(1), y)),
  logarithm: logSigmoid,
});

/**
 * log(1 + e^x), without overflow and accurate in both tails: max(x, 0) + log(1 + e^-|x|). Its derivative is written as the
 * logistic function, so that no rule for the pieces is needed.
 */
export const softplus: (x: Value) => Value = composite("softplus", {
  alternative: (x) => add(relu(x), log1p(exp(neg(abs(x))))),
  derivative: sigmoid,
});

/** log(1 / (1 + e^-x)), accurate in both tails: -softplus(-x). */
export function logSigmoid(x: Value): Value {
  return neg(softplus(neg(x)));
}

/**
 * log(1 + z) for finite z >= 0, accurate for small z: with w = 1 + z rounded, log(w) z / (w - 1) (Kahan), which is z where
 * w = 1.
 */
export function log1p(z: Value): Value {
  const w = add(scalar(1), z);
  const excess = sub(w, scalar(1));
  const safe = where(greater(excess, scalar(0)), excess, scalar(1));
  return where(greater(excess, scalar(0)), mul(log(w), div(z, safe)), z);
}

interface Composite {
  /** The function written with other primitives, which is how it is run. */
  readonly alternative: (x: Value) => Value;
  readonly derivative: (x: Value, y: Value) => Value;
  /** Its logarithm, where that is finite although the function is rounded to 0. */
  readonly logarithm?: (x: Value) => Value;
}

/**
 * An elementwise function that runs as a composition of others but has its own derivative: for functions whose
 * textbook form, differentiated piece by piece, would lose accuracy or leave the numbers.
 */
export function composite(name: string, { alternative, derivative, logarithm }: Composite): (x: Value) => Value {
  const rebuild = (x: Value) => apply(primitive, [x], NOTHING);
  const primitive: Primitive<Nothing> = {
    name,
    ...elementwise(name, ([x]) => rebuild(x)),
    jvp: (node, [dx]) => mul(dx!, derivative(node.inputs[0], node)),
    alternative: ({ inputs: [x] }) => alternative(x),
    ...(logarithm && { logarithm: ({ inputs: [x] }) => logarithm(x) }),
  };
  return rebuild;
}
