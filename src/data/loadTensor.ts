import { CurvatureError } from "../errors/index.ts";
import { isZip } from "../files/index.ts";
import type { Tensor } from "../tensors/index.ts";
import { isIdx, readIdx } from "./readIdx.ts";
import { isNpy, readNpy } from "./readNpy.ts";
import { npzNames, readNpz } from "./readNpz.ts";
import { type Contents, readSource, type Source } from "./readSource.ts";
import { sliceTensor } from "./rows.ts";
import type { TableOptions } from "./tables/csvTable.ts";
import { loadTable } from "./tables/loadTable.ts";
import { openTable, type TableFormat, tableFormat } from "./tables/openTable.ts";
import { checkedRange } from "./takeRows.ts";

/** File formats of arrays, distinguished by their first bytes. */
export type ArrayFormat = "npy" | "npz" | "idx" | TableFormat;

/** Whether a format is that of a table. */
export function isTable(format: ArrayFormat): format is TableFormat {
  return format !== "npy" && format !== "npz" && format !== "idx";
}

/**
 * Reads an array from a file: NPY, a member of an NPZ (`file.npz:name`, or its only one), IDX, or all columns of a table (CSV, JSON lines,
 * Parquet, Arrow) in float64 (`[rows, columns]`, `[rows]` if there is one column), each plain or gzipped. The contents determine the format; the element type is the
 * stored one.
 *
 * @param options options for CSV files, and the `rows` to read from a file of any format
 * @throws CurvatureError if the file is missing, empty, damaged or of another format
 */
export async function loadTensor(source: Source, options: TableOptions = {}): Promise<Tensor> {
  return (await loadArray(source, options)).tensor;
}

/** An array and its file. */
export interface LoadedArray {
  readonly name: string;
  readonly tensor: Tensor;
  /** Number of rows in the file, of which `tensor` may hold a part; absent if the file was not read to its end. */
  readonly total?: number;
}

/** As `loadTensor`, with the names that messages need. */
export async function loadArray(source: Source, options: TableOptions = {}): Promise<LoadedArray> {
  const { file, member } = splitMember(source);
  return arrayOf(await readSource(file, options), { options, ...(member !== undefined && { member }) });
}

/** The array of a file that was read. */
export async function arrayOf(
  contents: Contents,
  { member, options = {} }: { readonly member?: string; readonly options?: TableOptions },
): Promise<LoadedArray> {
  const format = formatOf(contents);
  if (member !== undefined && format !== "npz") {
    throw new CurvatureError("file", `${contents.name}: expected an NPZ file with an array "${member}", got ${format}`);
  }
  if (isTable(format)) return tableArray(contents, options);
  const { name } = contents;
  if (format !== "npz") return { name, ...takeRange(decodeArray(contents), { name, options }) };
  const chosen = member ?? onlyMember(contents);
  return memberArray(contents, chosen, options);
}

/** A member of an NPZ file. */
export function memberArray({ bytes, ...contents }: Contents, member: string, options: TableOptions): LoadedArray {
  const { name } = contents;
  const tensor = readNpz(bytes, { ...contents, members: [member] })[member]!;
  const place = `${name}:${member}`;
  return { name: place, ...takeRange(tensor, { name: place, options }) };
}

/** The array of an NPY or IDX file. */
export function decodeArray(contents: Contents): Tensor {
  return formatOf(contents) === "npy" ? readNpy(contents.bytes, contents) : readIdx(contents.bytes, contents);
}

/** The requested rows, and the total number of rows. */
export function takeRange(
  tensor: Tensor,
  { name, options }: { readonly name: string; readonly options: TableOptions },
): Omit<LoadedArray, "name"> {
  const total = tensor.dims[0];
  if (total === undefined || total === 0) {
    throw new CurvatureError("data", `${name}: expected at least one row, got ${total === 0 ? "none" : "a scalar"}`);
  }
  if (options.rows === undefined) return { tensor, total };
  return { tensor: sliceTensor(tensor, ...checkedRange(options.rows, { rows: total, where: name })), total };
}

/** Format by the first bytes. If these are inconclusive, the extension decides which reader's error message appears. */
export function formatOf({ bytes, name }: Contents): ArrayFormat {
  if (isNpy(bytes)) return "npy";
  if (isZip(bytes)) return "npz";
  if (isIdx(bytes)) return "idx";
  const plain = name.replace(/\.gz$/i, "");
  if (/\.npy$/i.test(plain)) return "npy";
  if (/\.npz$/i.test(plain)) return "npz";
  return /\.idx$|-ubyte$/i.test(plain) ? "idx" : tableFormat(bytes, name);
}

/** Splits a source `file.npz:name` into its two parts; returns any other source unchanged. */
export function splitMember(source: Source): { readonly file: Source; readonly member?: string } {
  const match = typeof source === "string" ? /^(.*\.npz):([^\\/:]+)$/i.exec(source) : null;
  return match === null ? { file: source } : { file: match[1]!, member: match[2]! };
}

function onlyMember({ bytes, name }: Contents): string {
  return checkedOnlyMember(npzNames(bytes, { name }), name);
}

/** The name of the only array of an NPZ file. */
export function checkedOnlyMember(names: readonly string[], name: string): string {
  if (names.length === 1) return names[0]!;
  throw new CurvatureError(
    "argument",
    `${name}: expected one array, the archive has ${names.join(", ") || "none"}; choose one as ${name}:NAME`,
  );
}

async function tableArray(contents: Contents, options: TableOptions): Promise<LoadedArray> {
  const { name, memoryLimit } = contents;
  const { rows, signal } = options;
  const table = await openTable(contents, options);
  const read = { label: false, memoryLimit, ...(rows && { rows }), ...(signal && { signal }) } as const;
  const { data, dims } = (await loadTable(table, read)).inputs[""]!;
  const tensor = { data, dims: table.columns === 1 && dims[1] === 1 ? dims.slice(0, 1) : dims };
  return { name, tensor, ...(rows === undefined ? { total: dims[0]! } : {}) };
}
