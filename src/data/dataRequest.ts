import { CurvatureError, checkObject } from "../errors/index.ts";
import type { LabelOptions } from "./csv.ts";
import type { WantedInput, WantedInputs } from "./fitInputs.ts";
import type { ImageOptions } from "./images/imageData.ts";
import type { Source } from "./readSource.ts";
import type { TableOptions } from "./tables/csvTable.ts";
import type { TableRequest } from "./tables/loadTable.ts";

/** Files of a data set, and the model they are for. */
export interface LoadDataOptions extends TableOptions, LabelOptions, ImageOptions {
  /** The model that the data are for; its inputs say which arrays and shapes are needed. */
  readonly model?: { readonly inputs: readonly (WantedInput & { readonly name: string })[] };
  /** The inputs by name, instead of a model. */
  readonly wanted?: { readonly [name: string]: WantedInput };
  /**
   * One file with the model's inputs and, unless `targets` is given, the targets: a table (CSV, JSON lines, Parquet, Arrow) or NPZ; or the only
   * input in NPY or IDX; or images: a folder or a zip archive with a folder for each class, or a table of paths and labels. "-" is standard input.
   */
  readonly data?: Source;
  /** One file for each input, instead of `data`. */
  readonly inputs?: { readonly [name: string]: Source };
  /** File of the targets. */
  readonly targets?: Source;
  /** Divides inputs that the model takes as floats: `fround(x / scale)`. 1 by default. */
  readonly scale?: number;
  /** Number that fills lists of tokens shorter than the longest; 0 by default where the model has a mask among its inputs. */
  readonly padding?: number;
  /** The `tokenizer.json` of the model, which makes token ids and masks of a column of text: the one that `columns` names, or "text". */
  readonly tokenizer?: Source;
  /**
   * Reads the files again on every pass instead of holding their rows: tables (text also gzipped), NPY, IDX and arrays of NPZ that are not compressed.
   * Memory holds one batch and one part of a file; each product takes the time of reading in addition.
   */
  readonly stream?: boolean;
  /** Rows per batch; 512 by default. */
  readonly batchSize?: number;
}

/** Options with the inputs by name. */
export type DataRequest = LoadDataOptions & { readonly wanted: WantedInputs };

/** The inputs that data are loaded for. */
export function wantedInputs(options: LoadDataOptions): { readonly [name: string]: WantedInput } {
  const expected =
    'loadData expects { model, data: "train.csv" }, or inputs: { NAME: FILE } and targets: FILE instead of data';
  checkObject(options, expected);
  const { model, wanted } = options;
  if (wanted !== undefined) return wanted;
  checkObject(model, `${expected}, with the model that loadModel gives`, ["inputs"]);
  return Object.fromEntries(model!.inputs.map(({ name, dims, dtype }) => [name, { dims, dtype }]));
}

/** Checks that the options name a source for each thing once. */
export function checkSources({ data, inputs, targets, label }: DataRequest): void {
  if ((data === undefined) === (inputs === undefined)) {
    const got = data === undefined ? "neither" : "both";
    throw new CurvatureError("argument", `expected either one data file or a file for each input, got ${got}`);
  }
  if (targets !== undefined && label !== undefined && label !== false) {
    throw new CurvatureError("argument", "expected either a file of targets or a label column, got both");
  }
}

/** Checks that row weights that were asked for were found. */
export function checkRowWeights(weights: ArrayLike<number> | undefined, { rowWeights }: DataRequest): void {
  if (rowWeights === undefined || weights !== undefined) return;
  throw new CurvatureError(
    "argument",
    `expected row weights (--row-weights) as a column of one table of inputs (CSV, JSON lines, Parquet, Arrow), got data of another kind`,
  );
}

/** The options of a table, without those of the whole data set. */
export function tableRequest({
  wanted,
  rows,
  signal,
  targetType,
  classes,
  drop,
  columns,
  rowWeights,
  padding,
}: DataRequest): TableRequest {
  return {
    wanted,
    ...(rows && { rows }),
    ...(signal && { signal }),
    ...(targetType && { targetType }),
    ...(classes && { classes }),
    ...(drop !== undefined && { drop }),
    ...(columns !== undefined && { columns }),
    ...(rowWeights !== undefined && { rowWeights }),
    ...(padding !== undefined && { padding }),
  };
}

/** Error for inputs without targets; `files` are those of the inputs. */
export function withoutTargets({ wanted }: DataRequest, files: readonly string[]): CurvatureError {
  return new CurvatureError(
    "argument",
    `${files.join(", ")}: expected targets beside the inputs of ${Object.keys(wanted).join(", ")}, got none; give a file of targets`,
  );
}

/** The name of the only input. */
export function onlyInput({ wanted }: DataRequest): string {
  const names = Object.keys(wanted);
  if (names.length === 1) return names[0]!;
  throw new CurvatureError(
    "argument",
    `a data file holds one input, but the model has ${names.length} (${names.join(", ")}); give a file for each input, or bind those that are the same for all rows`,
  );
}

/** The range of rows in a description. */
export function describeRange({ rows }: LoadDataOptions): string {
  return rows === undefined ? "" : `, rows ${rows[0]}:${rows[1] ?? ""}`;
}
