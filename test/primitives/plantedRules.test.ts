import { describe, expect, test } from "vitest";
import { apply, type Primitive, type Value } from "../../src/graph/index.ts";
import { add, exp, mul, reverse, scale, sigmoid, square, sub } from "../../src/primitives/index.ts";
import { at, fill } from "./ndarray.ts";
import { type Case, real } from "./sample.ts";
import { violations } from "./violations.ts";

/** x as a number that does not move: what a rule gives that forgets a dependence. */
const frozenPrimitive: Primitive<null> = {
  name: "frozen",
  output: ([x]) => ({ shape: x.shape, type: x.type }),
  jvp: () => null,
  vectorize: (_, [x]) => frozen(x),
  alternative: ({ inputs: [x] }) => x,
};

function frozen(x: Value): Value {
  return apply(frozenPrimitive, [x], null);
}

/** x y of which the derivative in y is right, but forgets that it depends on x. */
function lopsidedProduct(): Case {
  const rebuild = (x: Value, y: Value): Value => apply(primitive, [x, y], null);
  const primitive: Primitive<null> = {
    name: "lopsidedProduct",
    output: ([x]) => ({ shape: x.shape, type: x.type }),
    jvp: ({ inputs: [x, y] }, [dx, dy]) => {
      const [left, right] = [dx && mul(dx, y), dy && mul(frozen(x), dy)];
      return left && right ? add(left, right) : (left ?? right);
    },
    vectorize: (_, [x, y]) => rebuild(x, y),
    alternative: ({ inputs: [x, y] }) => mul(x, y),
  };
  const product: Case["reference"] = (x, y) => fill(x.shape, (i) => at(x, i) * at(y, i));
  return { operands: [real(3), real(3)], build: rebuild, reference: product };
}

/** A function of one number with rules to plant: the logistic function unless they say otherwise. */
function logistic(planted: Partial<Primitive<null>>): Case {
  const rebuild = (x: Value): Value => apply(primitive, [x], null);
  const primitive: Primitive<null> = {
    name: "logistic",
    output: ([x]) => ({ shape: x.shape, type: x.type }),
    jvp: (y, [dx]) => mul(dx!, sub(y, square(y))),
    vectorize: (_, [x]) => rebuild(x),
    alternative: ({ inputs: [x] }) => sigmoid(x),
    ...planted,
  };
  return {
    operands: [real(3)],
    build: rebuild,
    reference: (x) => fill(x.shape, (i) => 1 / (1 + Math.exp(-at(x, i)))),
  };
}

/** 2 x as a linear map of its own. */
function doubled(planted: Partial<Primitive<null>>): Case {
  const rebuild = (x: Value): Value => apply(primitive, [x], null);
  const primitive: Primitive<null> = {
    name: "doubled",
    output: ([x]) => ({ shape: x.shape, type: x.type }),
    jvp: (_, [dx]) => rebuild(dx!),
    transpose: (_, c) => [rebuild(c)],
    vectorize: (_, [x]) => rebuild(x),
    alternative: ({ inputs: [x] }) => scale(x, 2),
    ...planted,
  };
  return { operands: [real(3)], build: rebuild, reference: (x) => fill(x.shape, (i) => 2 * at(x, i)) };
}

describe("a wrong rule is found", () => {
  test("right rules have no violations", async () => {
    expect(await violations(logistic({}))).toEqual([]);
    expect(await violations(doubled({}))).toEqual([]);
  });

  test.each<[string, Case, RegExp]>([
    ["jvp", logistic({ jvp: (y, [dx]) => mul(dx!, sub(y, y)) }), /jvp against differences/],
    ["jvp, a little", logistic({ jvp: (y, [dx]) => scale(mul(dx!, sub(y, square(y))), 1 + 1e-6) }), /jvp against/],
    ["second derivative", lopsidedProduct(), /jvp of vjp in operand 1 against differences/],
    ["symmetry", lopsidedProduct(), /symmetry of the second derivative/],
    ["transpose", doubled({ transpose: (_, c) => [scale(c, 2.001)] }), /<u, J v>/],
    ["vectorize", logistic({ vectorize: (_, [x]) => exp(x) }), /vectorize value over operands 0/],
    [
      "order of the vectors",
      logistic({ vectorize: (_, [x]) => sigmoid(reverse(x, [0])) }),
      /vectorize value over operands 0/,
    ],
    ["value", logistic({ alternative: ({ inputs: [x] }) => exp(x) }), /value against plain loops/],
    [
      "one precision",
      logistic({ alternative: ({ inputs: [x] }, precision) => (precision === "float64" ? sigmoid(x) : exp(x)) }),
      /value in float32/,
    ],
    [
      "shape",
      doubled({ output: ([x]) => ({ shape: [...x.shape, 1], type: x.type }), jvp: () => null }),
      /shape of value/,
    ],
    ["known number", doubled({ simplify: ([x]) => (x.uniform === 1 ? x : undefined) }), /operand 0 known to be 1/],
  ])("%s", async (_, planted, message) => {
    const found = await violations(planted);
    expect(found.join("\n")).toMatch(message);
  });
});
