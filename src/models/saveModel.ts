import { CurvatureError, checkObject } from "../errors/index.ts";
import { visitTensors } from "../onnx/index.ts";
import { dtypeOf, formatDims, sizeOf, type Tensor, type Vector } from "../tensors/index.ts";
import type { FileModel } from "./loadModel.ts";
import type { Model } from "./model.ts";
import {
  externalLocations,
  floatMessages,
  type ModelSource,
  type PlacedMessage,
  placeOf,
  type StoredWeight,
} from "./storedWeights.ts";
import { checkedFileModel, checkModelPath, writeModelFile } from "./writeModelFile.ts";

/** A tensor that `saveModel` has written. */
export interface SavedTensor {
  /** Name of the parameter. */
  readonly parameter: string;
  /** Name in the file: of an initializer, or of a Constant node's result. */
  readonly tensor: string;
  /** Type in the file, to which the new numbers are rounded. */
  readonly storedAs: "float32" | "float64" | "float16" | "bfloat16";
  /** Number of entries that differ from those of the file before. */
  readonly changed: number;
  /** Largest absolute difference between a number given and the number stored: the error of rounding to the file's type. */
  readonly largestRounding: number;
  /** Location of the external data file that has the numbers; absent where they are in the .onnx file. */
  readonly location?: string;
}

/** A model file with new weights. */
export interface ModelFile {
  /** Contents of the .onnx file. */
  readonly bytes: Uint8Array;
  /** Contents of the external data files, all that the file refers to, by location; empty where it has none. */
  readonly externalData: { readonly [location: string]: Uint8Array };
  readonly tensors: readonly SavedTensor[];
}

/** Result of `saveModel`. */
export interface SavedModel {
  readonly path: string;
  /** Paths of the external data files written beside it. */
  readonly externalFiles: readonly string[];
  readonly tensors: readonly SavedTensor[];
}

/** New weights: a flat vector of all parameters of the model, or tensors by parameter name. */
export type NewWeights = Vector | { readonly [name: string]: Tensor };

/**
 * Writes the file of a model again with other weights: `theta` flat in the order of `model.parameters` [all of their entries], or tensors of some
 * parameters by name, as `risk.split(theta)` gives for a risk of chosen parameters. Only the numbers of these tensors are replaced, wherever the
 * file keeps them (initializers, Constant nodes, subgraphs, functions, external data; with `ties: "restore"` also in the copies of a weight);
 * all other bytes are those of the file. Numbers are rounded to the type that the file stores, with the largest rounding error in the result.
 * The files are written whole or not at all; external data keep their locations, so they go beside `path` under the same names.
 *
 * @throws CurvatureError "model" for a model that was not read from a file, "argument" for names that it does not have, numbers that are not
 *   finite in the file's type, and a folder whose external data would be overwritten, "shape" for another length or other dimensions,
 *   "unsupported" for a weight that the file does not store as floats, "file" where it cannot be written
 */
export async function saveModel(model: Model, theta: NewWeights, path: string): Promise<SavedModel> {
  checkModelPath("saveModel", path);
  const { bytes, externalData, tensors } = await modelFile(model, theta);
  const externalFiles = await writeModelFile({ caller: "saveModel", model, path, bytes, externalData, tensors });
  return { path, externalFiles, tensors };
}

/**
 * The bytes that `saveModel` writes, for programs without files, such as web pages.
 *
 * @throws CurvatureError as `saveModel`
 */
export async function modelFile(model: Model, theta: NewWeights): Promise<ModelFile> {
  const file = checkedFileModel("saveModel", model);
  const wanted = newValues(file, theta);
  const messages = floatMessages(file.source);
  const changes = new Map<number, Change>();
  for (const weight of file.source.weights) {
    const values = wanted.get(weight.parameter);
    if (values === undefined) continue;
    const place = await placeOf(weight, { messages, file: file.name });
    const change = changeOf(place, { weight, values: weight.transposed ? transposed(values, weight.dims) : values });
    checkOnce(changes.get(place.position), change, file.name);
    changes.set(place.position, change);
  }
  let position = 0;
  const bytes = visitTensors(file.source.bytes, () => {
    const change = changes.get(position++);
    const { place, values, saved } = change ?? {};
    return saved === undefined || saved.changed === 0 || place!.external ? undefined : place!.replace(values!);
  });
  const externalData = await externalFiles(file.source, [...changes.values()]);
  return { bytes, externalData, tensors: [...changes.values()].map(({ saved }) => saved) };
}

/** The new numbers of parameters, by name. */
function newValues(model: FileModel, theta: NewWeights): ReadonlyMap<string, Vector> {
  const { parameters, name } = model;
  if (ArrayBuffer.isView(theta)) return cutVector(model, theta as Vector);
  checkObject(theta, "saveModel expects theta as a flat vector or as tensors by parameter name");
  const tensors = Object.entries(theta as { readonly [name: string]: Tensor });
  return new Map(
    tensors.map(([key, tensor]) => {
      const parameter = parameters.find((each) => each.name === key);
      if (parameter === undefined) {
        const known = parameters.map((each) => each.name).slice(0, 10);
        throw new CurvatureError("argument", `${name} has no parameter "${key}" to save; it has ${known.join(", ")}`);
      }
      const { data, dims } = tensor;
      if (dims.join() !== parameter.dims.join() || data.length !== sizeOf(dims) || !isFloat(tensor)) {
        throw new CurvatureError(
          "shape",
          `saveModel expects "${key}" as floats of dimensions ${formatDims(parameter.dims)}, got ${dtypeOf(tensor)} of ${formatDims(dims)} with ${data.length} entries`,
        );
      }
      return [key, data as Vector];
    }),
  );
}

function isFloat(tensor: Tensor): boolean {
  return dtypeOf(tensor) === "float32" || dtypeOf(tensor) === "float64";
}

function cutVector({ parameters, name }: FileModel, theta: Vector): ReadonlyMap<string, Vector> {
  const total = parameters.reduce((sum, { data }) => sum + data.length, 0);
  if (theta.length !== total) {
    throw new CurvatureError(
      "shape",
      `saveModel expects ${total} entries for all parameters of ${name}, got ${theta.length}; for chosen parameters give risk.split(theta)`,
    );
  }
  let end = 0;
  return new Map(
    parameters.map((parameter) => {
      end += parameter.data.length;
      return [parameter.name, theta.subarray(end - parameter.data.length, end)];
    }),
  );
}

interface Change {
  readonly place: PlacedMessage;
  readonly values: Vector;
  readonly stored: Uint8Array;
  readonly saved: SavedTensor;
}

function changeOf(
  place: PlacedMessage,
  { weight, values }: { readonly weight: StoredWeight; readonly values: Vector },
): Change {
  const stored = place.encode(values);
  const rounded = place.decode(stored);
  const { parameter, data } = weight;
  let [changed, largestRounding] = [0, 0];
  rounded.forEach((number, i) => {
    if (!Number.isFinite(number)) throw notFinite(parameter, { given: values[i], storedAs: place.storedAs });
    if (number !== data[i]) changed++;
    largestRounding = Math.max(largestRounding, Math.abs(number - values[i]));
  });
  const { name: tensor, storedAs, external } = place;
  const location = external && { location: external.location };
  return { place, values, stored, saved: { parameter, tensor, storedAs, changed, largestRounding, ...location } };
}

function notFinite(parameter: string, { given, storedAs }: { given: number; storedAs: string }): CurvatureError {
  return new CurvatureError(
    "argument",
    `saveModel cannot store ${given} of "${parameter}", which is not a finite number in ${storedAs}, the type of the file`,
  );
}

/** Two parameters may be one tensor of the file, as the weight of a function that is called twice. */
function checkOnce(earlier: Change | undefined, change: Change, file: string): void {
  if (earlier === undefined || earlier.stored.every((byte, i) => byte === change.stored[i])) return;
  throw new CurvatureError(
    "unsupported",
    `saveModel cannot write "${earlier.saved.parameter}" and "${change.saved.parameter}" into ${file}: the file has one tensor for both, in a function that is called twice; give them the same numbers, or take the model with its functions inlined`,
  );
}

/** Entry (i, j) of the copy is entry (j, i) of the parameter; `dims` are those of the copy. */
function transposed(values: Vector, [rows, columns]: readonly number[]): Vector {
  return values.map((_, k) => values[(k % columns) * rows + Math.floor(k / columns)]);
}

/** Contents of all external data files with these changes. */
async function externalFiles(source: ModelSource, changes: readonly Change[]): Promise<ModelFile["externalData"]> {
  const { readExternal } = source;
  const files: { [location: string]: Uint8Array } = {};
  for (const location of externalLocations(source)) files[location] = (await readExternal(location)).slice();
  for (const { place, stored, saved } of changes) {
    if (place.external && saved.changed > 0) files[place.external.location].set(stored, place.external.offset);
  }
  return files;
}
