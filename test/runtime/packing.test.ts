import { describe, expect, test } from "vitest";
import { input, scalar, type Value } from "../../src/graph/index.ts";
import { add, mul, reduceSum } from "../../src/primitives/index.ts";
import { compile, type NamedGraph } from "../../src/runtime/index.ts";
import { packed } from "../../src/runtime/packing.ts";
import type { Precision, Tensor } from "../../src/tensors/index.ts";

const shapes = [[3], [2, 2], [], [1, 2], [5, 2], [0, 2], [2000]];

/** x -> 2 x + 1 for many values of several shapes, beside their sums, an input handed on, and one given twice. */
function manyValues(count: number): NamedGraph {
  const inputs: Record<string, Value> = { unread: input("unread", [2]), n: input("n", [2], "int64") };
  const outputs: Record<string, Value> = { given: inputs.n };
  for (let i = 0; i < count; i++) {
    const x = input(`x${i}`, shapes[i % shapes.length]);
    inputs[`x${i}`] = x;
    outputs[`y${i}`] = add(mul(x, scalar(2)), scalar(1));
    outputs[`s${i}`] = reduceSum(x);
  }
  return { inputs, outputs: { ...outputs, same: inputs.x0, again: outputs.y0, "packed outputs 0": outputs.y1 } };
}

const sizeOf = (shape: readonly number[]) => shape.reduce((product, dim) => product * dim, 1);

function feedsOf({ inputs }: NamedGraph): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, type }], i) => [
      name,
      type === "int64"
        ? { data: BigInt64Array.of(7n, 8n), dims: shape }
        : { data: Float64Array.from({ length: sizeOf(shape) }, (_, j) => i + j / 4096), dims: shape },
    ]),
  );
}

describe("packing", () => {
  test.each(["float32", "float64"] as const)(
    "gives the results under their names in %s",
    async (precision: Precision) => {
      const graph = manyValues(900);
      const feeds = feedsOf(graph);
      const program = await compile(graph, { precision });
      const results = await program.run(feeds);
      await program.release();
      expect(Object.keys(results).sort()).toEqual(Object.keys(graph.outputs).sort());
      expect([...(results.given.data as BigInt64Array)]).toEqual([7n, 8n]);
      for (let i = 0; i < 900; i++) {
        const x = Array.from(feeds[`x${i}`].data as Float64Array);
        const y = results[`y${i}`];
        expect(y.dims).toEqual(shapes[i % shapes.length]);
        expect(Array.from(y.data as Float64Array)).toEqual(x.map((each) => 2 * each + 1));
        const sum = x.reduce((total, each) => total + each, 0);
        expect(Number(results[`s${i}`].data[0]) / (sum || 1)).toBeCloseTo(sum === 0 ? 0 : 1, 5);
      }
      expect(Array.from(results.same.data as Float64Array)).toEqual(Array.from(feeds.x0.data as Float64Array));
      expect(results.again.data).toEqual(results.y0.data);
      expect(results["packed outputs 0"].data).toEqual(results.y1.data);
    },
  );

  test("leaves few values as they are", () => {
    const graph = manyValues(20);
    const { inputs, outputs } = packed(graph, "float32").graph;
    const { unread: _, ...read } = graph.inputs;
    expect(inputs).toEqual(read);
    expect(outputs).toEqual(graph.outputs);
  });

  test("lets less than a tenth of many small tensors cross", () => {
    const inputs = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`x${i}`, input(`x${i}`, [4, 4])]));
    const outputs = Object.fromEntries(Object.entries(inputs).map(([name, x]) => [`y${name}`, mul(x, x)]));
    const { graph } = packed({ inputs, outputs }, "float32");
    expect(Object.keys(graph.inputs).length).toBeLessThan(100);
    expect(Object.keys(graph.outputs).length).toBeLessThan(100);
  });
});
