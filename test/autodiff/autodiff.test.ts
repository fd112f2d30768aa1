import { describe, expect, test } from "vitest";
import { jvp, linearize, splitResiduals, transpose, vectorize, vjp } from "../../src/autodiff/index.ts";
import { CurvatureError } from "../../src/errors/index.ts";
import {
  apply,
  input,
  integers,
  isInput,
  type Primitive,
  scalar,
  topologicalOrder,
  type Value,
} from "../../src/graph/index.ts";
import {
  add,
  broadcast,
  cast,
  exp,
  filled,
  gather,
  greater,
  indicator,
  matmul,
  mul,
  reduceSum,
  reshape,
  scale,
  sin,
  square,
  tanh,
  where,
  zeros,
} from "../../src/primitives/index.ts";
import { stream } from "../../src/random/index.ts";
import { evaluate, feed, floats } from "../primitives/evaluate.ts";

/** A fixed pseudo-random tensor. */
function random(name: string, ...dims: number[]) {
  const draw = stream(0, name);
  return floats(
    Array.from({ length: dims.reduce((size, dim) => size * dim, 1) }, () => draw.normal()),
    dims,
  );
}

describe("jvp", () => {
  test("of what does not depend on the variables is null, also through integers and booleans", () => {
    const x = input("x", [2]);
    const y = input("y", [2]);
    const steps = indicator(greater(x, y));
    const rounded = cast(cast(x, "int64"), "float");
    expect(jvp([exp(y), steps, rounded, scalar(1)], [x], [y])).toEqual([null, null, null, null]);
    expect(jvp([exp(x)], [x], [null])).toEqual([null]);
    expect(jvp([exp(x)], [x], [zeros([2])])).toEqual([null]);
  });

  test("of a variable is its tangent", () => {
    const x = input("x", [2]);
    const v = input("v", [2]);
    expect(jvp([x, exp(x)], [x], [v])[0]).toBe(v);
  });

  test("of tangents given for some variables only leaves the others at rest", async () => {
    const fed = feed({ x: floats([2]), y: floats([3]), v: floats([10]) });
    const { x, y, v } = fed.inputs;
    const [tangent] = jvp([mul(x, y)], [x, y], [null, v]);
    expect(await evaluate({ tangent: tangent! }, fed)).toEqual({ tangent: [20] });
  });
});

describe("variables that are intermediate values", () => {
  test("are held independent of what they are computed from", async () => {
    const fed = feed({ x: floats([0.5]), v: floats([1]), w: floats([10]) });
    const { x, v, w } = fed.inputs;
    const z = sin(x);
    // f = z^2 x, of z and x apart: df = 2 z x dz + z^2 dx.
    const f = mul(square(z), x);
    const [both] = jvp([f], [x, z], [v, w]);
    const [onlyZ] = jvp([f], [z], [w]);
    const [gz] = vjp([f], [z], [filled([1], 1)]);
    const [total] = vjp([f], [x], [filled([1], 1)]);
    const s = Math.sin(0.5);
    const got = await evaluate({ both: both!, onlyZ: onlyZ!, gz, total }, fed);
    expect(got.both[0]).toBeCloseTo(s ** 2 + 2 * s * 0.5 * 10, 14);
    expect(got.onlyZ[0]).toBeCloseTo(2 * s * 0.5 * 10, 14);
    expect(got.gz[0]).toBeCloseTo(2 * s * 0.5, 14);
    expect(got.total[0]).toBeCloseTo(s ** 2 + 2 * s * Math.cos(0.5) * 0.5, 14);
  });

  test("the chain rule through them is the whole derivative", async () => {
    const fed = feed({ x: random("x", 3, 2), w: random("w", 2, 2), u: random("u", 3, 2) });
    const { x, w, u } = fed.inputs;
    const hidden = tanh(matmul(x, w));
    const output = exp(matmul(hidden, w));
    const [direct, through] = vjp([output], [w, hidden], [u]);
    const [rest] = vjp([hidden], [w], [through]);
    const [whole] = vjp([output], [w], [u]);
    const got = await evaluate({ parts: add(direct, rest), whole }, fed);
    got.parts.forEach((part, i) => {
      expect(part).toBeCloseTo(got.whole[i], 12);
    });
  });
});

describe("vjp", () => {
  test("is zero where nothing depends on a variable", async () => {
    const fed = feed({ x: floats([1, 2]), y: floats([3, 4]) });
    const { x, y } = fed.inputs;
    const [gx, gy] = vjp([reduceSum(exp(x)), scalar(3)], [x, y], [scalar(1), scalar(1)]);
    expect(gy.uniform).toBe(0);
    expect(gy.shape).toEqual([2]);
    expect(await evaluate({ gx }, fed)).toEqual({ gx: [Math.exp(1), Math.exp(2)].map((e) => expect.closeTo(e, 14)) });
  });

  test("adds up what several outputs and several uses contribute", async () => {
    const fed = feed({ x: floats([1, 2, 3]) });
    const { x } = fed.inputs;
    const [g] = vjp([reduceSum(square(x)), x], [x], [scalar(1), filled([3], 10)]);
    expect(await evaluate({ g }, fed)).toEqual({ g: [12, 14, 16] });
  });

  test("of a least squares loss is the normal equations' residual", async () => {
    const fed = feed({ a: random("a", 5, 3), x: random("x", 3, 1), b: random("b", 5, 1) });
    const { a, x, b } = fed.inputs;
    const residual = add(matmul(a, x), scale(b, -1));
    const [gradient] = vjp([scale(reduceSum(square(residual)), 0.5)], [x], [scalar(1)]);
    const v = filled([3, 1], 1);
    const [hessian] = jvp([gradient], [x], [v]);
    const expected = matmul(a, residual, { transposeA: true });
    const expectedHessian = matmul(a, matmul(a, v), { transposeA: true });
    const got = await evaluate({ gradient, expected, hessian: hessian!, expectedHessian }, fed);
    expect(got.gradient).toEqual(got.expected.map((g) => expect.closeTo(g, 13)));
    expect(got.hessian).toEqual(got.expectedHessian.map((g) => expect.closeTo(g, 13)));
  });
});

test("the third derivative of a network is symmetric in its three directions", async () => {
  const tensors = {
    x: random("x", 4, 3),
    w: random("w", 3, 2),
    u: random("u", 3, 2),
    v: random("v", 3, 2),
    t: random("t", 3, 2),
  };
  const fed = feed(tensors);
  const { x, w, u, v, t } = fed.inputs;
  const loss = reduceSum(exp(tanh(matmul(x, w))));
  const directions = { u, v, t };
  const orders = ["uvt", "utv", "vut", "vtu", "tuv", "tvu"];
  const outputs = Object.fromEntries(
    orders.map((order) => {
      const [a, b, c] = order.split("").map((name) => directions[name as "u"]);
      const [gradient] = vjp([loss], [w], [scalar(1)]);
      const [second] = vjp([reduceSum(mul(gradient, a))], [w], [scalar(1)]);
      const [third] = jvp([reduceSum(mul(second, b))], [w], [c]);
      return [order, third!];
    }),
  );
  const got = await evaluate(outputs, fed);
  for (const order of orders) expect(got[order][0]).toBeCloseTo(got.uvt[0], 10);
  expect(Math.abs(got.uvt[0])).toBeGreaterThan(1e-3);
});

describe("vectorize", () => {
  test("over the rows of the identity gives a Jacobian, over both a Hessian", async () => {
    const fed = feed({ x: floats([0.3, -0.5]), identity: floats([1, 0, 0, 1], [2, 2]) });
    const { x, identity } = fed.inputs;
    const first = gather(x, integers([0]), 0);
    const second = gather(x, integers([1]), 0);
    const f = mul(sin(first), exp(second));
    const [a, b] = [input("a", [2]), input("b", [2])];
    const [gradient] = vjp([f], [x], [filled(f.shape, 1)]);
    const [along] = jvp([reduceSum(mul(gradient, a))], [x], [b]);
    const [rows] = vectorize([along!], [a], { replacements: [identity], size: 2 });
    const [hessian] = vectorize([rows], [b], { replacements: [identity], size: 2 });
    const [s, c, e] = [Math.sin(0.3), Math.cos(0.3), Math.exp(-0.5)];
    const got = await evaluate({ hessian }, fed);
    expect(got.hessian).toEqual([-s * e, c * e, c * e, s * e].map((h) => expect.closeTo(h, 14)));
  });

  test("repeats what does not depend on the variables, and computes it once", () => {
    const x = input("x", [2]);
    const y = input("y", [3]);
    const [repeated] = vectorize([exp(y)], [x], { replacements: [input("X", [4, 2])], size: 4 });
    expect(repeated.shape).toEqual([4, 3]);
    const [shared] = vectorize([add(reduceSum(exp(y)), x)], [x], { replacements: [input("X", [4, 2])], size: 4 });
    const exponentials = topologicalOrder([shared]).filter(({ primitive }) => primitive.name === "exp");
    expect(exponentials.map(({ shape }) => shape)).toEqual([[3]]);
  });

  test("of a variable itself are its replacements", () => {
    const x = input("x", [2]);
    const X = input("X", [4, 2]);
    expect(vectorize([x], [x], { replacements: [X], size: 4 })).toEqual([X]);
  });
});

describe("splitResiduals", () => {
  const x = input("x", [4, 3]);
  const w = input("w", [3, 2]);
  const v = input("v", [3, 2]);
  const z = tanh(matmul(x, w));
  const [gradient] = vjp([reduceSum(exp(z))], [w], [scalar(1)]);
  const product = jvp([gradient], [w], [v]).map((value) => value!);
  const split = splitResiduals(product, [v]);

  test("keeps only what the product needs and does not depend on the vector", () => {
    const stop = new Set<Value>([v]);
    for (const residual of split.residuals) {
      expect(topologicalOrder([residual])).not.toContain(v);
      expect(isInput(residual)).toBe(false);
      expect(residual.uniform).toBeUndefined();
    }
    const leaves = topologicalOrder(split.outputs, stop).filter(isInput);
    expect(new Set(leaves)).toEqual(new Set([v, x, ...split.inputs]));
    expect(split.inputs.map(({ shape }) => shape)).toEqual(split.residuals.map(({ shape }) => shape));
  });

  test("does the work of the batch once", () => {
    const products = (outputs: readonly Value[]) =>
      topologicalOrder(outputs).filter(({ primitive }) => primitive.name === "tanh" || primitive.name === "exp").length;
    expect(products(product)).toBeGreaterThan(0);
    expect(products(split.outputs)).toBe(0);
  });

  test("computes anew what is larger than its source", () => {
    const row = exp(input("row", [2]));
    const [wide, tall] = [input("wide", [1000, 2]), input("tall", [2, 3])];
    const outputs = [mul(broadcast(row, [1000, 2]), wide), mul(reshape(row, [2, 1]), tall)];
    const kept = splitResiduals(outputs, [wide, tall]);
    expect(kept.residuals).toEqual([row]);
  });

  test("an output that does not depend on the vector is a residual", () => {
    const constantPart = exp(x);
    const { residuals, inputs, outputs } = splitResiduals([constantPart, v], [v]);
    expect(residuals).toEqual([constantPart]);
    expect(outputs).toEqual([inputs[0], v]);
  });
});

describe("errors", () => {
  const x = input("x", [2]);
  const y = input("y", [3]);
  const opaque: Primitive<null> = { name: "opaque", output: ([operand]) => operand };
  const shown: Primitive<null> = { ...opaque, format: () => "Opaque output 0" };

  const refused: readonly (readonly [run: () => unknown, error: CurvatureError])[] = [
    [
      () => jvp([exp(x)], [x], [y]),
      new CurvatureError("shape", "jvp: a variable of shape [2] needs a tangent of that shape, got [3]"),
    ],
    [
      () => jvp([apply(opaque, [x], null)], [x], [x]),
      new CurvatureError("unsupported", "internal: primitive opaque has no derivative rule"),
    ],
    [
      () => transpose([scale(x, 2)], [x], [y]),
      new CurvatureError("shape", "transpose: an output of shape [2] needs a cotangent of that shape, got [3]"),
    ],
    [
      () => transpose([exp(x)], [x], [x]),
      new CurvatureError("unsupported", "internal: exp is not linear and cannot be transposed"),
    ],
    [
      () => vectorize([exp(x)], [x], { replacements: [y], size: 4 }),
      new CurvatureError("shape", "vectorize: 4 values of shape [2] have shape [4, 2], got [3]"),
    ],
    [
      () => vectorize([apply(opaque, [x], null)], [x], { replacements: [input("X", [4, 2])], size: 4 }),
      new CurvatureError("unsupported", "opaque cannot be computed for several values at once"),
    ],
    [
      () => vectorize([apply(shown, [x], null)], [x], { replacements: [input("X", [4, 2])], size: 4 }),
      new CurvatureError("unsupported", "Opaque output 0 cannot be computed for several values at once"),
    ],
  ];

  for (const [run, error] of refused) {
    test(error.message, () => {
      expect(run).toThrow(expect.objectContaining({ message: error.message, code: error.code }));
    });
  }

  test("cotangents of outputs that are null, and of outputs that do not depend, are left out", () => {
    const { inputs, tangents } = linearize([exp(x), exp(y)], [x]);
    expect(tangents[1]).toBeNull();
    expect(transpose([tangents[0]!], inputs, [null])).toEqual([null]);
    expect(transpose([scale(y, 2)], [x], [y])).toEqual([null]);
  });

  test("a choice between branches is linear in both", async () => {
    const fed = feed({ a: floats([1, -1]), b: floats([5, 6]) });
    const { a, b } = fed.inputs;
    const [ga, gb] = vjp([where(greater(a, zeros([])), a, b)], [a, b], [filled([2], 1)]);
    expect(await evaluate({ ga, gb }, fed)).toEqual({ ga: [1, 0], gb: [0, 1] });
  });
});
