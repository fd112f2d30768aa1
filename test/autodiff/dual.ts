import fc from "fast-check";
import { input, printGraph, scalar, topologicalOrder, type Value } from "../../src/graph/index.ts";
import { add, cos, div, exp, mul, neg, sin, sub, tanh } from "../../src/primitives/index.ts";

/** A number with its derivatives of order 0 to 3 along a line: a truncated Taylor series, independent of the passes on graphs. */
export type Series = readonly number[];

export const ORDER = 3;

const series = (coefficient: (k: number) => number): Series =>
  Array.from({ length: ORDER + 1 }, (_, k) => coefficient(k));

const product = (a: Series, b: Series): Series =>
  series((k) => Array.from({ length: k + 1 }, (_, i) => a[i] * b[k - i]).reduce((sum, x) => sum + x, 0));

/** f(a) from the derivatives of f at a[0]: sum of f^(n)(a0) / n! (a - a0)^n. */
const composed = (a: Series, derivatives: readonly number[]): Series => {
  const step = a.map((x, k) => (k === 0 ? 0 : x));
  let power: Series = series((k) => (k === 0 ? 1 : 0));
  let result = series(() => 0);
  let factorial = 1;
  for (let n = 0; n <= ORDER; n++) {
    if (n > 0) {
      power = product(power, step);
      factorial *= n;
    }
    result = result.map((x, k) => x + (derivatives[n] / factorial) * power[k]);
  }
  return result;
};

const rules: Record<string, (operands: readonly Series[]) => Series> = {
  add: ([a, b]) => series((k) => a[k] + b[k]),
  sub: ([a, b]) => series((k) => a[k] - b[k]),
  neg: ([a]) => series((k) => -a[k]),
  mul: ([a, b]) => product(a, b),
  div: ([a, b]) => product(a, composed(b, [1 / b[0], -1 / b[0] ** 2, 2 / b[0] ** 3, -6 / b[0] ** 4])),
  exp: ([a]) => composed(a, new Array(4).fill(Math.exp(a[0]))),
  sin: ([a]) => composed(a, [Math.sin(a[0]), Math.cos(a[0]), -Math.sin(a[0]), -Math.cos(a[0])]),
  cos: ([a]) => composed(a, [Math.cos(a[0]), -Math.sin(a[0]), -Math.cos(a[0]), Math.sin(a[0])]),
  tanh: ([a]) => {
    const t = Math.tanh(a[0]);
    const s = 1 - t * t;
    return composed(a, [t, s, -2 * t * s, (6 * t * t - 2) * s]);
  },
};

/** Taylor series of a scalar graph in arithmetic of series. */
export function expand(output: Value, known: ReadonlyMap<Value, Series>): Series {
  const values = new Map(known);
  for (const value of topologicalOrder([output])) {
    if (values.has(value)) continue;
    const operands = value.inputs.map((operand) => values.get(operand)!);
    const constant = value.uniform;
    values.set(
      value,
      constant === undefined ? rules[value.primitive.name](operands) : series((k) => (k ? 0 : constant)),
    );
  }
  return values.get(output)!;
}

/** A random smooth function of three scalars whose values stay moderate. */
export interface SmoothFunction {
  readonly variables: readonly Value[];
  readonly output: Value;
}

const binary = { add, sub, mul, div: (a: Value, b: Value) => div(a, add(mul(b, b), scalar(1))) };
const unary = { neg, sin, cos, tanh, exp: (a: Value) => exp(sin(a)) };

/** Random smooth functions of three scalars. */
export function smoothFunctions(): fc.Arbitrary<SmoothFunction> {
  const step = fc.record({
    operation: fc.constantFrom(...[...Object.keys(binary), ...Object.keys(unary)]),
    left: fc.nat(),
    right: fc.nat(),
  });
  return fc.array(step, { minLength: 2, maxLength: 14 }).map((steps) => {
    const variables = ["a", "b", "c"].map((name) => input(name, []));
    const pool: Value[] = [...variables];
    for (const { operation, left, right } of steps) {
      const [a, b] = [pool[pool.length - 1 - (left % 3)], pool[right % pool.length]];
      pool.push(operation in binary ? tanh(binary[operation as "add"](a, b)) : unary[operation as "neg"](a));
    }
    const output = pool.slice(3).reduce((sum, value) => add(sum, value));
    return { variables, output, [fc.toStringMethod]: () => printGraph([output]) };
  });
}
