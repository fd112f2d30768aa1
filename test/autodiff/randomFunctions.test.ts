import fc from "fast-check";
import { expect, test } from "vitest";
import { jvp, linearize, splitResiduals, transpose, vectorize, vjp } from "../../src/autodiff/index.ts";
import { input, scalar, type Value } from "../../src/graph/index.ts";
import { add, mul, zeros } from "../../src/primitives/index.ts";
import { evaluate } from "../primitives/evaluate.ts";
import { expand, type SmoothFunction, smoothFunctions } from "./dual.ts";

const number = fc.double({ min: -1, max: 1, noNaN: true });
const point = fc.tuple(number, number, number);

const tensor = (x: number) => ({ data: Float64Array.of(x), dims: [] });

/** Inputs and feeds for the variables at x and the directions. */
function fed(
  { variables }: SmoothFunction,
  x: readonly number[],
  directions: Readonly<Record<string, readonly number[]>>,
) {
  const inputs: Record<string, Value> = Object.fromEntries(variables.map((variable, i) => [`x${i}`, variable]));
  const feeds = Object.fromEntries(x.map((number, i) => [`x${i}`, tensor(number)]));
  const along: Record<string, Value[]> = {};
  for (const [name, direction] of Object.entries(directions)) {
    along[name] = direction.map((number, i) => {
      feeds[`${name}${i}`] = tensor(number);
      return (inputs[`${name}${i}`] = input(`${name}${i}`, []));
    });
  }
  return { inputs, feeds, along };
}

/** Derivatives of order 0 to 3 at x along v, by series. */
function derivatives({ variables, output }: SmoothFunction, x: readonly number[], v: readonly number[]): number[] {
  const known = new Map(variables.map((variable, i) => [variable, [x[i], v[i], 0, 0]]));
  return expand(output, known).map((coefficient, k) => coefficient * [1, 1, 2, 6][k]);
}

const orZero = (value: Value | null) => value ?? zeros([]);
const close = (x: number) => expect.closeTo(x, 9);
/** Sum of products of scalars. */
const inner = (a: readonly Value[], b: readonly Value[]) =>
  a.map((x, i) => mul(x, b[i])).reduce((sum, term) => add(sum, term));

test("derivatives up to order 3 by every order of modes agree with Taylor arithmetic", async () => {
  await fc.assert(
    fc.asyncProperty(smoothFunctions(), point, point, async (f, x, v) => {
      const { inputs, feeds, along } = fed(f, x, { v });
      const { variables, output } = f;
      const forward = (value: Value) => orZero(jvp([value], variables, along.v)[0]);
      const reverse = (value: Value) => inner(vjp([value], variables, [scalar(1)]), along.v);
      const modes: Record<string, Value> = { value: output };
      const nest = (value: Value, name: string) => {
        if (name.length === 3) return;
        for (const [letter, mode] of [
          ["f", forward],
          ["r", reverse],
        ] as const) {
          modes[name + letter] = mode(value);
          nest(modes[name + letter], name + letter);
        }
      };
      nest(output, "");
      const got = await evaluate(modes, { inputs, feeds });
      const expected = derivatives(f, x, v);
      for (const [name, value] of Object.entries(got)) {
        const order = name === "value" ? 0 : name.length;
        expect([name, value]).toEqual([name, [close(expected[order])]]);
      }
    }),
    { numRuns: 25 },
  );
});

test("linearize and transpose are the linear map and its transpose", async () => {
  await fc.assert(
    fc.asyncProperty(smoothFunctions(), point, async (f, x) => {
      const outputs = [f.output, add(f.output, mul(f.variables[0], f.variables[1]))];
      const { inputs, feeds, along } = fed(f, x, { v: [1, 2, 3], u: [5, 7] });
      const { inputs: tangents, tangents: rows } = linearize(outputs, f.variables);
      const columns = transpose(rows.map(orZero), tangents, along.u);
      const gradients = vjp(outputs, f.variables, along.u);
      const jacobian = jvp(outputs, f.variables, along.v);
      const left = inner(along.u, jacobian.map(orZero));
      const right = inner(columns.map(orZero), along.v);
      const outputsByName: Record<string, Value> = { left, right };
      gradients.forEach((gradient, i) => {
        outputsByName[`gradient${i}`] = gradient;
        outputsByName[`column${i}`] = orZero(columns[i]);
      });
      const got = await evaluate(outputsByName, { inputs, feeds });
      expect(got.left).toEqual(got.right.map(close));
      for (const i of [0, 1, 2]) expect(got[`gradient${i}`]).toEqual(got[`column${i}`]);
    }),
    { numRuns: 15 },
  );
});

test("splitting residuals off changes no number", async () => {
  await fc.assert(
    fc.asyncProperty(smoothFunctions(), point, point, async (f, x, v) => {
      const { inputs, feeds, along } = fed(f, x, { v });
      const gradient = vjp([f.output], f.variables, [scalar(1)]);
      const product = jvp(gradient, f.variables, along.v).map(orZero);
      const whole = Object.fromEntries(product.map((value, i) => [`${i}`, value]));
      const split = splitResiduals(product, along.v);
      const kept = await evaluate(Object.fromEntries(split.residuals.map((value, i) => [`r${i}`, value])), {
        inputs,
        feeds,
      });
      const parts = Object.fromEntries(split.outputs.map((value, i) => [`${i}`, value]));
      const expected = await evaluate(whole, { inputs, feeds });
      const got = await evaluate(parts, {
        inputs: { ...inputs, ...Object.fromEntries(split.inputs.map((value, i) => [`r${i}`, value])) },
        feeds: {
          ...feeds,
          ...Object.fromEntries(Object.entries(kept).map(([name, [number]]) => [name, tensor(number)])),
        },
      });
      expect(got).toEqual(expected);
    }),
    { numRuns: 15 },
  );
});

test("vectorized derivatives are the derivatives one by one", async () => {
  await fc.assert(
    fc.asyncProperty(smoothFunctions(), point, fc.tuple(point, point), async (f, x, vectors) => {
      const { inputs, feeds, along } = fed(f, x, { v: vectors[0], w: vectors[1] });
      const product = (direction: readonly Value[]) =>
        orZero(jvp([inner(vjp([f.output], f.variables, [scalar(1)]), direction)], f.variables, direction)[0]);
      const replacements = vectors[0].map((_, i) => input(`V${i}`, [2]));
      const [together] = vectorize([product(along.v)], along.v, { replacements, size: 2 });
      const stacked = Object.fromEntries(
        replacements.map((_, i) => [`V${i}`, { data: Float64Array.of(vectors[0][i], vectors[1][i]), dims: [2] }]),
      );
      const got = await evaluate(
        { together, v: product(along.v), w: product(along.w) },
        {
          inputs: { ...inputs, ...Object.fromEntries(replacements.map((value, i) => [`V${i}`, value])) },
          feeds: { ...feeds, ...stacked },
        },
      );
      expect(got.together).toEqual([...got.v, ...got.w].map(close));
    }),
    { numRuns: 15 },
  );
});
