import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  apply,
  constant,
  input,
  type Primitive,
  printGraph,
  scalar,
  shareCommonSubexpressions,
  topologicalOrder,
  type Value,
} from "../../src/graph/index.ts";
import { add, exp, matmul, mul, neg, reduceSum, sub, swapLastAxes, where } from "../../src/primitives/index.ts";

const x = input("x", [2, 2]);
const y = input("y", [2, 2]);
const share = (value: Value) => shareCommonSubexpressions([value])[0];
const size = (values: readonly Value[]) => topologicalOrder(values).length;

describe("shareCommonSubexpressions", () => {
  test("computes equal applications once", () => {
    const [shared] = shareCommonSubexpressions([sub(exp(add(x, y)), exp(add(x, y)))]);
    expect(shared.inputs[0]).toBe(shared.inputs[1]);
    expect(size([shared])).toBe(5);
  });

  test("shares between outputs and keeps their order", () => {
    const [a, b, c] = shareCommonSubexpressions([exp(x), exp(y), exp(x)]);
    expect(a).toBe(c);
    expect([a.inputs[0], b.inputs[0]]).toEqual([x, y]);
  });

  test("knows that sums and products commute, and that differences do not", () => {
    const [a, b, c, d] = shareCommonSubexpressions([add(x, y), add(y, x), sub(x, y), sub(y, x)]);
    expect(a).toBe(b);
    expect(c).not.toBe(d);
  });

  test("tells parameters and inputs apart", () => {
    const [a, b, c] = shareCommonSubexpressions([reduceSum(x, [0]), reduceSum(x, [1]), reduceSum(y, [0])]);
    expect(new Set([a, b, c]).size).toBe(3);
    const twins = shareCommonSubexpressions([input("same", []), input("same", [])]);
    expect(twins[0]).not.toBe(twins[1]);
  });

  test("tells primitives of one name apart", () => {
    const named = (factor: number): Primitive<null> => ({
      name: "same",
      output: ([operand]) => operand,
      alternative: ({ inputs: [operand] }) => mul(operand, scalar(factor)),
    });
    const [a, b] = shareCommonSubexpressions([apply(named(2), [x], null), apply(named(3), [x], null)]);
    expect(a).not.toBe(b);
  });

  test("shares small constants by their elements and large ones by their array", () => {
    const small = (zero: number) => add(x, constant({ data: Float64Array.of(zero, 1), dims: [2] }));
    const [a, b, c] = shareCommonSubexpressions([small(0), small(0), small(-0)]);
    expect(a).toBe(b);
    expect(a).not.toBe(c);
    const data = new Float64Array(100).map((_, i) => i);
    const large = (array: Float64Array) => constant({ data: array, dims: [10, 10] });
    const [d, e, f] = shareCommonSubexpressions([large(data), large(data), large(data.slice())]);
    expect(d).toBe(e);
    expect(d).not.toBe(f);
  });

  test("applies simplifications that sharing makes visible", () => {
    expect(share(add(exp(x), exp(x))).primitive.name).toBe("mul");
    const condition = input("condition", [2, 2], "bool");
    expect(share(where(condition, exp(x), exp(x))).primitive.name).toBe("exp");
    const product = share(matmul(x, swapLastAxes(neg(neg(y)))));
    expect(product.inputs).toEqual([x, y]);
  });

  test("keeps values and never makes a graph larger", () => {
    fc.assert(
      fc.property(expressions(), fc.tuple(whole, whole), ({ leaves, outputs }, numbers) => {
        const known = new Map(leaves.map((leaf, i) => [leaf, BigInt(numbers[i])]));
        const shared = shareCommonSubexpressions(outputs);
        expect(size(shared)).toBeLessThanOrEqual(size(outputs));
        expect(interpret(shared, known)).toEqual(interpret(outputs, known));
        const applications = topologicalOrder(shared)
          .filter(({ primitive }) => primitive.name !== "input")
          .map(
            ({ primitive, inputs, params }) =>
              `${primitive.name} ${inputs.map(({ id }) => id)} ${primitive.key?.(params)}`,
          );
        expect(new Set(applications).size).toBe(applications.length);
      }),
      { numRuns: 200 },
    );
  });
});

const whole = fc.integer({ min: -3, max: 3 });

interface Expressions {
  readonly leaves: readonly Value[];
  readonly outputs: readonly Value[];
}

/** Random graphs on two scalars in which much is computed twice. */
function expressions(): fc.Arbitrary<Expressions> {
  const step = fc.record({
    operation: fc.constantFrom("add", "sub", "mul", "neg"),
    left: fc.nat(),
    right: fc.nat(),
  });
  const graph = fc.array(step, { minLength: 1, maxLength: 25 }).map((steps) => {
    const leaves = [input("a", []), input("b", [])];
    const pool: Value[] = [...leaves, scalar(2)];
    for (const { operation, left, right } of steps) {
      const [a, b] = [pool[left % pool.length], pool[right % pool.length]];
      // Products only with inputs, so that numbers stay small.
      const leaf = leaves[right % 2];
      const build = { add: () => add(a, b), sub: () => sub(a, b), mul: () => mul(a, leaf), neg: () => neg(a) };
      pool.push(build[operation](), build[operation]());
    }
    return { leaves, outputs: pool.slice(-4) };
  });
  return graph.map((built) => ({ ...built, [fc.toStringMethod]: () => printGraph(built.outputs) }));
}

/** The outputs in exact arithmetic. */
function interpret(outputs: readonly Value[], known: ReadonlyMap<Value, bigint>): bigint[] {
  const numbers = new Map(known);
  for (const value of topologicalOrder(outputs)) {
    if (numbers.has(value)) continue;
    const [a, b] = value.inputs.map((operand) => numbers.get(operand)!);
    const operations: Record<string, () => bigint> = {
      constant: () => BigInt(value.uniform!),
      add: () => a + b,
      sub: () => a - b,
      mul: () => a * b,
      neg: () => -a,
    };
    numbers.set(value, operations[value.primitive.name]());
  }
  return outputs.map((output) => numbers.get(output)!);
}
