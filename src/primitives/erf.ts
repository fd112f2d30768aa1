import { apply, type Primitive, scalar, type Value } from "../graph/index.ts";
import { add, div, mul, neg, scale, sub } from "./arithmetic.ts";
import { elementwise } from "./elementwise.ts";
import { minimum } from "./extrema.ts";
import { pow } from "./power.ts";
import { greater, less, where } from "./select.ts";
import { abs, composite, exp, square, tanh, unary } from "./unary.ts";

/*
 * Rational approximations of W. J. Cody, "Rational Chebyshev approximations for the error function", Math. Comp. 23 (1969),
 * with the coefficients of his program CALERF: erf(x) = x P(x^2) / Q(x^2) for |x| <= 0.46875, and
 * erfc(y) = e^(-y^2) R(y) / S(y) for 0.46875 <= y <= 4. Beyond 4 the second serves as well, since there erfc(y) < 2e-8 has to be
 * known to few digits only, and at 6 erf is 1 to the last bit. Highest power first.
 */
const P = [0.18577770618460315, 3.1611237438705655, 113.86415415105016, 377.485237685302, 3209.3775891384694];
const Q = [1, 23.601290952344122, 244.02463793444417, 1282.6165260773723, 2844.236833439171];
const R = [
  2.1531153547440383e-8, 0.5641884969886701, 8.883149794388377, 66.11919063714163, 298.6351381974001, 881.952221241769,
  1712.0476126340707, 2051.0783778260716, 1230.3393547979972,
];
const S = [
  1, 15.744926110709835, 117.6939508913125, 537.1811018620099, 1621.3895745666903, 3290.7992357334597,
  4362.619090143247, 3439.3676741437216, 1230.3393548037495,
];

/** Polynomial with these coefficients, highest power first (Horner). */
function polynomial(x: Value, [first, ...rest]: readonly number[]): Value {
  let result = scalar(first);
  for (const coefficient of rest) result = add(mul(result, x), scalar(coefficient));
  return result;
}

function erfFloat64(x: Value): Value {
  const z = square(x);
  const near = div(mul(x, polynomial(z, P)), polynomial(z, Q));
  const y = minimum(abs(x), scalar(6));
  const tail = mul(exp(neg(square(y))), div(polynomial(y, R), polynomial(y, S)));
  const far = sub(scalar(1), tail);
  const signed = where(less(x, scalar(0)), neg(far), far);
  return where(greater(y, scalar(0.46875)), signed, near);
}

/** Error function, 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x. */
export const erf: (x: Value) => Value = unary("erf", {
  op: "Erf",
  float64: erfFloat64,
  derivative: (x) => scale(exp(neg(square(x))), 2 / Math.sqrt(Math.PI)),
});

/** x / sqrt 2, in which the normal distribution is an error function. */
const halved = (x: Value): Value => scale(x, Math.SQRT1_2);

/** 2 / sqrt(pi) e^(-x^2 / 2), erf' at x / sqrt 2; the constant is not a separate factor. */
const bell = composite("bell", {
  alternative: (x) => exp(sub(scalar(Math.log(2 / Math.sqrt(Math.PI))), square(halved(x)))),
  derivative: (x, y) => neg(mul(x, y)),
});

/** 1 + erf(x / sqrt 2): twice the normal distribution function. */
const doubledDistribution = composite("doubledDistribution", {
  alternative: (x) => add(erf(halved(x)), scalar(1)),
  derivative: (x) => scale(bell(x), Math.SQRT1_2),
});

/** 2 (x Phi(x))' = 2 Phi(x) + 2 x Phi'(x), which is 1 + erf(u) + u erf'(u) at u = x / sqrt 2; derivative sqrt 2 erf'(u) (1 - u^2). */
const geluSlope = composite("geluSlope", {
  alternative: (x) => add(doubledDistribution(x), mul(halved(x), bell(x))),
  derivative: (x) => scale(mul(bell(x), sub(scalar(1), square(halved(x)))), Math.SQRT2),
});

/**
 * x Phi(x) = u (1 + erf(u)) / sqrt 2 at u = x / sqrt 2. All factors that are numbers stand at one end of a product, where a matrix
 * product before or behind it can take them in, and the derivative is one factor: products of the rule for x times Phi would each be
 * written out.
 */
const exactGelu: Primitive<Record<string, never>> = {
  name: "gelu",
  ...elementwise("gelu", ([x]) => gelu(x)),
  jvp: ({ inputs: [x] }, [dx]) => scale(mul(dx!, geluSlope(x)), 0.5),
  alternative: ({ inputs: [x] }) => scale(mul(halved(x), doubledDistribution(x)), Math.SQRT1_2),
};

/**
 * Gaussian error linear unit x Phi(x) (Hendrycks and Gimpel, 2016), by the error function, or by its approximation
 * x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).
 */
export function gelu(x: Value, { approximate = "none" }: { readonly approximate?: "none" | "tanh" } = {}): Value {
  if (approximate === "none") return apply(exactGelu, [x], {});
  const bounded = tanh(scale(add(x, scale(pow(x, 3), 0.044715)), Math.sqrt(2 / Math.PI)));
  return mul(scale(x, 0.5), add(scalar(1), bounded));
}
