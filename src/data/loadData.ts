import { CurvatureError, checkObject } from "../errors/index.ts";
import { type Dtype, dtypeOf, type Tensor } from "../tensors/index.ts";
import { arrays } from "./arrays.ts";
import { checkedScale } from "./checkedScale.ts";
import { convertTensor } from "./convertTensor.ts";
import type { Data } from "./data.ts";
import { fitRows, type ModelDims } from "./fitRows.ts";
import {
  decodeArray,
  formatOf,
  type LoadedArray,
  loadArray,
  memberArray,
  splitMember,
  takeRange,
} from "./loadTensor.ts";
import { npzNames } from "./readNpz.ts";
import { type Contents, readSource, type Source } from "./readSource.ts";
import { readTable, type TableOptions } from "./readTable.ts";
import { type LabelOptions, splitTable } from "./splitTable.ts";

/** Dimensions and element type that a model expects of an input. */
export interface WantedInput {
  /** Dimensions with the batch axis first; a number is fixed, anything else is free. */
  readonly dims: ModelDims;
  readonly dtype: Dtype;
}

/** Files of a data set, and the model they are for. */
export interface LoadDataOptions extends TableOptions, LabelOptions {
  /** The model that the data are for; its inputs say which arrays and shapes are needed. */
  readonly model?: { readonly inputs: readonly (WantedInput & { readonly name: string })[] };
  /** The inputs by name, instead of a model. */
  readonly wanted?: { readonly [name: string]: WantedInput };
  /** One file with the model's only input and, unless `targets` is given, the targets: CSV, NPZ, NPY or IDX. */
  readonly data?: Source;
  /** One file for each input, instead of `data`. */
  readonly inputs?: { readonly [name: string]: Source };
  /** File of the targets. */
  readonly targets?: Source;
  /** Divides inputs that the model takes as floats: `fround(x / scale)`. 1 by default. */
  readonly scale?: number;
  /** Rows per batch; 512 by default. */
  readonly batchSize?: number;
}

/** Names of arrays in an NPZ file for the only input, if no array has the input's own name. The first that exists is taken. */
const inputMembers = ["x", "X", "inputs", "input", "images", "features", "data"];
/** Names of arrays in an NPZ file for the targets, if `label` names none. The first that exists is taken. */
const targetMembers = ["y", "Y", "targets", "target", "labels", "label"];

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
  const { inputs, targets } = await loadArrays(options);
  const files = [...Object.values(inputs), ...(targets === undefined ? [] : [targets])];
  checkRowCounts(files);
  const start = options.rows?.[0] ?? 0;
  const fitted = Object.entries(options.wanted).map(([name, { dims, dtype }]) => {
    const { tensor, name: where } = inputs[name]!;
    return [
      name,
      convertTensor(fitRows(tensor, { dims, input: name, where }), { dtype, scale, where, start }),
    ] as const;
  });
  return arrays({
    inputs: Object.fromEntries(fitted),
    ...(targets === undefined ? {} : { targets: convertTargets(targets, { ...options, start }) }),
    ...(options.batchSize === undefined ? {} : { batchSize: options.batchSize }),
    description: [...new Set(files.map(({ name }) => name))].join(" + ") + describeRange(options),
  });
}

/** Options with the inputs by name. */
type Request = LoadDataOptions & { readonly wanted: { readonly [name: string]: WantedInput } };

/** The inputs that data are loaded for. */
function wantedInputs(options: LoadDataOptions): { readonly [name: string]: WantedInput } {
  const expected =
    'loadData expects { model, data: "train.csv" }, or inputs: { NAME: FILE } and targets: FILE instead of data';
  checkObject(options, expected);
  const { model, wanted } = options;
  if (wanted !== undefined) return wanted;
  checkObject(model, `${expected}, with the model that loadModel gives`, ["inputs"]);
  return Object.fromEntries(model!.inputs.map(({ name, dims, dtype }) => [name, { dims, dtype }]));
}

interface Loaded {
  readonly inputs: { readonly [name: string]: LoadedArray };
  readonly targets?: LoadedArray;
}

async function loadArrays(options: Request): Promise<Loaded> {
  const { data, inputs, targets, label, wanted } = options;
  if ((data === undefined) === (inputs === undefined)) {
    const got = data === undefined ? "neither" : "both";
    throw new CurvatureError("argument", `expected either one data file or a file for each input, got ${got}`);
  }
  if (targets !== undefined && label !== undefined && label !== false) {
    throw new CurvatureError("argument", "expected either a file of targets or a label column, got both");
  }
  const loaded = data === undefined ? await loadInputs(inputs!, options) : await loadOneFile(data, options);
  if (targets !== undefined) return { ...loaded, targets: await loadArray(targets, options) };
  if (loaded.targets !== undefined || label === false) return loaded;
  const files = Object.values(loaded.inputs).map(({ name }) => name);
  throw new CurvatureError(
    "argument",
    `${files.join(", ")}: expected targets beside the inputs of ${Object.keys(wanted).join(", ")}, got none; give a file of targets`,
  );
}

async function loadInputs(inputs: { readonly [name: string]: Source }, options: Request): Promise<Loaded> {
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

async function loadOneFile(data: Source, options: Request): Promise<Loaded> {
  if (splitMember(data).member !== undefined) {
    return { inputs: { [onlyInput(options)]: await loadArray(data, options) } };
  }
  const contents = await readSource(data, options);
  const { name } = contents;
  const format = formatOf(contents);
  if (format === "npz") return loadMembers(contents, options);
  const input = onlyInput(options);
  if (format !== "csv")
    return { inputs: { [input]: { name, ...takeRange(decodeArray(contents), { name, options }) } } };
  const label = options.targets === undefined ? options.label : false;
  const table = readTable(contents, options);
  const { features, targets } = splitTable(table, { ...options, ...(label === undefined ? {} : { label }) });
  const total = options.rows === undefined ? { total: table.rows } : {};
  return {
    inputs: { [input]: { name, tensor: features, ...total } },
    ...(targets === undefined ? {} : { targets: { name, tensor: targets, ...total } }),
  };
}

function onlyInput({ wanted }: Request): string {
  const names = Object.keys(wanted);
  if (names.length === 1) return names[0]!;
  throw new CurvatureError(
    "argument",
    `a data file holds one input, but the model has ${names.length} (${names.join(", ")}); give a file for each input, or bind those that are the same for all rows`,
  );
}

function loadMembers(contents: Contents, options: Request): Loaded {
  const { wanted, label, targets } = options;
  const members = npzNames(contents.bytes, contents);
  const names = Object.keys(wanted);
  const target =
    targets !== undefined || label === false
      ? undefined
      : label === undefined
        ? targetMembers.find((member) => members.includes(member))
        : String(label);
  const inputs = names.map((name) => {
    const member =
      [name, ...(names.length === 1 ? inputMembers : [])].find((candidate) => members.includes(candidate)) ?? name;
    return [name, memberArray(contents, member, options)] as const;
  });
  return {
    inputs: Object.fromEntries(inputs),
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

function convertTargets(
  { tensor, name }: LoadedArray,
  { targetType = "class", start }: LabelOptions & { readonly start: number },
): Tensor {
  const where = `${name}: targets`;
  if (targetType === "number") return convertTensor(tensor, { dtype: "float32", where, start });
  const dtype = dtypeOf(tensor);
  const isFloat = dtype === "float32" || dtype === "float64" || dtype === "float16";
  const [rows, ...rest] = tensor.dims;
  const perRow = rest.every((dim) => dim === 1); // [rows] or [rows, 1]: one target per row
  if (isFloat && !perRow) return convertTensor(tensor, { dtype: "float32", where, start });
  return convertTensor(perRow ? { ...tensor, dims: [rows!] } : tensor, { dtype: "int32", where, start });
}

function describeRange({ rows }: LoadDataOptions): string {
  return rows === undefined ? "" : `, rows ${rows[0]}:${rows[1] ?? ""}`;
}
