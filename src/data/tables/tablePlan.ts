import { CurvatureError } from "../../errors/index.ts";
import type { ModelDims } from "../fitRows.ts";
import { type ColumnOptions, chooseColumns, nameOf, numberOfColumn } from "./chooseColumns.ts";
import { isList, listDims } from "./lists.ts";
import type { Cell, TableFile, TablePart } from "./table.ts";

/** How an input is made of the cells of a row. */
export interface PlannedInput {
  readonly name: string;
  /** One number a column, or a single column of lists. */
  readonly columns: readonly number[];
  /** Dimensions of a row. */
  readonly dims: readonly number[];
  /** Whether the cells are lists. */
  readonly lists: boolean;
  /** cells: the numbers. mask: 1 for each element of the list, 0 for what it is padded with. length: the length of the list. */
  readonly of: "cells" | "mask" | "length";
  /** Number that fills lists shorter than `dims`; absent if all must have one length. */
  readonly padding?: number;
}

/** What is read of each row. */
export interface TablePlan {
  readonly inputs: readonly PlannedInput[];
  /** Columns of the targets and the dimensions of a row's; no columns if there are none. */
  readonly labels: Pick<PlannedInput, "columns" | "dims" | "lists" | "padding">;
  /** Column of the row weights. */
  readonly weights?: number;
  /** What was decided about inputs that the table does not have, for reports. */
  readonly notes: readonly string[];
}

/** What is wanted of a table. */
export interface PlanOptions extends ColumnOptions {
  /** Dimensions of the inputs by name, batch axis first; default: one input of all feature columns. */
  readonly wanted?: { readonly [name: string]: { readonly dims: ModelDims } };
  /** Number that fills lists of tokens shorter than the longest; 0 by default where the model has a mask. */
  readonly padding?: number;
  /** Whether all columns are targets. */
  readonly targetsOnly?: boolean;
  readonly from?: number;
  readonly to?: number;
  readonly signal?: AbortSignal;
}

/** Names of columns that are taken for the targets where the inputs are found by name. */
const targetNames = ["label", "labels", "target", "targets", "y"];
/** The label that losses ignore (PyTorch's default), which fills lists of labels. */
const IGNORED = -100;

/**
 * Decides which columns make up each input and the targets. Inputs are the columns of their own names where the model has several, or where
 * such a column holds lists; otherwise the only input is all feature columns, or a single column of lists. Lists of numbers that differ in
 * length are padded to the model's fixed length or the longest.
 *
 * @throws CurvatureError as `chooseColumns`; "argument" if the inputs cannot be found, "data" for lists that do not fit
 */
export async function planTable(table: TableFile, options: PlanOptions = {}): Promise<TablePlan> {
  const first = await firstPart(table, options);
  if (first === undefined) return withoutRows(table, options);
  if (options.targetsOnly) return padded(table, { options, first, inputs: [], labels: allColumns(table), notes: [] });
  const cellOf = (column: number) => first.cell(0, column);
  const named = columnsByName(table, { ...options, cellOf });
  if (named !== undefined) return padded(table, { options, first, ...named });
  const { features, labels, weights } = chooseColumns(table, options);
  const lists = features.filter((column) => isList(cellOf(column)));
  if (lists.length > 0 && features.length > 1) {
    throw new CurvatureError(
      "data",
      `${table.name}: column ${nameOf(table, lists[0]!)} holds lists, but there are ${features.length} feature columns; choose one by columns (--columns)`,
    );
  }
  return padded(table, {
    options,
    first,
    inputs: [{ name: onlyInput(table, options), columns: features, of: "cells" }],
    labels,
    weights,
    notes: [],
  });
}

function onlyInput({ name, names }: TableFile, { wanted }: PlanOptions): string {
  const inputs = Object.keys(wanted ?? { "": {} });
  if (inputs.length === 1) return inputs[0]!;
  const advice =
    names === undefined
      ? ""
      : `; or name columns after them (${name} has ${names.slice(0, 12).join(", ")}); text needs the model's tokenizer: tokenizer (--tokenizer)`;
  throw new CurvatureError(
    "argument",
    `a data file holds one input, but the model has ${inputs.length} (${inputs.join(", ")}); give a file for each input, or bind those that are the same for all rows${advice}`,
  );
}

function allColumns({ columns }: TableFile): readonly number[] {
  return Array.from({ length: columns }, (_, column) => column);
}

async function firstPart(table: TableFile, { from = 0, signal }: PlanOptions): Promise<TablePart | undefined> {
  for await (const part of table.parts({ columns: allColumns(table), from, to: from + 1, ...(signal && { signal }) }))
    return part;
  return undefined;
}

/** A plan for a range that has no rows, which is an error of the range. */
function withoutRows(table: TableFile, options: PlanOptions): TablePlan {
  if (options.targetsOnly)
    return { inputs: [], labels: { columns: allColumns(table), dims: [], lists: false }, notes: [] };
  const { features, labels } = chooseColumns(table, options);
  const input = {
    name: onlyInput(table, options),
    columns: features,
    dims: [features.length],
    lists: false,
    of: "cells" as const,
  };
  return { inputs: [input], labels: { columns: labels, dims: [], lists: false }, notes: [] };
}

type Unsized = Omit<PlannedInput, "dims" | "padding" | "lists">;

interface Found {
  readonly inputs: readonly Unsized[];
  readonly labels: readonly number[];
  readonly weights?: number | undefined;
  readonly notes: readonly string[];
}

function columnsByName(
  table: TableFile,
  { wanted = {}, cellOf, ...options }: PlanOptions & { cellOf(column: number): Cell },
): Found | undefined {
  const { names } = table;
  const inputs = Object.keys(wanted);
  const columnOf = (input: string) => names?.indexOf(input) ?? -1;
  const present = inputs.filter((input) => columnOf(input) >= 0);
  const first = present[0];
  if (first === undefined || (inputs.length === 1 && !isList(cellOf(columnOf(first))))) return undefined;
  const taken = present.map(columnOf);
  const tokens = taken.find((column) => isList(cellOf(column)));
  const notes: string[] = [];
  const found = inputs.map((name): Unsized => {
    if (columnOf(name) >= 0) return { name, columns: [columnOf(name)], of: "cells" };
    const kind = /mask/i.test(name) ? "mask" : /len/i.test(name) ? "length" : undefined;
    if (kind === undefined || tokens === undefined) {
      throw new CurvatureError(
        "argument",
        `${table.name}: expected a column for each of the model's inputs (${inputs.join(", ")}), got none for ${name}; the columns are ${names!.join(", ")}`,
      );
    }
    notes.push(`${name} made of the lengths of ${names![tokens]}`);
    return { name, columns: [tokens], of: kind };
  });
  const weights =
    options.rowWeights === undefined ? undefined : numberOfColumn(table, options.rowWeights, "column of row weights");
  const rest = names!.flatMap((_, column) => (taken.includes(column) || column === weights ? [] : [column]));
  const usual = rest.find((column) => targetNames.includes(names![column]!)) ?? rest.at(-1);
  const label = options.label ?? usual ?? false;
  const { rowWeights } = options;
  const chosen = { label, columns: [...new Set(taken)], ...(rowWeights !== undefined && { rowWeights }) };
  const { labels } = chooseColumns(table, chosen);
  return { inputs: found, labels, weights, notes };
}

interface PaddingRequest extends Found {
  readonly options: PlanOptions;
  readonly first: TablePart;
}

/** The plan with dimensions, which for lists that differ in length takes a pass over the table. */
async function padded(table: TableFile, request: PaddingRequest): Promise<TablePlan> {
  const { options, first, inputs, labels, weights, notes } = request;
  const dimsOf = (columns: readonly number[]) => {
    const cell = columns.length === 1 ? first.cell(0, columns[0]!) : undefined;
    return isList(cell) ? listDims(cell) : undefined;
  };
  const sequences = [...inputs.map(({ columns }) => columns), labels].filter(
    (columns) => dimsOf(columns)?.length === 1,
  );
  const lengths = await listLengths(table, { columns: [...new Set(sequences.flat())], options });
  const hasMask = inputs.some(({ name, of }) => of !== "cells" || /mask|len/i.test(name));
  const size = (columns: readonly number[], want?: ModelDims): Pick<PlannedInput, "dims" | "lists" | "padding"> => {
    const [dims, found] = [dimsOf(columns), lengths.get(columns[0]!)];
    if (dims === undefined) return { dims: [columns.length], lists: false };
    if (dims.length !== 1 || found === undefined) return { dims, lists: true };
    const fixed = want?.length === 2 ? want[1] : undefined;
    const length = typeof fixed === "number" && fixed >= found.longest ? fixed : found.longest;
    return { dims: [length], lists: true, ...(found.shortest < length && { padding: options.padding ?? 0 }) };
  };
  const planned = inputs.map((input): PlannedInput => {
    const sized = size(input.columns, options.wanted?.[input.name]?.dims);
    if (input.of === "length") return { ...input, dims: [1], lists: true };
    if (sized.padding === undefined) return { ...input, ...sized };
    if (!hasMask && options.padding === undefined) throw unmasked(table, { input, longest: sized.dims[0]! });
    return { ...input, ...sized, ...(/mask|type|segment/i.test(input.name) && { padding: 0 }) };
  });
  const target = size(labels);
  const single = !target.lists && labels.length <= 1;
  return {
    inputs: planned,
    labels: {
      columns: labels,
      ...target,
      ...(single && { dims: [] }),
      ...(target.padding !== undefined && { padding: IGNORED }),
    },
    ...(weights !== undefined && { weights }),
    notes,
  };
}

function unmasked(
  table: TableFile,
  { input, longest }: { readonly input: Unsized; readonly longest: number },
): CurvatureError {
  return new CurvatureError(
    "data",
    `${table.name}: lists of ${nameOf(table, input.columns[0]!)} differ in length (up to ${longest}), and the model has no mask among its inputs; ` +
      "pad them in the file, or say which number fills them: padding (--pad)",
  );
}

interface Lengths {
  readonly shortest: number;
  readonly longest: number;
}

async function listLengths(
  table: TableFile,
  { columns, options }: { readonly columns: readonly number[]; readonly options: PlanOptions },
): Promise<ReadonlyMap<number, Lengths>> {
  const lengths = new Map<number, Lengths>();
  if (columns.length === 0) return lengths;
  const { from = 0, to, signal } = options;
  for await (const part of table.parts({ columns, from, ...(to !== undefined && { to }), ...(signal && { signal }) })) {
    for (const column of columns) {
      let { shortest, longest } = lengths.get(column) ?? { shortest: Number.POSITIVE_INFINITY, longest: 0 };
      for (let row = 0; row < part.rows; row++) {
        const cell = part.cell(row, column);
        const length = isList(cell) ? cell.length : 0;
        if (length < shortest) shortest = length;
        if (length > longest) longest = length;
      }
      lengths.set(column, { shortest, longest });
    }
  }
  return lengths;
}
