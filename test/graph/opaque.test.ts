import { toBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { jvp, vectorize } from "../../src/autodiff/index.ts";
import { CurvatureError } from "../../src/errors/index.ts";
import { input, isOpaque, type NodeSpec, opaque, printGraph } from "../../src/graph/index.ts";
import { GraphProtoSchema } from "../../src/onnx/generated/onnx_pb.ts";
import { readModel, writeModel } from "../../src/onnx/index.ts";
import { add, cast, exp, mul, reduceMax } from "../../src/primitives/index.ts";
import { lower } from "../../src/runtime/index.ts";
import { evaluate, feed, floats } from "../primitives/evaluate.ts";

const spec = (node: Partial<NodeSpec> & Pick<NodeSpec, "op">): NodeSpec => ({
  domain: "",
  opset: 13,
  name: "",
  attributes: {},
  outputs: 1,
  absent: [],
  captures: [],
  ...node,
});

describe("an opaque node", () => {
  test("gives all its outputs, written once", async () => {
    const fed = feed({ x: floats([1, 5, 3, 2]), k: { data: BigInt64Array.of(2n), dims: [1] } });
    const { x, k } = fed.inputs;
    const node = spec({ op: "TopK", attributes: { axis: { int: -1 } }, outputs: 2 });
    const values = opaque([x, k], { node, output: 0, shape: [2], type: "float" });
    const indices = opaque([x, k], { node, output: 1, shape: [2], type: "int64" });
    expect(isOpaque(values) && !isOpaque(x)).toBe(true);
    for (const precision of ["float32", "float64"] as const) {
      expect(await evaluate({ twice: add(values, values), indices }, fed, precision)).toEqual({
        twice: [10, 6],
        indices: [1, 2],
      });
    }
    const { bytes } = lower({ inputs: fed.inputs, outputs: { values, indices } }, { precision: "float32" });
    const { model } = await readModel(bytes);
    expect(model.graph.node.filter(({ opType }) => opType === "TopK")).toHaveLength(1);
  });

  test("keeps absent inputs absent", async () => {
    const fed = feed({ x: floats([1, 5]), high: floats([3], []) });
    const node = spec({ op: "Clip", absent: [1] });
    const clipped = opaque([fed.inputs.x, fed.inputs.high], { node, output: 0, shape: [2], type: "float" });
    expect(await evaluate({ clipped }, fed)).toEqual({ clipped: [1, 3] });
  });

  test("computes in float32 also within a graph of float64, as its file says", async () => {
    const fed = feed({ x: floats([1 / 3]) });
    const node = spec({ op: "Softplus" });
    const value = opaque([exp(fed.inputs.x)], { node, output: 0, shape: [1], type: "float" });
    const { y } = await evaluate({ y: mul(value, value) }, fed);
    expect(y[0]).toBeCloseTo(Math.log1p(Math.exp(Math.exp(1 / 3))) ** 2, 5);
  });

  test("reads outer values from its subgraphs", async () => {
    const branch = async (op: string) => {
      const { model } = await readModel(
        writeModel({
          producer: "test",
          opsets: { "": 17 },
          graph: {
            name: op,
            nodes: [{ op, inputs: ["outer"], outputs: ["result"], attributes: {} }],
            inputs: [],
            outputs: [{ name: "result", dtype: "float32", dims: [2] }],
            initializers: [],
          },
        }),
      );
      return { graph: toBinary(GraphProtoSchema, model.graph) };
    };
    const attributes = { then_branch: await branch("Neg"), else_branch: await branch("Abs") };
    const node = spec({ op: "If", attributes, captures: ["outer"] });
    const fed = feed({ x: floats([1, -2]), which: { data: BigInt64Array.of(1n), dims: [] } });
    const condition = cast(fed.inputs.which, "bool");
    const value = opaque([condition, fed.inputs.x], { node, output: 0, shape: [2], type: "float" });
    expect(await evaluate({ value }, fed)).toEqual({ value: [-1, 2] });
    const other = { ...fed, feeds: { ...fed.feeds, which: { data: BigInt64Array.of(0n), dims: [] } } };
    expect(await evaluate({ value }, other)).toEqual({ value: [1, 2] });
  });

  test("raises the operator set of the graph to its own", async () => {
    const x = input("x", [2]);
    const value = opaque([x], { node: spec({ op: "Gelu", opset: 20 }), output: 0, shape: [2], type: "float" });
    const { bytes } = lower({ inputs: { x }, outputs: { value } }, { precision: "float32" });
    const versions = (await readModel(bytes)).model.opsetImport.map(({ domain, version }) => [domain, Number(version)]);
    expect(versions).toContainEqual(["", 20]);
    // Reductions changed their form with version 18.
    const fed = feed({ x: floats([1, 2]) });
    const gelu = opaque([fed.inputs.x], {
      node: spec({ op: "Gelu", opset: 20 }),
      output: 0,
      shape: [2],
      type: "float",
    });
    const { old, newer } = await evaluate({ old: reduceMax(fed.inputs.x), newer: reduceMax(gelu) }, fed);
    expect(old).toEqual([2]);
    expect(newer[0]).toBeCloseTo(1.9545, 4);
  });

  test("has no derivative and serves one value at a time", () => {
    const x = input("x", [2]);
    const result = { output: 0, shape: [2], type: "float" } as const;
    const named = opaque([x], { node: spec({ op: "Det", name: "/head/Det" }), ...result });
    const nameless = opaque([x], { node: spec({ op: "Det", domain: "custom" }), ...result });
    expect(() => jvp([named], [x], [x])).toThrow(
      new CurvatureError("unsupported", 'operator Det (node "/head/Det") has no derivative rule but is asked for one'),
    );
    expect(() => jvp([nameless], [x], [x])).toThrow("operator Det has no derivative rule but is asked for one");
    expect(() => vectorize([nameless], [x], { replacements: [input("X", [3, 2])], size: 3 })).toThrow(
      "custom.Det output 0 cannot be computed for several values at once",
    );
    expect(printGraph([nameless])).toContain("custom.Det output 0");
  });
});
