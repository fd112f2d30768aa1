import { scalar, type Value } from "../graph/index.ts";
import { add, div, mul, neg, scale, sub } from "./arithmetic.ts";
import { greater, less, where } from "./select.ts";
import { abs, exp, log, log1p, reciprocal, sqrt, square, unary } from "./unary.ts";

/*
 * ONNX Runtime has these functions in float32 alone. Their forms in float64 are accurate to a few units in the last place:
 * arc tangent by the rational approximation of S. L. Moshier's Cephes library (1989), the others by identities that do not
 * subtract what nearly cancels (W. Kahan, "Branch cuts for complex elementary functions", 1987).
 */
const P = [-0.8750608600031904, -16.157537187333652, -75.00855792314705, -122.88666844901361, -64.85021904942025];
const Q = [1, 24.858464901423062, 165.02700983169885, 432.88106049129027, 485.3903996359137, 194.5506571482614];

/** Polynomial with these coefficients, highest power first (Horner). */
function polynomial(x: Value, [first, ...rest]: readonly number[]): Value {
  let result = scalar(first);
  for (const coefficient of rest) result = add(mul(result, x), scalar(coefficient));
  return result;
}

const ONE = scalar(1);

/** f of |x| with the sign of x. */
function odd(x: Value, f: (magnitude: Value) => Value): Value {
  const result = f(abs(x));
  return where(less(x, scalar(0)), neg(result), result);
}

/** For a >= 0: of a, -1 / a or (a - 1) / (a + 1), which all lie in [-1, 0.66], plus 0, pi / 2 or pi / 4. */
function atanFloat64(x: Value): Value {
  return odd(x, (a) => {
    const far = greater(a, scalar(Math.tan((3 * Math.PI) / 8)));
    const middle = greater(a, scalar(0.66));
    const inverse = neg(reciprocal(where(far, a, ONE)));
    const shifted = where(middle, div(sub(a, ONE), add(where(far, ONE, a), ONE)), a);
    const reduced = where(far, inverse, shifted);
    const z = square(reduced);
    const near = add(reduced, mul(reduced, mul(z, div(polynomial(z, P), polynomial(z, Q)))));
    const offset = where(far, scalar(Math.PI / 2), where(middle, scalar(Math.PI / 4), scalar(0)));
    return add(near, offset);
  });
}

/** sinh by its series where e^x and e^-x nearly cancel. */
function sinhFloat64(x: Value): Value {
  const z = square(where(less(abs(x), ONE), x, ONE));
  const factors = [272, 210, 156, 110, 72, 42, 20, 6];
  const series = factors.reduce((sum, factor) => add(ONE, mul(scale(z, 1 / factor), sum)), ONE);
  const e = exp(x);
  return where(less(abs(x), ONE), mul(x, series), scale(sub(e, reciprocal(e)), 0.5));
}

function coshFloat64(x: Value): Value {
  const e = exp(abs(x));
  return scale(add(e, reciprocal(e)), 0.5);
}

/** asinh(a) = log(1 + a + a^2 / (1 + sqrt(1 + a^2))), and log(2 a) where a^2 is all there is. */
function asinhFloat64(x: Value): Value {
  return odd(x, (a) => {
    const large = greater(a, scalar(1e9));
    const moderate = where(large, ONE, a);
    const z = square(moderate);
    const small = log1p(add(moderate, div(z, add(ONE, sqrt(add(ONE, z))))));
    return where(large, add(log(a), scalar(Math.LN2)), small);
  });
}

/** acosh(1 + t) = log(1 + t + sqrt(2 t + t^2)); not a number for t < 0. */
function acoshFloat64(x: Value): Value {
  const large = greater(x, scalar(1e9));
  const t = sub(where(large, scalar(2), x), ONE);
  const small = log1p(add(t, sqrt(mul(t, add(t, scalar(2))))));
  const inside = where(large, add(log(x), scalar(Math.LN2)), small);
  return where(less(x, ONE), log(t), inside);
}

/** atanh(a) = log(1 + 2 a / (1 - a)) / 2, infinite at 1. */
function atanhFloat64(x: Value): Value {
  return odd(x, (a) => {
    const inside = where(less(a, ONE), a, scalar(0));
    const bounded = scale(log1p(div(scale(inside, 2), sub(ONE, inside))), 0.5);
    // At 1 and beyond the logarithm has the right word for it: infinity and not a number.
    return where(less(a, ONE), bounded, neg(log(sub(ONE, a))));
  });
}

/** (1 - x) (1 + x), which keeps the digits of 1 - x^2 near 1. */
function complement(x: Value): Value {
  return mul(sub(ONE, x), add(ONE, x));
}

/** Arc tangent. */
export const atan: (x: Value) => Value = unary("atan", {
  op: "Atan",
  evaluate: Math.atan,
  float64: atanFloat64,
  derivative: (x) => reciprocal(add(ONE, square(x))),
});

/** Arc sine; its derivative is infinite at -1 and 1. */
export const asin: (x: Value) => Value = unary("asin", {
  op: "Asin",
  harmless: 0,
  evaluate: Math.asin,
  float64: (x) => atan(div(x, sqrt(complement(x)))),
  derivative: (x) => reciprocal(sqrt(complement(x))),
});

/** Arc cosine; its derivative is infinite at -1 and 1. */
export const acos: (x: Value) => Value = unary("acos", {
  op: "Acos",
  harmless: 0,
  evaluate: Math.acos,
  float64: (x) => scale(atan(sqrt(div(sub(ONE, x), add(ONE, x)))), 2),
  derivative: (x) => neg(reciprocal(sqrt(complement(x)))),
});

/** Hyperbolic sine. */
export const sinh: (x: Value) => Value = unary("sinh", {
  op: "Sinh",
  harmless: 0,
  evaluate: Math.sinh,
  float64: sinhFloat64,
  derivative: (x) => cosh(x),
});

/** Hyperbolic cosine. */
export const cosh: (x: Value) => Value = unary("cosh", {
  op: "Cosh",
  harmless: 0,
  evaluate: Math.cosh,
  float64: coshFloat64,
  derivative: (x) => sinh(x),
});

/** Inverse of the hyperbolic sine. */
export const asinh: (x: Value) => Value = unary("asinh", {
  op: "Asinh",
  evaluate: Math.asinh,
  float64: asinhFloat64,
  derivative: (x) => reciprocal(sqrt(add(ONE, square(x)))),
});

/** Inverse of the hyperbolic cosine; its derivative is infinite at 1. */
export const acosh: (x: Value) => Value = unary("acosh", {
  op: "Acosh",
  harmless: 2,
  evaluate: Math.acosh,
  float64: acoshFloat64,
  derivative: (x) => reciprocal(sqrt(mul(sub(x, ONE), add(x, ONE)))),
});

/** Inverse of the hyperbolic tangent. */
export const atanh: (x: Value) => Value = unary("atanh", {
  op: "Atanh",
  harmless: 0,
  evaluate: Math.atanh,
  float64: atanhFloat64,
  derivative: (x) => reciprocal(complement(x)),
});
