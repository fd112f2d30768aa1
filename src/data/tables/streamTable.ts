import type { Tensor } from "../../tensors/index.ts";
import { checkWeights, fillRows, type RowReading, rowArrays } from "./fillRows.ts";
import { checkRows, passOf, rangeOf, settledNames, startReading, type TableRequest } from "./loadTable.ts";
import type { TableFile, TablePart } from "./table.ts";
import { isWhole, tableTargets } from "./tableTargets.ts";

/** Rows of a table that are read again on every pass. */
export interface StreamedTable {
  readonly rows: number;
  /** Names of the classes in the order of their labels, if the labels are names. */
  readonly classes?: readonly string[];
  readonly notes: readonly string[];
  /** A pass: tensors `[rows, ...]`, inputs in float64. */
  parts(pass: StreamPass): AsyncIterable<StreamedRows>;
}

/** The rows of a pass, counted from the first that was asked for. */
export interface StreamPass {
  readonly from: number;
  readonly to: number;
  readonly signal?: AbortSignal | undefined;
}

/** Consecutive rows; `start` is the index in the file of the first. */
export interface StreamedRows {
  readonly start: number;
  readonly rows: number;
  readonly inputs: { readonly [name: string]: Tensor };
  readonly targets?: Tensor;
  readonly weights?: Float64Array;
}

/**
 * Makes one pass over a table, which checks all cells, counts the rows and collects the names of classes; `parts` makes further ones. Memory
 * holds one part of the table.
 *
 * @throws CurvatureError as `loadTable`
 */
export async function streamTable(table: TableFile, request: TableRequest): Promise<StreamedTable> {
  const reading = await startReading(table, request);
  const { plan, targetType } = reading;
  let [rows, whole, weighted] = [0, plan.labels.lists, false];
  for await (const part of table.parts(passOf(reading, request))) {
    const { targets, weights } = numbersOf(part, reading);
    weighted ||= weights?.some((weight) => weight > 0) ?? false;
    if (whole && targets !== undefined) whole = isWhole(targets);
    rows += part.rows;
  }
  await checkRows(table, { rows, request });
  checkWeights(reading, weighted);
  const named = settledNames(reading, rows);
  const where = `${table.name}: targets`;
  return {
    rows,
    notes: plan.notes,
    ...(named && { classes: named.names }),
    async *parts({ from, to, signal }) {
      const base = rangeOf(request).from;
      const { columns } = passOf(reading, request);
      const pass = { columns, from: base + from, to: base + to, ...(signal && { signal }) };
      for await (const part of table.parts(pass)) {
        const { targets, ...rest } = numbersOf(part, reading);
        yield { ...rest, ...(targets && { targets: tableTargets(targets, { targetType, whole, where }) }) };
      }
    },
  };
}

function numbersOf(part: TablePart, reading: RowReading): StreamedRows {
  const { plan } = reading;
  const { start, rows } = part;
  const into = rowArrays(plan, rows);
  fillRows(part, { reading, into, at: 0 });
  const inputs = plan.inputs.map(
    ({ name, dims }, i) => [name, { data: into.inputs[i]!, dims: [rows, ...dims] }] as const,
  );
  return {
    start,
    rows,
    inputs: Object.fromEntries(inputs),
    ...(into.weights && { weights: into.weights }),
    ...(into.targets && { targets: { data: into.targets, dims: [rows, ...plan.labels.dims] } }),
  };
}
