import { CurvatureError } from "../errors/index.ts";
import {
  integerTensor,
  type OnnxNode,
  type QuantizedType,
  replaceWeights,
  serializedTensor,
  valueNames,
  type WeightReplacement,
} from "../onnx/index.ts";
import { formatDims, sizeOf, type Vector } from "../tensors/index.ts";
import type { FileModel } from "./loadModel.ts";
import type { Model } from "./model.ts";
import { externalLocations, floatMessages, type PlacedMessage, placeOf, type StoredWeight } from "./storedWeights.ts";
import { checkedFileModel, checkModelPath, writeModelFile } from "./writeModelFile.ts";

/** A weight on uniform grids, or in float16, as `quantizeTensor` of `onnx-curvature/quantization` makes it. */
export interface QuantizedWeight {
  /** Name of the parameter. */
  readonly name: string;
  readonly dims: readonly number[];
  /** 2 to 8, or 16 for float16. */
  readonly bits: number;
  readonly scheme: "symmetric" | "asymmetric";
  /** Axis of the steps; absent for one step. */
  readonly axis?: number;
  /** The rounded numbers, row-major. */
  readonly values: Vector;
  /** `values = step * level`; empty for float16. */
  readonly levels: Int32Array;
  readonly steps: Float64Array;
  readonly zeroPoints: Int32Array;
}

/** A weight that `saveQuantizedModel` has written. */
export interface SavedQuantizedTensor {
  /** Name of the parameter. */
  readonly parameter: string;
  /** Name of the value in the file. */
  readonly tensor: string;
  readonly bits: number;
  /** Type of the stored numbers: int4 or uint4 up to four bits from opset 21 on, int8 or uint8 with fewer levels otherwise. */
  readonly storedAs: QuantizedType | "float16";
  /** Axis of the steps; absent for one step. */
  readonly axis?: number;
  /** Bytes of its numbers before. */
  readonly bytesBefore: number;
  /** Bytes of its numbers, steps and zero points in the file. */
  readonly bytes: number;
  /** Largest difference between a number given and the number that the file computes: that of rounding steps to float32. */
  readonly largestRounding: number;
}

/** A model file with quantized weights. */
export interface QuantizedModelFile {
  /** Contents of the .onnx file. */
  readonly bytes: Uint8Array;
  /** Contents of the external data files that it still refers to, by location. */
  readonly externalData: { readonly [location: string]: Uint8Array };
  readonly tensors: readonly SavedQuantizedTensor[];
}

/** The files that `saveQuantizedModel` has written. */
export interface SavedQuantizedModel {
  readonly path: string;
  /** Paths of the external data files written beside it. */
  readonly externalFiles: readonly string[];
  /** Bytes of the .onnx file. */
  readonly bytes: number;
  readonly tensors: readonly SavedQuantizedTensor[];
}

const NAME = "saveQuantizedModel";

/** The first version of ai.onnx that has something. */
const OPSETS = { dequantizer: 10, axis: 13, fourBits: 21 } as const;

const FLOAT16_BITS = 16;

/**
 * Writes the file of a model with quantized weights in QDQ format: each as integers, its steps and, for "asymmetric", its zero points, from which a
 * DequantizeLinear node computes the weight under its old name; for 16 bits as float16 and a Cast. All that reads the weight stays as it is, and all other
 * tensors and nodes are byte for byte those of the file. Activations stay floats.
 *
 * @throws CurvatureError "model" for a model that was not read from a file, "argument" for tensors that are not its parameters and places that
 *   would overwrite external data, "shape" for other dimensions, "unsupported" for operator sets below 10 (13 with an axis), weights of functions and
 *   subgraphs, and weights stored in sixteen bits; "file" where it cannot be written
 */
export async function saveQuantizedModel(
  model: Model,
  tensors: readonly QuantizedWeight[],
  path: string,
): Promise<SavedQuantizedModel> {
  checkModelPath(NAME, path);
  const file = await quantizedModelFile(model, tensors);
  const externalFiles = await writeModelFile({ ...file, caller: NAME, model, path, tensors: [] });
  return { path, externalFiles, bytes: file.bytes.length, tensors: file.tensors };
}

/**
 * The bytes that `saveQuantizedModel` writes, for programs without files, such as web pages.
 *
 * @throws CurvatureError as `saveQuantizedModel`
 */
export async function quantizedModelFile(
  model: Model,
  tensors: readonly QuantizedWeight[],
): Promise<QuantizedModelFile> {
  const file = checkedFileModel(NAME, model);
  const wanted = new Map(tensors.map((tensor) => [tensor.name, checkedTensor(file, tensor)]));
  const messages = floatMessages(file.source);
  const taken = new Set(valueNames(file.source.bytes));
  const replacements = new Map<string, WeightReplacement>();
  const saved: SavedQuantizedTensor[] = [];
  for (const weight of file.source.weights) {
    const tensor = wanted.get(weight.parameter);
    if (tensor === undefined) continue;
    const place = checkedPlace(await placeOf(weight, { messages, file: file.name, caller: NAME }), { weight, file });
    const own = weight.transposed ? transposed(tensor) : tensor;
    const { replacement, record } = replacementOf(own, { place, weight, opset: file.opset, taken });
    replacements.set(place.name, replacement);
    saved.push(record);
  }
  const bytes = replaceWeights(file.source.bytes, replacements);
  return { bytes, externalData: await remainingData(file, bytes), tensors: saved };
}

function checkedTensor({ parameters, name, opset }: FileModel, tensor: QuantizedWeight): QuantizedWeight {
  const { dims, values, axis, bits } = tensor;
  const parameter = parameters.find((each) => each.name === tensor.name);
  if (parameter === undefined) {
    const known = parameters.map((each) => each.name).slice(0, 10);
    throw new CurvatureError(
      "argument",
      `${name} has no parameter "${tensor.name}" to quantize; it has ${known.join(", ")}`,
    );
  }
  if (dims.join() !== parameter.dims.join() || values.length !== sizeOf(dims)) {
    throw new CurvatureError(
      "shape",
      `${NAME} expects "${tensor.name}" in dimensions ${formatDims(parameter.dims)}, got ${formatDims(dims)} with ${values.length} entries`,
    );
  }
  if (bits === FLOAT16_BITS) return tensor;
  const [least, what] =
    axis === undefined ? [OPSETS.dequantizer, "DequantizeLinear"] : [OPSETS.axis, "DequantizeLinear with an axis"];
  if (opset >= least) return tensor;
  throw new CurvatureError(
    "unsupported",
    `${name} uses opset ${opset}, but ${what} needs ${least}; convert it with onnx.version_converter.convert_version${axis === undefined ? "" : ", or quantize with one step a tensor"}`,
  );
}

function checkedPlace(
  place: PlacedMessage,
  { weight, file }: { readonly weight: StoredWeight; readonly file: FileModel },
): PlacedMessage {
  const refused = !place.isMain
    ? "it belongs to a function or a subgraph; inline functions (onnx.inliner.inline_local_functions), or leave it out"
    : place.storedAs === "float16" || place.storedAs === "bfloat16"
      ? `the file stores it in ${place.storedAs}; convert the model to float32, or leave it out`
      : undefined;
  if (refused === undefined) return place;
  throw new CurvatureError("unsupported", `${NAME} cannot quantize "${weight.parameter}" of ${file.name}: ${refused}`);
}

/** The tensor [columns, rows] of a tensor [rows, columns]. */
function transposed(tensor: QuantizedWeight): QuantizedWeight {
  const [rows, columns] = tensor.dims as readonly [number, number];
  const source = (k: number) => (k % rows) * columns + Math.floor(k / rows);
  const { values, levels, axis } = tensor;
  return {
    ...tensor,
    dims: [columns, rows],
    values: values.map((_, k) => values[source(k)]),
    levels: levels.map((_, k) => levels[source(k)]),
    ...(axis !== undefined && { axis: 1 - axis }),
  };
}

interface ReplacementRequest {
  readonly place: PlacedMessage;
  readonly weight: StoredWeight;
  readonly opset: number;
  /** Names that the file has; new ones are added. */
  readonly taken: Set<string>;
}

function replacementOf(
  tensor: QuantizedWeight,
  request: ReplacementRequest,
): { readonly replacement: WeightReplacement; readonly record: SavedQuantizedTensor } {
  const { place, weight, taken } = request;
  const { dims, bits, axis, values } = tensor;
  const named = (ending: string) => freshName(`${place.name}_${ending}`, taken);
  const record = { parameter: weight.parameter, tensor: place.name, bits };
  const bytesBefore = values.length * (place.storedAs === "float64" ? 8 : 4);
  if (bits === FLOAT16_BITS) {
    const stored = { data: Float32Array.from(values), dims };
    const name = named("float16");
    const replacement = {
      initializers: [serializedTensor(name, stored, { storedAs: "float16" })],
      nodes: [castNode(name, place)],
    };
    const bytes = 2 * values.length;
    return { replacement, record: { ...record, storedAs: "float16", bytesBefore, bytes, largestRounding: 0 } };
  }
  const storedAs = storedType(tensor, request.opset);
  const steps = Float32Array.from(tensor.steps, (step) => (step === 0 ? 1 : step));
  const names = { integers: named("quantized"), scale: named("scale"), zero: named("zero_point") };
  const replacement = dequantized(tensor, { names, steps, storedAs, place, taken });
  const zeroBytes = tensor.scheme === "asymmetric" ? packedBytes(steps.length, storedAs) : 0;
  return {
    replacement,
    record: {
      ...record,
      storedAs,
      ...(axis !== undefined && { axis }),
      bytesBefore,
      bytes: packedBytes(values.length, storedAs) + 4 * steps.length + zeroBytes,
      largestRounding: largestRounding(tensor, steps),
    },
  };
}

function storedType({ bits, scheme }: QuantizedWeight, opset: number): QuantizedType {
  const isSigned = scheme === "symmetric";
  if (bits <= 4 && opset >= OPSETS.fourBits) return isSigned ? "int4" : "uint4";
  return isSigned ? "int8" : "uint8";
}

function packedBytes(count: number, type: QuantizedType): number {
  return type === "int4" || type === "uint4" ? Math.ceil(count / 2) : count;
}

function dequantized(
  tensor: QuantizedWeight,
  {
    names,
    steps,
    storedAs,
    place,
    taken,
  }: {
    readonly names: { readonly integers: string; readonly scale: string; readonly zero: string };
    readonly steps: Float32Array;
    readonly storedAs: QuantizedType;
    readonly place: PlacedMessage;
    readonly taken: Set<string>;
  },
): WeightReplacement {
  const { dims, axis, levels, zeroPoints, scheme } = tensor;
  const inner = axis === undefined ? levels.length : sizeOf(dims.slice(axis + 1));
  const integers = levels.map(
    (level, i) => level + zeroPoints[axis === undefined ? 0 : Math.floor(i / inner) % dims[axis]],
  );
  const ofSteps = axis === undefined ? [] : [steps.length];
  const hasZero = scheme === "asymmetric";
  const isWide = place.storedAs === "float64";
  const result = isWide ? freshName(`${place.name}_float32`, taken) : place.name;
  const node: OnnxNode = {
    op: "DequantizeLinear",
    name: `${place.name}_dequantize`,
    inputs: [names.integers, names.scale, ...(hasZero ? [names.zero] : [])],
    outputs: [result],
    attributes: axis === undefined ? {} : { axis: { int: axis } },
  };
  return {
    initializers: [
      integerTensor(names.integers, { values: integers, dims, type: storedAs }),
      serializedTensor(names.scale, { data: steps, dims: ofSteps }),
      ...(hasZero ? [integerTensor(names.zero, { values: zeroPoints, dims: ofSteps, type: storedAs })] : []),
    ],
    nodes: isWide ? [node, castNode(result, place)] : [node],
  };
}

/** Number of the element types of weights in TensorProto.DataType. */
const TYPES = { float32: 1, float64: 11 } as const;

function castNode(input: string, { name, storedAs }: PlacedMessage): OnnxNode {
  const to = TYPES[storedAs as keyof typeof TYPES];
  return { op: "Cast", name: `${name}_cast`, inputs: [input], outputs: [name], attributes: { to: { int: to } } };
}

/** A name that the file does not have, noted as taken. */
function freshName(wanted: string, taken: Set<string>): string {
  let name = wanted;
  for (let i = 1; taken.has(name); i++) name = `${wanted}_${i}`;
  taken.add(name);
  return name;
}

/** Largest distance between the values and the products of float32 steps and levels. */
function largestRounding({ dims, axis, levels, values }: QuantizedWeight, steps: Float32Array): number {
  const inner = axis === undefined ? levels.length : sizeOf(dims.slice(axis + 1));
  let largest = 0;
  levels.forEach((level, i) => {
    const step = steps[axis === undefined ? 0 : Math.floor(i / inner) % dims[axis]];
    largest = Math.max(largest, Math.abs(Math.fround(step * level) - values[i]));
  });
  return largest;
}

/** Contents of the external data files that the new file refers to. */
async function remainingData({ source }: FileModel, bytes: Uint8Array): Promise<QuantizedModelFile["externalData"]> {
  const files: { [location: string]: Uint8Array } = {};
  for (const location of externalLocations({ bytes })) files[location] = (await source.readExternal(location)).slice();
  return files;
}
