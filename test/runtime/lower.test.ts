import { expect, test } from "vitest";
import { input } from "../../src/graph/index.ts";
import { readModel } from "../../src/onnx/index.ts";
import { add, exp, matmul, mul, sin, swapLastAxes } from "../../src/primitives/index.ts";
import { type LowerOptions, lower, type NamedGraph } from "../../src/runtime/index.ts";
import { openSession } from "../../src/runtime/node.ts";

const x = input("x", [2, 3, 4]);
const w = input("w", [2, 3, 4]);
const unused = input("unused", [5]);
const graph: NamedGraph = {
  inputs: { x, w, unused },
  outputs: { product: matmul(swapLastAxes(x), w), twice: add(sin(exp(x)), sin(exp(x))) },
};

async function contents(options: LowerOptions, lowered = graph) {
  const { bytes, inputs } = lower(lowered, options);
  const { model } = await readModel(bytes);
  const { node, input: declared, output, initializer } = model.graph;
  return {
    read: inputs,
    operators: node.map(({ opType, domain }) => (domain === "" ? opType : `${domain}.${opType}`)),
    inputs: declared.map(({ name }) => name),
    outputs: output.map(({ name }) => name),
    initializers: initializer.map(({ name }) => name),
    domains: model.opsetImport.map(({ domain, version }) => `${domain}:${version}`),
    metadata: Object.fromEntries(model.metadataProps.map(({ key, value }) => [key, value])),
  };
}

test("a graph is written with what its outputs need, each thing once", async () => {
  const { operators, inputs, outputs, read } = await contents({ precision: "float32" });
  expect(operators.toSorted()).toEqual(["Exp", "Mul", "Sin", "com.microsoft.FusedMatMul"].toSorted());
  expect(inputs).toEqual(["x", "w"]);
  expect(read).toEqual(["x", "w"]);
  expect(outputs).toEqual(["product", "twice"]);
});

test("a portable graph has standard operators and all its inputs", async () => {
  const { operators, inputs, domains } = await contents({ precision: "float32", portable: true });
  expect(operators).toContain("MatMul");
  expect(operators.filter((operator) => operator.includes("."))).toEqual([]);
  expect(inputs).toEqual(["x", "w", "unused"]);
  expect(domains).toEqual([":17"]);
});

test("inputs become initializers where data are given", async () => {
  const data = Float64Array.from({ length: 24 }, (_, i) => i);
  const options = {
    precision: "float32",
    initializers: { w: { data, dims: [2, 3, 4] } },
    metadata: { author: "test" },
  } as const;
  const { inputs, initializers, read, metadata } = await contents(options);
  expect([inputs, read]).toEqual([["x"], ["x"]]);
  expect(initializers).toContain("w");
  expect(metadata).toEqual({ author: "test" });
  const small: NamedGraph = { inputs: { x, w }, outputs: { out: mul(x, w) } };
  const session = await openSession(lower(small, options).bytes, { optimization: "basic", threads: 1 });
  const { out } = await session.run({ x: { data: new Float32Array(24).fill(2), dims: [2, 3, 4] } }, ["out"]);
  await session.release();
  expect(out.data).toEqual(Float32Array.from(data, (number) => 2 * number));
});
