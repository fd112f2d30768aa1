import { fromBinary } from "@bufbuild/protobuf";
import { folderOf, pathOfUrl, readPath } from "#files";
import { CurvatureError } from "../errors/index.ts";
import { fetchBytes, type ReadLimits, type ReadOptions, readLimits, shownAddress } from "../files/index.ts";
import { contentKind } from "./contentKind.ts";
import {
  checkExternalSize,
  type ExternalFiles,
  externalBytes,
  fromFiles,
  fromFolder,
  fromNowhere,
  fromUrl,
  isExternal,
  type ReadExternal,
} from "./externalData.ts";
import {
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  type TensorProto,
  TensorProto_DataLocation,
} from "./generated/onnx_pb.ts";

/** ModelProto with a graph. */
export type ModelWithGraph = ModelProto & { readonly graph: GraphProto };

/** A parsed .onnx file, with a reader for weights in other files. */
export interface LoadedModel {
  readonly model: ModelWithGraph;
  /** The contents of the file. */
  readonly bytes: Uint8Array;
  /** Path or URL of the file, for messages. */
  readonly file: string;
  readonly readExternal: ReadExternal;
}

/** Versions that ONNX Runtime 1.30 supports, from the oldest operator set that this library reads. */
const supported = { irVersion: 13, opset: { from: 7, to: 26 } };

/**
 * Model from a path, a file: or http(s) URL, or the bytes of a .onnx file, which must not change while the model is used.
 *
 * External data are searched in `externalData` first, which maps locations to bytes, then in the file's folder. Data of attributes and
 * subgraphs are read immediately, data of the graph's initializers on request. Throws "file" for a file that is missing, empty, truncated
 * or not an ONNX model, for versions of the format that ONNX Runtime does not support, and for a file or external data beyond the memory
 * limit.
 */
export async function readModel(
  source: string | URL | Uint8Array,
  { externalData = {}, ...options }: ReadOptions & { readonly externalData?: ExternalFiles } = {},
): Promise<LoadedModel> {
  const limits = readLimits(options);
  const { bytes, file, beside } = await open(source, limits);
  const model = parse(bytes, file);
  checkVersions(model, file);
  checkExternalSize(allTensors(model), { file, memoryLimit: limits.memoryLimit });
  const readExternal = fromFiles(externalData, beside);
  for (const tensor of innerTensors(model)) {
    if (isExternal(tensor)) await makeInternal(tensor, readExternal);
  }
  return { model, bytes, file, readExternal };
}

interface Opened {
  readonly bytes: Uint8Array;
  readonly file: string;
  readonly beside: ReadExternal;
}

/** Strings that begin like this are URLs; all others are paths. */
const addressScheme = /^(https?|file|blob|data):/i;

async function open(source: string | URL | Uint8Array, limits: ReadLimits): Promise<Opened> {
  if (source instanceof Uint8Array) return { bytes: plain(source), file: "The given model", beside: fromNowhere };
  if (typeof source !== "string" && !(source instanceof URL)) {
    const got = source === null ? "null" : typeof source;
    throw new CurvatureError("argument", `expected a model as a path, a URL or the bytes of a .onnx file, got ${got}`);
  }
  const url = typeof source !== "string" ? source : addressScheme.test(source) ? parseUrl(source) : undefined;
  if (url !== undefined && url.protocol !== "file:") {
    const bytes = await fetchBytes(url, { ...limits, what: "Model" });
    return {
      bytes,
      file: shownAddress(url),
      beside: /^https?:/.test(url.protocol) ? fromUrl(url, limits) : fromNowhere,
    };
  }
  const path = url === undefined ? String(source) : pathOf(url);
  const bytes = await readPath(path, { ...limits, largest: LARGEST }).catch((cause: NodeJS.ErrnoException) => {
    if (cause instanceof CurvatureError) throw cause;
    throw new CurvatureError("file", `${path}: ${reason(cause.code)}.`, { cause });
  });
  return { bytes: plain(bytes), file: path, beside: fromFolder(folderOf(path)) };
}

/** Largest size in bytes of a protobuf message. */
const LARGEST = 2 ** 31;

function parseUrl(address: string): URL {
  if (URL.canParse(address)) return new URL(address);
  throw badAddress(address);
}

function pathOf(url: URL): string {
  try {
    return pathOfUrl(url);
  } catch (cause) {
    throw badAddress(url.href, cause);
  }
}

function badAddress(address: string, cause?: unknown): CurvatureError {
  const message = `${shownAddress(address)}: no valid address; expected a path, a file: URL or an http(s) URL.`;
  return new CurvatureError("file", message, { cause });
}

function reason(code: string | undefined): string {
  if (code === "ENOENT") return "no such file; check the path of the model";
  if (code === "EISDIR") return "this is a folder; give the path of the .onnx file in it";
  if (code === "ERR_FS_FILE_TOO_LARGE")
    return "larger than 2 GiB, which no .onnx file is; its weights belong in external data";
  return `cannot be read (${code})`;
}

/** The bytes as a plain Uint8Array: the `slice` of Node's Buffer does not copy. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function parse(bytes: Uint8Array, file: string): ModelWithGraph {
  if (bytes.byteLength === 0) throw new CurvatureError("file", `${file}: empty file, expected an ONNX model.`);
  const kind = contentKind(bytes);
  let model: ModelProto;
  try {
    model = fromBinary(ModelProtoSchema, bytes);
  } catch (cause) {
    // The limit of every protobuf reader, including ONNX Runtime's.
    if (kind === undefined && /recursion depth|nested too deep/.test(String(cause))) {
      throw new CurvatureError(
        "file",
        `${file}: subgraphs are nested more than 33 deep, which ONNX Runtime does not read either; export the model without such nesting.`,
        { cause },
      );
    }
    const what = kind ?? `truncated or damaged (${cause instanceof Error ? cause.message : cause}), get it again`;
    throw new CurvatureError("file", `${file}: expected an ONNX model, but this is ${what}.`, { cause });
  }
  if (hasGraph(model)) return model;
  const what = kind ?? "something without a graph; it may be truncated, or another kind of file";
  throw new CurvatureError("file", `${file}: expected an ONNX model, but this is ${what}.`);
}

function hasGraph(model: ModelProto): model is ModelWithGraph {
  return model.graph !== undefined;
}

function checkVersions({ irVersion, opsetImport }: ModelProto, file: string): void {
  if (irVersion > supported.irVersion) {
    throw new CurvatureError(
      "file",
      `${file}: has IR version ${irVersion}, but ONNX Runtime takes at most ${supported.irVersion}; export it with an older onnx.`,
    );
  }
  if (opsetImport.length === 0 || irVersion < 1) {
    const missing = irVersion < 1 ? "IR version" : "operator set";
    throw new CurvatureError("file", `${file}: names no ${missing}; the file is truncated or was never complete.`);
  }
  for (const { domain, version } of opsetImport) {
    if (domain !== "" && domain !== "ai.onnx") continue;
    const { from, to } = supported.opset;
    if (version >= from && version <= to) continue;
    const advice = "convert it with onnx.version_converter.convert_version";
    throw new CurvatureError("file", `${file}: uses opset ${version}, but ${from} to ${to} can be read; ${advice}.`);
  }
}

/** All tensors of a file that may have data in other files. */
function* allTensors(model: ModelWithGraph): Generator<TensorProto> {
  yield* model.graph.initializer;
  yield* innerTensors(model);
}

/** Tensors of attributes and of subgraphs, also inside local functions: all except the initializers of the main graph. */
function* innerTensors({ graph, functions }: ModelWithGraph): Generator<TensorProto> {
  yield* tensorsOfNodes(graph.node);
  for (const each of functions) yield* tensorsOfNodes(each.node);
}

function* tensorsOfNodes(nodes: readonly NodeProto[]): Generator<TensorProto> {
  for (const { attribute } of nodes) {
    for (const { t, tensors, g, graphs } of attribute) {
      if (t !== undefined) yield t;
      yield* tensors;
      if (g !== undefined) yield* tensorsOfGraph(g);
      for (const each of graphs) yield* tensorsOfGraph(each);
    }
  }
}

function* tensorsOfGraph({ initializer, node }: GraphProto): Generator<TensorProto> {
  yield* initializer;
  yield* tensorsOfNodes(node);
}

async function makeInternal(tensor: TensorProto, readExternal: ReadExternal): Promise<void> {
  tensor.rawData = new Uint8Array(await externalBytes(tensor, readExternal));
  tensor.dataLocation = TensorProto_DataLocation.DEFAULT;
  tensor.externalData = [];
}
