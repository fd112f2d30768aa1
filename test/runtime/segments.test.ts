import { describe, expect, test } from "vitest";
import { vjp } from "../../src/autodiff/index.ts";
import { input, scalar, topologicalOrder, type Value } from "../../src/graph/index.ts";
import { add, broadcast, matmul, mul, reduceSum, reshape, tanh } from "../../src/primitives/index.ts";
import { compile, type NamedGraph, segmentsOf, withPreferredKernels } from "../../src/runtime/index.ts";
import type { Tensor } from "../../src/tensors/index.ts";

/** A recurrence of n steps with one matrix, with the gradient in it and in the first state. */
function recurrence(n: number): NamedGraph {
  const x = input("x", [3, 2]);
  const w = input("w", [2, 2]);
  const unused = input("unused", [1]);
  const gain = broadcast(scalar(0.5), [3, 2]);
  let state: Value = x;
  for (let i = 0; i < n; i++) state = tanh(add(mul(matmul(state, w), gain), reshape(reshape(x, [6]), [3, 2])));
  const loss = reduceSum(mul(state, state));
  const [dx, dw] = vjp([loss], [x, w], [scalar(1)]);
  return { inputs: { x, w, unused }, outputs: { loss, state, again: state, dx, dw, given: x, two: scalar(2) } };
}

const feeds: Record<string, Tensor> = {
  x: { data: Float64Array.of(0.1, -0.2, 0.3, 0.4, -0.5, 0.6), dims: [3, 2] },
  w: { data: Float64Array.of(0.9, -0.4, 0.3, 0.8), dims: [2, 2] },
};

async function evaluate(graph: NamedGraph, given: Record<string, Tensor>): Promise<Record<string, Tensor>> {
  const program = await compile(graph, { precision: "float64", optimized: false });
  const results = await program.run(given);
  await program.release();
  return results;
}

describe("segments", () => {
  test.each([1, 7, 50])("of %i values give what the graph gives", async (most) => {
    const graph = recurrence(20);
    const segments = segmentsOf(graph, most);
    expect(segments.length).toBeGreaterThan(2);
    const known: Record<string, Tensor> = { ...feeds };
    for (const segment of segments) Object.assign(known, await evaluate(segment, known));
    const whole = await evaluate(graph, feeds);
    for (const [name, { data }] of Object.entries(whole)) {
      (data as Float64Array).forEach((value, i) => {
        expect((known[name].data as Float64Array)[i], name).toBeCloseTo(value, 13);
      });
    }
  });

  test("are no larger for a longer graph, and as many more", () => {
    const values = (graph: NamedGraph) => topologicalOrder(Object.values(graph.outputs)).length;
    const [short, long] = [400, 800].map((n) => segmentsOf(recurrence(n), 500));
    const total = (segments: readonly NamedGraph[]) => segments.reduce((sum, segment) => sum + values(segment), 0);
    expect(Math.max(...long.map(values))).toBeLessThan(1.2 * Math.max(...short.map(values)));
    expect(total(long) / total(short)).toBeLessThan(2.2);
  });

  test("are not made of a small graph", () => {
    const graph = recurrence(2);
    expect(segmentsOf(graph, 1000)).toEqual([graph]);
  });
});

test("a large program is that of its parts", { timeout: 60_000 }, async () => {
  const graph = recurrence(1500);
  expect(topologicalOrder(withPreferredKernels(Object.values(graph.outputs), "float64")).length).toBeGreaterThan(6000);
  const { loss, dx, dw, two } = await evaluate(graph, feeds);
  expect(two.data[0]).toBe(2);
  const lossAt = async (shift: number) => {
    const x = { ...feeds.x, data: (feeds.x.data as Float64Array).map((value, i) => value + (i === 2 ? shift : 0)) };
    return Number((await evaluate({ ...graph, outputs: { loss: graph.outputs.loss } }, { ...feeds, x })).loss.data[0]);
  };
  expect(await lossAt(0)).toBeCloseTo(Number(loss.data[0]), 13);
  const step = 1e-5;
  const difference = ((await lossAt(step)) - (await lossAt(-step))) / (2 * step);
  expect(Number(dx.data[2])).toBeCloseTo(difference, 8);
  expect((dw.data as Float64Array).every(Number.isFinite)).toBe(true);
});
