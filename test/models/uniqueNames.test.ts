import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { loadModel } from "../../src/models/index.ts";
import { modelContents, type OnnxNode, readModel, writeModel } from "../../src/onnx/index.ts";
import type { Tensor } from "../../src/tensors/index.ts";
import { distance, inputsOf, numbers, parameterFeeds, withProgram } from "./running.ts";
import { localFunction, subgraph, type TinyModel, tinyModel } from "./tinyModel.ts";

/** Names that collide, that look as if they had been made unique already, that are of objects, or that end a message. */
const hostile = fc.constantFrom(
  "",
  "a",
  "a (2)",
  "a (3)",
  "a (2) (2)",
  "__proto__",
  "constructor",
  "'",
  "curvature guard: Expand",
  "body/0/a",
  "\u001b[31m",
  "f_0/a",
);

test("names of nodes are written so that no two are equal; the first of a name keeps it", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(hostile, { maxLength: 30 }), async (names) => {
      const nodes = names.map(
        (name, i): OnnxNode => ({
          op: "Identity",
          name,
          inputs: [i === 0 ? "x" : `v${i - 1}`],
          outputs: [`v${i}`],
          attributes: {},
        }),
      );
      const bytes = writeModel({
        opsets: { "": 17 },
        producer: "test",
        graph: { name: "g", nodes, inputs: [], outputs: [], initializers: [] },
      });
      const written = modelContents(await readModel(bytes)).graph.nodes.map(({ name }) => name);
      const given = written.filter((name) => name !== "");
      expect(new Set(given).size).toBe(given.length);
      written.forEach((name, i) => {
        expect(name === "").toBe(names[i] === "");
        if (names.indexOf(names[i]) === i) expect(name).toBe(names[i]);
        else expect(name.startsWith(names[i])).toBe(true);
      });
    }),
    { numRuns: 300 },
  );
});

test("many nodes of one name are named in linear time", () => {
  const nodes = Array.from(
    { length: 50_000 },
    (_, i): OnnxNode => ({
      op: "Identity",
      name: "same",
      inputs: [`v${i}`],
      outputs: [`v${i + 1}`],
      attributes: {},
    }),
  );
  const start = performance.now();
  writeModel({
    opsets: { "": 17 },
    producer: "test",
    graph: { name: "g", nodes, inputs: [], outputs: [], initializers: [] },
  });
  expect(performance.now() - start).toBeLessThan(5000);
});

describe("graphs whose nodes and values have hostile names compute the same", () => {
  const x: Tensor = { data: Float32Array.of(1, -2, 0.5, 3, -1, 0.25), dims: [3, 2] };
  const w = [0.5, -1, 0.25, -0.75];

  async function outputOf(model: TinyModel): Promise<number[]> {
    const loaded = await loadModel(tinyModel(model), { parameters: { include: ["w"] } });
    const graph = await loaded.graph({ shapes: { x: x.dims }, outputs: ["y"] });
    const results = await withProgram(inputsOf(loaded, graph), graph.outputs, {
      precision: "float64",
      use: (program) => program.run({ x, ...parameterFeeds(loaded) }),
    });
    return numbers(results.y!);
  }

  /** x, three times times w and through tanh, in a loop and by a function called twice, and expanded. */
  function model([first, second, third]: readonly string[], [a, b]: readonly string[]): TinyModel {
    const body = subgraph({
      inputs: [
        { name: "round", dtype: "int64", dims: [] },
        { name: "go", dtype: "bool", dims: [] },
        { name: "state", dtype: "float32", dims: [null, 2] },
      ],
      outputs: ["on", a, b],
      nodes: [
        { op: "Identity", name: first, inputs: ["go"], outputs: ["on"] },
        { op: "MatMul", name: second, inputs: ["state", "w"], outputs: [b] },
        { op: "Tanh", name: third, inputs: [b], outputs: [a] },
      ],
    });
    const f = localFunction({
      name: "f",
      inputs: ["in"],
      outputs: ["out"],
      nodes: [
        { op: "Neg", name: first, inputs: ["in"], outputs: [a] },
        { op: "Sinh", name: second, inputs: [a], outputs: ["out"] },
      ],
    });
    const call = (input: string, output: string) => ({
      op: "f",
      domain: "local",
      name: "f",
      inputs: [input],
      outputs: [output],
    });
    return {
      weights: { w: [w, [2, 2]] },
      initializers: [
        { name: "three", tensor: { data: BigInt64Array.of(3n), dims: [] } },
        { name: "sizes", tensor: { data: BigInt64Array.of(3n, 2n), dims: [2] } },
      ],
      opsets: { "": 17, local: 1 },
      functions: [f],
      nodes: [
        {
          op: "Loop",
          name: third,
          inputs: ["three", "", "x"],
          outputs: ["l", "each"],
          attributes: { body: { graph: body } },
        },
        call("l", "m"),
        call("m", "n"),
        {
          op: "ReduceSum",
          name: first,
          inputs: ["each", "zero axis"],
          outputs: ["total"],
          attributes: { keepdims: { int: 0 } },
        },
        { op: "Add", name: second, inputs: ["n", "total"], outputs: ["shape 0"] },
        { op: "Expand", name: third, inputs: ["shape 0", "sizes"], outputs: ["y"] },
      ],
    };
  }

  test("in loops, functions and guards", async () => {
    const named = (names: readonly string[], values: readonly string[]): TinyModel => {
      const made = model(names, values);
      const axis = { name: "zero axis", tensor: { data: BigInt64Array.of(0n), dims: [1] } };
      return { ...made, initializers: [...made.initializers!, axis] };
    };
    const expected = await outputOf(named(["", "", ""], ["p", "q"]));
    const values = fc.constantFrom(
      "p",
      "shape 0",
      "f_0/p",
      "f_1/p",
      "curvature/0",
      "curvature/1",
      "constant",
      "__proto__",
    );
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(hostile, hostile, hostile),
        fc.uniqueArray(values, { minLength: 2, maxLength: 2 }),
        async (names, inner) => {
          expect(distance(await outputOf(named(names, inner)), expected)).toBeLessThan(1e-12);
        },
      ),
      { numRuns: 25 },
    );
  });
});
