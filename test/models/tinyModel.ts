import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  AttributeProtoSchema,
  FunctionProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
} from "../../src/onnx/generated/onnx_pb.ts";
import {
  type Initializer,
  type ModelDescription,
  type OnnxNode,
  type ValueInfo,
  writeModel,
} from "../../src/onnx/index.ts";

/** A small model: nodes with defaults for what does not matter. */
export interface TinyModel {
  readonly nodes: readonly (Pick<OnnxNode, "op" | "inputs" | "outputs"> & Partial<OnnxNode>)[];
  readonly inputs?: readonly ValueInfo[];
  readonly outputs?: readonly string[];
  readonly weights?: { readonly [name: string]: readonly [values: readonly number[], dims: readonly number[]] };
  readonly initializers?: readonly Initializer[];
  readonly opsets?: Readonly<Record<string, number>>;
  readonly functions?: readonly Uint8Array[];
  readonly producer?: string;
}

/** A model's bytes; by default x `[n, 2]` and y. */
export function tinyModel(model: TinyModel): Uint8Array {
  return writeModel(described(model));
}

function described({
  nodes,
  inputs = [{ name: "x", dtype: "float32", dims: ["n", 2] }],
  outputs = ["y"],
  weights = {},
  initializers = [],
  opsets = { "": 17 },
  functions = [],
  producer = "test",
}: TinyModel): ModelDescription {
  return {
    opsets,
    functions,
    producer,
    graph: {
      name: "tiny",
      nodes: nodes.map((node) => ({ attributes: {}, ...node })),
      inputs,
      outputs: outputs.map((name) => ({ name, dtype: null, dims: null })),
      initializers: [
        ...Object.entries(weights).map(([name, [values, dims]]) => ({
          name,
          tensor: { data: Float32Array.from(values), dims },
        })),
        ...initializers,
      ],
    },
  };
}

/** A serialized GraphProto, as attributes hold them: a branch of an If. Outputs have no type of their own. */
export function subgraph(model: TinyModel): Uint8Array {
  return toBinary(GraphProtoSchema, graphOf(model));
}

function graphOf(model: TinyModel): GraphProto {
  return fromBinary(ModelProtoSchema, tinyModel({ inputs: [], ...model })).graph!;
}

/** A serialized FunctionProto. `references` of a node take the values of the function's attributes. */
export function localFunction({
  name,
  inputs,
  outputs,
  nodes,
  attributes = [],
  references = {},
  opsets = { "": 17 },
  domain = "local",
}: {
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly nodes: TinyModel["nodes"];
  readonly attributes?: readonly string[];
  /** By position of the node: attributes of the node, with those of the function that give their values. */
  readonly references?: { readonly [node: number]: Readonly<Record<string, string>> };
  readonly opsets?: Readonly<Record<string, number>>;
  readonly domain?: string;
}): Uint8Array {
  const node = graphOf({ nodes, outputs: [] }).node.map((each, i) =>
    create(NodeProtoSchema, {
      ...each,
      attribute: [
        ...each.attribute,
        ...Object.entries(references[i] ?? {}).map(([own, refAttrName]) =>
          create(AttributeProtoSchema, { name: own, refAttrName, type: 1 }),
        ),
      ],
    }),
  );
  return toBinary(
    FunctionProtoSchema,
    create(FunctionProtoSchema, {
      name,
      domain,
      input: [...inputs],
      output: [...outputs],
      attribute: [...attributes],
      node,
      opsetImport: Object.entries(opsets).map(([key, version]) => ({ domain: key, version: BigInt(version) })),
    }),
  );
}
