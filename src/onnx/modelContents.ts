import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { CurvatureError } from "../errors/index.ts";
import type { AttributeValue, Tensor } from "../tensors/index.ts";
import { fromAttributeProto } from "./attributeProto.ts";
import { type ElementType, elementTypeOf } from "./elementType.ts";
import { fromNowhere, isExternal, loadTensor, type ReadExternal } from "./externalData.ts";
import {
  type FunctionProto,
  FunctionProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  type OperatorSetIdProto,
  type TensorProto,
  type TensorShapeProto_Dimension,
  type ValueInfoProto,
} from "./generated/onnx_pb.ts";
import type { ValueInfo } from "./model.ts";
import type { LoadedModel } from "./readModel.ts";
import { type FileNode, plainDomain, readMetadata, readNode } from "./readNode.ts";
import { checkAxes, tensorHeader } from "./tensorProto.ts";

/** A named constant tensor of a file, read on request. */
export interface FileInitializer {
  readonly name: string;
  readonly dims: readonly number[];
  /** Element type in the file; float16 and bfloat16 become float32 when loaded. */
  readonly dtype: ElementType;
  /** Whether the data are in another file. */
  readonly external: boolean;
  /** Loads the tensor, which may be a view of the bytes of the model. Throws as `fromTensorProto` and `loadTensor` do. */
  load(): Promise<Tensor>;
}

/** A graph of a file in plain values. */
export interface FileGraph {
  readonly name: string;
  /** The inputs that must be fed. A name that is also an initializer (a default value, or a weight in IR 3) is listed only there. */
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  /** Types that the exporter recorded for intermediate values. */
  readonly valueInfo: readonly ValueInfo[];
  /** The exporter's metadata on values, including constants, by name; only values with metadata. */
  readonly valueMetadata: ReadonlyMap<string, Readonly<Record<string, string>>>;
  readonly initializers: readonly FileInitializer[];
  readonly nodes: readonly FileNode[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** A local function: an operator that a file defines by nodes. */
export interface FileFunction {
  readonly domain: string;
  readonly name: string;
  readonly overload: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Required attributes of a call. */
  readonly attributes: readonly string[];
  /** Optional attributes of a call, with their default values. */
  readonly defaults: Readonly<Record<string, AttributeValue>>;
  readonly opsets: Readonly<Record<string, number>>;
  readonly nodes: readonly FileNode[];
  /** The serialized FunctionProto. */
  readonly bytes: Uint8Array;
}

/** A model file in plain values. */
export interface ModelContents {
  readonly irVersion: number;
  readonly producer: string;
  /** Version of each operator set by domain; "" is ai.onnx. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly graph: FileGraph;
  readonly functions: readonly FileFunction[];
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * The contents of a model file in plain values. Throws "file" for damaged tensors and for missing or duplicate names, "unsupported" for
 * sparse initializers.
 */
export function modelContents({ model, readExternal }: LoadedModel): ModelContents {
  return {
    irVersion: Number(model.irVersion),
    producer: `${model.producerName} ${model.producerVersion}`.trim(),
    opsets: readOpsets(model.opsetImport),
    graph: readGraph(model.graph, readExternal),
    functions: model.functions.map(readFunction),
    metadata: readMetadata(model.metadataProps),
  };
}

/** Graph of a serialized GraphProto: the branch of an If, the body of a loop. Throws as `modelContents` does. */
export function subgraphContents(bytes: Uint8Array): FileGraph {
  return readGraph(fromBinary(GraphProtoSchema, bytes), fromNowhere);
}

function readGraph(graph: GraphProto, readExternal: ReadExternal): FileGraph {
  for (const { values } of graph.sparseInitializer) {
    throw new CurvatureError(
      "unsupported",
      `Initializer "${values?.name ?? ""}" is sparse, which is not read; store it as a dense tensor.`,
    );
  }
  const initializers = new Map(graph.initializer.map((proto) => [proto.name, readInitializer(proto, readExternal)]));
  if (initializers.size < graph.initializer.length || initializers.has("")) {
    throw new CurvatureError(
      "file",
      `Graph "${graph.name}" has initializers without a name of their own; export it again.`,
    );
  }
  return {
    name: graph.name,
    inputs: graph.input.filter(({ name }) => !initializers.has(name)).map(readValueInfo),
    outputs: graph.output.map(readValueInfo),
    valueInfo: graph.valueInfo.map(readValueInfo),
    valueMetadata: new Map(
      graph.valueInfo
        .filter(({ metadataProps }) => metadataProps.length > 0)
        .map(({ name, metadataProps }) => [name, readMetadata(metadataProps)]),
    ),
    initializers: [...initializers.values()],
    nodes: graph.node.map(readNode),
    metadata: readMetadata(graph.metadataProps),
  };
}

function readInitializer(proto: TensorProto, readExternal: ReadExternal): FileInitializer {
  return {
    ...tensorHeader(proto),
    external: isExternal(proto),
    load: async () => (await loadTensor(proto, readExternal)).tensor,
  };
}

function readFunction(proto: FunctionProto): FileFunction {
  return {
    domain: plainDomain(proto.domain),
    name: proto.name,
    overload: proto.overload,
    inputs: proto.input,
    outputs: proto.output,
    attributes: proto.attribute,
    defaults: Object.fromEntries(proto.attributeProto.map((each) => [each.name, fromAttributeProto(each)])),
    opsets: readOpsets(proto.opsetImport),
    nodes: proto.node.map(readNode),
    bytes: toBinary(FunctionProtoSchema, proto),
  };
}

function readOpsets(imports: readonly OperatorSetIdProto[]): Readonly<Record<string, number>> {
  return Object.fromEntries(imports.map(({ domain, version }) => [plainDomain(domain), Number(version)]));
}

function readValueInfo({ name, type }: ValueInfoProto): ValueInfo {
  if (type?.value.case !== "tensorType") return { name, dtype: null, dims: null };
  const { elemType, shape } = type.value.value;
  checkAxes(`Value "${name}"`, shape?.dim.length ?? 0);
  return { name, dtype: elementTypeOf(elemType) ?? null, dims: shape?.dim.map(readDimension) ?? null };
}

/** A size, a symbolic size, or null. Some old exporters wrote negative sizes for unknown ones. */
function readDimension({ value }: TensorShapeProto_Dimension): number | string | null {
  if (value.case === "dimValue") return value.value < 0 ? null : Number(value.value);
  return value.case === "dimParam" && value.value !== "" ? value.value : null;
}
