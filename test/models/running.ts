import { expect } from "vitest";
import { constant, type Value } from "../../src/graph/index.ts";
import type { Model, ModelGraph } from "../../src/models/index.ts";
import { add, mul, reduceSum } from "../../src/primitives/index.ts";
import { stream } from "../../src/random/index.ts";
import { compile, type Program } from "../../src/runtime/index.ts";
import { type Precision, sizeOf, type Tensor } from "../../src/tensors/index.ts";

export type Numbers = readonly number[];
export type Feeds = { readonly [name: string]: Tensor };

export function shapesOf(feeds: Feeds): { [name: string]: readonly number[] } {
  return Object.fromEntries(Object.entries(feeds).map(([name, { dims }]) => [name, dims]));
}

export function inputsOf(model: Model, graph: ModelGraph): { [name: string]: Value } {
  return { ...graph.inputs, ...Object.fromEntries(model.parameters.map(({ name }, i) => [name, graph.parameters[i]])) };
}

export async function withProgram<T>(
  inputs: { readonly [name: string]: Value },
  outputs: { readonly [name: string]: Value },
  { precision, use }: { readonly precision: Precision; readonly use: (program: Program) => Promise<T> },
): Promise<T> {
  const program = await compile({ inputs, outputs }, { precision });
  try {
    return await use(program);
  } finally {
    await program.release();
  }
}

export function numbers({ data }: Tensor): number[] {
  return Array.from(data as ArrayLike<number | bigint>, Number);
}

/** Largest difference over the largest entry (at least `floor`). */
export function distance(a: Numbers, b: Numbers, floor = 1e-3): number {
  expect(a.length).toBe(b.length);
  let scale = floor;
  for (const y of b) scale = Math.max(scale, Math.abs(y));
  let largest = 0;
  for (const [i, x] of a.entries()) {
    const difference = Object.is(x, b[i]) ? 0 : Math.abs(x - b[i]) / scale;
    // A difference that is no number stays, since no comparison with it holds.
    if (!(difference <= largest)) largest = difference;
    if (Number.isNaN(largest)) return largest;
  }
  return largest;
}

export function randomLike(shape: readonly number[], name: string): number[] {
  const random = stream(3, name);
  return Array.from({ length: sizeOf(shape) }, () => random.normal());
}

/** Sum of all outputs, each element times a fixed random number. */
export function functional(outputs: readonly Value[]): Value {
  return outputs
    .filter(({ type }) => type === "float")
    .map((y, i) => {
      const weights = Float64Array.from(randomLike(y.shape, `weights ${i}`));
      return reduceSum(mul(y, constant({ data: weights, dims: y.shape })));
    })
    .reduce(add);
}

/** Values of the model's parameters as feeds, each moved by `step` times its direction. */
export function parameterFeeds(model: Model, directions?: readonly Numbers[], step = 0): Feeds {
  return Object.fromEntries(
    model.parameters.map(({ name, data, dims }, k) => [
      name,
      { data: Float64Array.from(data, (x, i) => x + step * (directions?.[k][i] ?? 0)), dims },
    ]),
  );
}
