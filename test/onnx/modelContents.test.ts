import { create, fromBinary, type Message, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import {
  AttributeProto_AttributeType as AttributeType,
  FunctionProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
} from "../../src/onnx/generated/onnx_pb.ts";
import { modelContents, readModel, readNode, subgraphContents, writeModel } from "../../src/onnx/index.ts";
import type { AttributeValue } from "../../src/tensors/index.ts";
import { rejectionOf } from "./messageOf.ts";

type ModelInit = Exclude<MessageInitShape<typeof ModelProtoSchema>, Message>;
type GraphInit = NonNullable<ModelInit["graph"]>;

async function contentsOf(graph: GraphInit, rest: ModelInit = {}) {
  const model = { irVersion: 8n, opsetImport: [{ domain: "ai.onnx", version: 17n }], ...rest, graph };
  return modelContents(await readModel(toBinary(ModelProtoSchema, create(ModelProtoSchema, model))));
}

/** Attributes after writing and reading. */
async function again(attributes: Readonly<Record<string, AttributeValue>>) {
  const nodes = [{ op: "Any", domain: "test", inputs: ["a", "", "b"], outputs: ["", "c"], attributes }];
  const graph = { name: "g", nodes, inputs: [], outputs: [], initializers: [] };
  const bytes = writeModel({ opsets: { "": 17, test: 1 }, producer: "test", graph });
  return modelContents(await readModel(bytes)).graph.nodes[0]!;
}

const subgraph = toBinary(
  GraphProtoSchema,
  create(GraphProtoSchema, {
    name: "s",
    node: [{ opType: "Neg", input: ["outer"], output: ["y"] }],
    output: [{ name: "y" }],
  }),
);

describe("attributes", () => {
  test("every kind survives writing and reading", async () => {
    const attributes: Readonly<Record<string, AttributeValue>> = {
      int: { int: -3 },
      float: { float: 0.5 },
      string: { string: "\ufeffé" },
      ints: { ints: [1, -2, 2 ** 53, 2 ** 63, -(2 ** 63)] },
      noInts: { ints: [] },
      floats: { floats: [1, -0.25, Infinity] },
      strings: { strings: ["a", ""] },
      tensor: { tensor: { data: BigInt64Array.of(1n, 2n), dims: [2], dtype: "int64" } },
      half: { tensor: { data: Float32Array.of(1.5), dims: [] }, storedAs: "float16" },
      tensors: { tensors: [{ data: ["x"], dims: [1], dtype: "string" }] },
      graph: { graph: subgraph },
      graphs: { graphs: [subgraph, subgraph] },
      ["__proto__"]: { int: 1 },
    };
    const node = await again(attributes);
    expect(node.attributes).toEqual(attributes);
    expect([node.op, node.domain, node.inputs, node.outputs]).toEqual(["Any", "test", ["a", "", "b"], ["", "c"]]);
    expect(node.captures).toEqual(["outer"]);
  });

  test("INT64_MAX stays what it is", () => {
    const attribute = [{ name: "ends", type: AttributeType.INTS, ints: [2n ** 63n - 1n] }];
    const { attributes } = readNode(create(NodeProtoSchema, { opType: "Slice", attribute }));
    expect(attributes).toEqual({ ends: { ints: [2 ** 63] } });
    const graph = { name: "g", inputs: [], outputs: [], initializers: [] };
    const nodes = [{ op: "Slice", inputs: [], outputs: [], attributes }];
    const bytes = writeModel({ opsets: { "": 9 }, producer: "test", graph: { ...graph, nodes } });
    expect(fromBinary(ModelProtoSchema, bytes).graph!.node[0]!.attribute[0]!.ints).toEqual([2n ** 63n - 1n]);
  });

  test.each([
    ["int", { type: AttributeType.INT, i: 2n ** 53n + 1n }],
    ["ints", { type: AttributeType.INTS, ints: [2n ** 63n - 2n] }],
    ["text", { type: AttributeType.STRING, s: Uint8Array.of(0xff) }],
    ["texts", { type: AttributeType.STRINGS, strings: [Uint8Array.of(0xc0)] }],
    ["four bits", { type: AttributeType.TENSOR, t: { dataType: 22, dims: [2n], rawData: Uint8Array.of(1) } }],
    ["halves", { type: AttributeType.TENSORS, tensors: [{ dataType: 10, dims: [1n], rawData: Uint8Array.of(0, 1) }] }],
    ["type", { type: AttributeType.TYPE_PROTO, tp: {} }],
    ["sparse", { type: AttributeType.SPARSE_TENSOR, sparseTensor: { dims: [2n] } }],
  ])("what has no plain form is carried as it stands: %s", async (_, fields) => {
    const proto = create(NodeProtoSchema, { opType: "Any", attribute: [{ name: "a", ...fields }] });
    const { attributes } = readNode(proto);
    expect(Object.keys(attributes.a!)).toEqual(["opaque"]);
    expect((await again(attributes)).attributes).toEqual(attributes);
  });

  test("integers must be integers of 64 bits", async () => {
    expect(await rejectionOf(again({ axis: { int: 1.5 } }))).toBe(
      'argument: Attribute "axis" must be an integer of 64 bits, but is 1.5.',
    );
    expect(await rejectionOf(again({ axes: { ints: [2 ** 64] } }))).toMatch(/"axes" must be an integer of 64 bits/);
  });
});

describe("graphs", () => {
  test("captures are what subgraphs use and do not define, at any depth", async () => {
    const inner: GraphInit = {
      node: [{ opType: "Add", input: ["outermost", "loopInput"], output: ["z"] }],
      output: [{ name: "z" }, { name: "passedThrough" }],
    };
    const body: GraphInit = {
      input: [{ name: "loopInput" }],
      initializer: [{ name: "constant", dataType: 1, dims: [0n] }],
      sparseInitializer: [{ values: { name: "sparse" } }],
      node: [
        { opType: "Add", input: ["loopInput", "", "constant"], output: ["t"] },
        { opType: "If", input: ["t", "sparse"], output: ["u"], attribute: [{ name: "then_branch", g: inner }] },
      ],
      output: [{ name: "u" }],
    };
    const after: GraphInit = { input: [{ name: "given" }], output: [{ name: "n" }] };
    const attribute = [
      { name: "body", type: AttributeType.GRAPH, g: body },
      { name: "after", type: AttributeType.GRAPH, g: after },
    ];
    const { graph } = await contentsOf({ node: [{ opType: "Loop", input: ["n"], output: ["y"], attribute }] });
    expect(graph.nodes[0]!.captures).toEqual(["outermost", "passedThrough", "n"]);
    const read = subgraphContents((graph.nodes[0]!.attributes.after as { graph: Uint8Array }).graph);
    expect(read.inputs.map(({ name }) => name)).toEqual(["given"]);
  });

  test("types, symbolic and unknown sizes, and inputs with a default", async () => {
    const shape = { dim: [{ value: { case: "dimValue" as const, value: 3n } }, dimParam("n"), {}] };
    const unknown = { dim: [{ value: { case: "dimValue" as const, value: -1n } }, dimParam("")] };
    const { graph } = await contentsOf({
      input: [
        { name: "a", type: { value: { case: "tensorType", value: { elemType: 1, shape } } } },
        { name: "b", type: { value: { case: "tensorType", value: { elemType: 22, shape: unknown } } } },
        { name: "c", type: { value: { case: "tensorType", value: { elemType: 7 } } } },
        { name: "d", type: { value: { case: "sequenceType", value: {} } } },
        { name: "w", type: { value: { case: "tensorType", value: { elemType: 1 } } } },
      ],
      initializer: [{ name: "w", dataType: 1, dims: [1n], floatData: [4] }],
      valueInfo: [{ name: "e" }],
    });
    expect(graph.inputs).toEqual([
      { name: "a", dtype: "float32", dims: [3, "n", null] },
      { name: "b", dtype: "int4", dims: [null, null] },
      { name: "c", dtype: "int64", dims: null },
      { name: "d", dtype: null, dims: null },
    ]);
    expect(graph.valueInfo).toEqual([{ name: "e", dtype: null, dims: null }]);
    expect(graph.initializers).toMatchObject([{ name: "w", dtype: "float32", dims: [1], external: false }]);
  });

  test("sizes survive writing", async () => {
    const inputs = [
      { name: "a", dtype: "bfloat16", dims: [0, "n", null] },
      { name: "b", dtype: "float32", dims: [] },
      { name: "c", dtype: "string", dims: null },
      { name: "d", dtype: null, dims: null },
    ] as const;
    const graph = { name: "g", nodes: [], inputs, outputs: inputs, initializers: [] };
    const { graph: read } = modelContents(await readModel(writeModel({ opsets: { "": 17 }, producer: "test", graph })));
    expect([read.inputs, read.outputs]).toEqual([inputs, inputs]);
  });

  test("metadata of the model, the graph and its nodes", async () => {
    const metadataProps = [{ key: "k", value: "v" }];
    const { metadata, graph, producer, opsets } = await contentsOf(
      { metadataProps, node: [{ opType: "Relu", domain: "ai.onnx", metadataProps }] },
      { metadataProps, producerName: "maker", producerVersion: "2" },
    );
    expect([metadata, graph.metadata, graph.nodes[0]!.metadata]).toEqual([{ k: "v" }, { k: "v" }, { k: "v" }]);
    expect([producer, opsets, graph.nodes[0]!.domain]).toEqual(["maker 2", { "": 17 }, ""]);
  });

  test("local functions, and attributes that refer to those of the function", async () => {
    const functions = [
      {
        name: "Scaled",
        domain: "local",
        overload: "1",
        input: ["x"],
        output: ["y"],
        attribute: ["scale"],
        attributeProto: [{ name: "axis", type: AttributeType.INT, i: 1n }],
        opsetImport: [{ domain: "ai.onnx", version: 17n }],
        node: [
          { opType: "LeakyRelu", attribute: [{ name: "alpha", refAttrName: "scale", type: AttributeType.FLOAT }] },
        ],
      },
    ];
    const contents = await contentsOf({}, { functions });
    const { nodes, bytes, ...rest } = contents.functions[0]!;
    expect(rest).toEqual({
      name: "Scaled",
      domain: "local",
      overload: "1",
      inputs: ["x"],
      outputs: ["y"],
      attributes: ["scale"],
      defaults: { axis: { int: 1 } },
      opsets: { "": 17 },
    });
    expect([nodes[0]!.attributes, nodes[0]!.references]).toEqual([{}, { alpha: "scale" }]);
    expect(fromBinary(FunctionProtoSchema, bytes).name).toBe("Scaled");
    const graph = { name: "g", nodes: [], inputs: [], outputs: [], initializers: [] };
    const written = writeModel({ opsets: { "": 17 }, producer: "test", graph, functions: [bytes] });
    expect(modelContents(await readModel(written)).functions).toEqual(contents.functions);
  });

  test("refuses sparse initializers and names that are missing or doubled", async () => {
    expect(await rejectionOf(contentsOf({ sparseInitializer: [{ values: { name: "w" } }] }))).toBe(
      'unsupported: Initializer "w" is sparse, which is not read; store it as a dense tensor.',
    );
    const tensor = { name: "w", dataType: 1, dims: [0n] };
    const doubled = /^file: Graph "g" has initializers without a name of their own; export it again\.$/;
    expect(await rejectionOf(contentsOf({ name: "g", initializer: [tensor, tensor] }))).toMatch(doubled);
    expect(await rejectionOf(contentsOf({ name: "g", initializer: [{ ...tensor, name: "" }] }))).toMatch(doubled);
  });
});

function dimParam(value: string) {
  return { value: { case: "dimParam" as const, value } };
}
