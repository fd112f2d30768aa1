import { describe, expect, test } from "vitest";
import { jvp, vjp } from "../../src/autodiff/index.ts";
import {
  constant,
  dependents,
  input,
  shareCommonSubexpressions,
  substitute,
  topologicalOrder,
  type Value,
  withInputs,
} from "../../src/graph/index.ts";
import { add, exp, mul, sin, sub } from "../../src/primitives/index.ts";

const x = input("x", [2]);
const y = input("y", [2]);

function chain(from: Value, length: number): Value {
  let value = from;
  for (let i = 0; i < length; i++) value = sin(value);
  return value;
}

describe("topologicalOrder", () => {
  test("lists everything once, inputs before what uses them", () => {
    const shared = exp(x);
    const order = topologicalOrder([mul(shared, add(shared, y)), shared]);
    expect(new Set(order).size).toBe(order.length);
    for (const value of order) {
      for (const operand of value.inputs) expect(order.indexOf(operand)).toBeLessThan(order.indexOf(value));
    }
    expect(order).toHaveLength(5);
  });

  test("lists values in the stop set but does not look into them", () => {
    const middle = exp(x);
    const output = sin(middle);
    expect(topologicalOrder([output], new Set([middle]))).toEqual([middle, output]);
  });

  test("visits a graph with exponentially many paths once a value", () => {
    let value = x;
    for (let i = 0; i < 60; i++) value = sub(value, value);
    expect(topologicalOrder([value])).toHaveLength(61);
  });

  test("and every pass over the graph are not limited by its depth", () => {
    const depth = 100_000;
    const output = chain(x, depth);
    expect(topologicalOrder([output])).toHaveLength(depth + 1);
    expect(shareCommonSubexpressions([output])).toEqual([output]);
    const shallower = chain(x, 20_000);
    const [tangent] = jvp([shallower], [x], [y]);
    expect(topologicalOrder([tangent!]).length).toBeGreaterThan(40_000);
    const [gradient] = vjp([shallower], [x], [y]);
    expect(topologicalOrder([gradient]).length).toBeGreaterThan(40_000);
  });
});

test("dependents are the roots and all that is computed from them", () => {
  const a = exp(x);
  const b = sin(y);
  const c = add(a, b);
  const order = topologicalOrder([c]);
  expect(dependents(order, [a])).toEqual(new Set([a, c]));
  expect(dependents(order, [x, y])).toEqual(new Set(order));
  expect(dependents(order, [])).toEqual(new Set());
});

describe("substitute", () => {
  test("replaces values by others and keeps what does not depend on them", () => {
    const kept = exp(y);
    const output = add(sin(exp(x)), kept);
    const z = input("z", [2]);
    const [replaced] = substitute([output], new Map([[x, z]]));
    expect(topologicalOrder([replaced])).toContain(z);
    expect(topologicalOrder([replaced])).not.toContain(x);
    expect(replaced.inputs[1]).toBe(kept);
    expect(substitute([kept], new Map([[x, z]]))).toEqual([kept]);
    expect(substitute([x], new Map([[x, z]]))).toEqual([z]);
  });

  test("simplifies what replacements make simpler, unless another way to rebuild is given", () => {
    const replacements = new Map([[x, constant({ data: Float64Array.of(1, 1), dims: [2] })]]);
    const output = mul(exp(y), x);
    expect(substitute([output], replacements)).toEqual([output.inputs[0]]);
    const [kept] = substitute([output], replacements, withInputs);
    expect(kept).toMatchObject({ primitive: output.primitive, shape: [2], type: "float" });
    expect(kept.inputs).toEqual([output.inputs[0], replacements.get(x)]);
  });

  test("does not look behind a replaced value", () => {
    const middle = exp(x);
    const [output] = substitute(
      [add(middle, x)],
      new Map<Value, Value>([
        [middle, y],
        [x, sin(y)],
      ]),
    );
    expect(output.inputs[0]).toBe(y);
    expect(output.inputs[1].primitive.name).toBe("sin");
  });
});
