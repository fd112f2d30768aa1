import { CurvatureError } from "../errors/index.ts";
import { arrays } from "./arrays.ts";
import { checkedScale } from "./checkedScale.ts";
import { convertTargets } from "./convertTargets.ts";
import type { Data } from "./data.ts";
import {
  checkRowWeights,
  checkSources,
  type DataRequest,
  describeRange,
  type LoadDataOptions,
  onlyInput,
  wantedInputs,
  withoutTargets,
} from "./dataRequest.ts";
import { fitInputs } from "./fitInputs.ts";
import { checkNoImages, loadImages, openImages } from "./loadImages.ts";
import { loadTargets, targetsOf } from "./loadTargets.ts";
import {
  decodeArray,
  formatOf,
  isTable,
  type LoadedArray,
  loadArray,
  memberArray,
  splitMember,
  takeRange,
} from "./loadTensor.ts";
import { npzMembers } from "./npzMembers.ts";
import { npzNames } from "./readNpz.ts";
import { type Contents, readSource, type Source } from "./readSource.ts";
import { streamData } from "./streamData.ts";
import { loadTable } from "./tables/loadTable.ts";
import { openTable } from "./tables/openTable.ts";
import { tokenizedRequest } from "./tokenizedRequest.ts";

/**
 * Loads a data set from files and fits it to a model. Rows are reshaped to the model's inputs if the order of elements allows it
 * (`fitRows`), and elements are converted to the inputs' types (`convertTensor`). For targetType "class", integer targets and floats
 * `[rows]` become int32 labels, while floats with further axes stay probabilities. For "number", targets become float32.
 *
 * In an NPZ file `data`, inputs are the arrays with the inputs' own names, or for a single input x, X, inputs, input,
 * images, features or data; targets are the array that `label` names, or y, Y, targets, target, labels or label.
 *
 * @throws CurvatureError naming the file if one is missing, damaged, of another shape or type, or the files differ in their numbers of
 *   rows; if `data` and `inputs` are both given or both missing, or targets are not found (for data without targets, pass `label: false`)
 */
export async function loadData(given: LoadDataOptions): Promise<Data> {
  const options = { ...given, wanted: wantedInputs(given) };
  const scale = checkedScale(options.scale);
  checkSources(options);
  const opened = await openImages(options);
  if (opened.images !== undefined) {
    checkRowWeights(undefined, options);
    return loadImages(opened.images, options);
  }
  checkNoImages(options);
  if (options.stream) return streamData(options);
  const { inputs, targets, weights, classes, notes = [] } = await loadArrays(options, opened.contents);
  checkRowWeights(weights, options);
  const files = [...Object.values(inputs), ...(targets === undefined ? [] : [targets])];
  checkRowCounts(files);
  const start = options.rows?.[0] ?? 0;
  const names = [...new Set(files.map(({ name }) => name))].join(" + ");
  return {
    ...arrays({
      inputs: fitInputs(inputs, { wanted: options.wanted, scale, start }),
      ...(targets === undefined ? {} : { targets: convertTargets(targets, { ...options, start }) }),
      ...(weights && { weights }),
      ...(options.batchSize === undefined ? {} : { batchSize: options.batchSize }),
      description: [names + describeRange(options), ...notes].join("; "),
    }),
    ...(classes && { classes }),
  };
}

interface Loaded {
  readonly inputs: { readonly [name: string]: LoadedArray };
  readonly targets?: LoadedArray;
  readonly weights?: Float64Array;
  readonly classes?: readonly string[];
  readonly notes?: readonly string[];
}

async function loadArrays(options: DataRequest, contents: Contents | undefined): Promise<Loaded> {
  const { data, inputs, targets, label } = options;
  const loaded =
    data === undefined ? await loadInputs(inputs!, options) : await loadOneFile(data, { options, contents });
  if (targets !== undefined) return { ...loaded, ...(await loadTargets(targets, options)) };
  if (loaded.targets !== undefined || label === false) return loaded;
  throw withoutTargets(
    options,
    Object.values(loaded.inputs).map(({ name }) => name),
  );
}

async function loadInputs(inputs: { readonly [name: string]: Source }, options: DataRequest): Promise<Loaded> {
  const names = Object.keys(options.wanted);
  const unknown = Object.keys(inputs).find((name) => !names.includes(name));
  const missing = names.find((name) => !Object.hasOwn(inputs, name));
  if (unknown !== undefined || missing !== undefined) {
    throw new CurvatureError(
      "argument",
      `expected a file for each of the model's inputs (${names.join(", ")}), got ${Object.keys(inputs).join(", ") || "none"}`,
    );
  }
  const loaded = await Promise.all(names.map(async (name) => [name, await loadArray(inputs[name]!, options)] as const));
  return { inputs: Object.fromEntries(loaded) };
}

async function loadOneFile(
  data: Source,
  { options, contents }: { readonly options: DataRequest; readonly contents: Contents | undefined },
): Promise<Loaded> {
  if (splitMember(data).member !== undefined) {
    return { inputs: { [onlyInput(options)]: await loadArray(data, options) } };
  }
  const file = contents ?? (await readSource(data, options));
  const { name } = file;
  const format = formatOf(file);
  if (format === "npz") return loadMembers(file, options);
  if (isTable(format)) return loadColumns(file, options);
  return { inputs: { [onlyInput(options)]: { name, ...takeRange(decodeArray(file), { name, options }) } } };
}

/** Inputs, and the targets unless they have a file of their own, from the columns of a table. */
async function loadColumns(contents: Contents, options: DataRequest): Promise<Loaded> {
  const { name, memoryLimit } = contents;
  const { table, request } = await tokenizedRequest(await openTable(contents, options), options);
  const loaded = await loadTable(table, { ...request, memoryLimit });
  const total = options.rows === undefined ? { total: loaded.rows } : {};
  const inputs = Object.entries(loaded.inputs).map(([input, tensor]) => [input, { name, tensor, ...total }] as const);
  const { notes, weights } = loaded;
  return {
    inputs: Object.fromEntries(inputs),
    notes,
    ...(weights && { weights }),
    ...targetsOf(loaded, { name, options }),
  };
}

function loadMembers(contents: Contents, options: DataRequest): Loaded {
  const { inputs, target } = npzMembers(npzNames(contents.bytes, contents), options);
  const loaded = inputs.map(([name, member]) => [name, memberArray(contents, member, options)] as const);
  return {
    inputs: Object.fromEntries(loaded),
    ...(target === undefined ? {} : { targets: memberArray(contents, target, options) }),
  };
}

function checkRowCounts(files: readonly LoadedArray[]): void {
  const first = files[0]!;
  for (const file of files) {
    for (const [rows, expected] of [
      [file.total, first.total],
      [file.tensor.dims[0], first.tensor.dims[0]],
    ]) {
      if (rows === undefined || expected === undefined || rows === expected) continue;
      throw new CurvatureError(
        "data",
        `${first.name} has ${expected} rows but ${file.name} has ${rows}; expected one entry a row in each, in the same order`,
      );
    }
  }
}
