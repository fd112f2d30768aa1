import { CurvatureError } from "../../errors/index.ts";
import { checkSize } from "../../files/index.ts";
import type { Tensor } from "../../tensors/index.ts";
import { checkedRange, type RowRange } from "../takeRows.ts";
import { nameOf } from "./chooseColumns.ts";
import { checkWeights, fillRows, type RowArrays, type RowReading, rowArrays, sizesOf } from "./fillRows.ts";
import { type LabelCodes, labelCodes, type TargetType } from "./labelCodes.ts";
import { numberOfText } from "./numberOfCell.ts";
import type { TableFile } from "./table.ts";
import { type PlanOptions, planTable } from "./tablePlan.ts";

/** What is read of a table, and as what. */
export interface TableRequest extends Omit<PlanOptions, "from" | "to"> {
  readonly targetType?: TargetType;
  /** Names of the classes in the order of their labels; by default those that occur, sorted. */
  readonly classes?: readonly string[];
  readonly rows?: RowRange;
}

/** Numbers of a table. */
export interface LoadedTable {
  /** Tensors `[rows, ...]` in float64 by the names of the inputs; "" if no names were wanted. */
  readonly inputs: { readonly [name: string]: Tensor };
  /** `[rows, ...]`, float64. */
  readonly targets?: Tensor;
  /** Factor of each row's loss. */
  readonly weights?: Float64Array;
  /** Whether the targets come from a column of lists. */
  readonly lists: boolean;
  /** Names of the classes in the order of their labels, if the labels are names. */
  readonly classes?: readonly string[];
  readonly notes: readonly string[];
  readonly rows: number;
}

/**
 * Reads the numbers of a table into memory: at most 8 bytes for each number, beside what the table itself holds.
 *
 * @throws CurvatureError for columns that do not exist, cells that are no finite numbers or labels, no rows, a range beyond the rows, and more
 *   bytes than the memory limit
 */
export async function loadTable(
  table: TableFile,
  { memoryLimit, ...request }: TableRequest & { readonly memoryLimit: number },
): Promise<LoadedTable> {
  const reading = await startReading(table, request);
  const { plan } = reading;
  const { from, to } = rangeOf(request);
  const most = Math.max(0, Math.min(table.mostRows ?? 0, to) - from);
  const width = [...sizesOf(plan).inputs, sizesOf(plan).targets].reduce((sum, size) => sum + size, 0);
  const what = `${table.name}: a table of ${most} rows and ${width} columns`;
  checkSize(table.heldBytes + 8 * most * width, { what, memoryLimit });
  const into = rowArrays(plan, most);
  let rows = 0;
  for await (const part of table.parts(passOf(reading, request))) {
    fillRows(part, { reading, into, at: rows });
    rows += part.rows;
  }
  await checkRows(table, { rows, request });
  const weights = into.weights?.subarray(0, rows);
  checkWeights(reading, weights?.some((weight) => weight > 0) ?? false);
  return {
    ...settled(reading, { into, rows }),
    ...(weights && { weights }),
    notes: plan.notes,
    lists: plan.labels.lists,
    rows,
  };
}

/** Plan and codes of a first pass. */
export async function startReading(table: TableFile, request: TableRequest): Promise<RowReading> {
  const { targetType = "class", classes, ...options } = request;
  const { from, to } = rangeOf(request);
  const plan = await planTable(table, { ...options, from, to });
  const { columns } = plan.labels;
  const where = columns.length === 1 ? `${table.name}: column ${nameOf(table, columns[0]!)}` : table.name;
  return { table, plan, targetType, codes: labelCodes({ classes, decimal: table.decimal, where }) };
}

/** The range of rows with its ends filled in. */
export function rangeOf({ rows }: Pick<TableRequest, "rows">): { readonly from: number; readonly to: number } {
  return { from: rows?.[0] ?? 0, to: rows?.[1] ?? Number.POSITIVE_INFINITY };
}

/** The pass that reads the rows of a request. */
export function passOf({ plan }: RowReading, request: TableRequest) {
  const columns = [
    ...new Set([
      ...plan.inputs.flatMap((input) => input.columns),
      ...plan.labels.columns,
      ...(plan.weights === undefined ? [] : [plan.weights]),
    ]),
  ];
  return { columns, ...rangeOf(request), ...(request.signal && { signal: request.signal }) };
}

/** Checks the number of rows that a first pass found. */
export async function checkRows(
  table: TableFile,
  { rows, request }: { readonly rows: number; readonly request: TableRequest },
): Promise<void> {
  const { from, to } = rangeOf(request);
  if (request.rows !== undefined && (rows === 0 || (Number.isFinite(to) && rows < to - from))) {
    checkedRange(request.rows, { rows: rows > 0 ? from + rows : await rowCount(table), where: table.name });
  }
  if (rows > 0) return;
  const got = table.names === undefined ? "an empty file" : "a header and nothing below it";
  throw new CurvatureError("file", `${table.name}: expected rows of numbers, got ${got}`);
}

async function rowCount(table: TableFile): Promise<number> {
  let rows = 0;
  for await (const part of table.parts({ columns: [] })) rows = part.start + part.rows;
  return rows;
}

/** Ends a first pass: fills in the labels of names, and cuts the arrays to the rows. */
function settled(
  reading: RowReading,
  { into, rows }: { readonly into: RowArrays; readonly rows: number },
): Pick<LoadedTable, "inputs" | "targets" | "classes"> {
  const { plan } = reading;
  const sizes = sizesOf(plan);
  const inputs = plan.inputs.map(({ name, dims }, i) => {
    const data = into.inputs[i]!.subarray(0, rows * sizes.inputs[i]!);
    return [name, { data, dims: [rows, ...dims] }] as const;
  });
  if (into.targets === undefined) return { inputs: Object.fromEntries(inputs) };
  const data = into.targets.subarray(0, rows * sizes.targets);
  const named = settledNames(reading, rows);
  if (named !== undefined) for (let i = 0; i < data.length; i++) data[i] = named.labels[data[i]!]!;
  return {
    inputs: Object.fromEntries(inputs),
    targets: { data, dims: [rows, ...plan.labels.dims] },
    ...(named && { classes: named.names }),
  };
}

/**
 * The names of the classes after a first pass. Where labels are names, a first line that may be a row is not taken for a header silently.
 *
 * @throws CurvatureError "data" if the first line may be either
 */
export function settledNames({ table, plan, codes }: RowReading, rows: number): ReturnType<LabelCodes["settle"]> {
  const named = codes.settle(rows);
  if (named === undefined || !table.namesGuessed || table.names === undefined) return named;
  const isRow = (name: string) =>
    plan.inputs.length === 0 || named.names.includes(name) || Number.isFinite(numberOfText(name, table.decimal));
  const doubtful = table.names.find(isRow);
  if (doubtful === undefined) return named;
  throw new CurvatureError(
    "data",
    `${table.name}: the first line may name the columns or be a row, since it has ${JSON.stringify(doubtful)}; say which: header: true or false (--header, --no-header)`,
  );
}
