import { type DataRequest, tableRequest } from "./dataRequest.ts";
import type { TableRequest } from "./tables/loadTable.ts";
import type { TableFile } from "./tables/table.ts";
import { tokenizedTable } from "./tables/tokenizedTable.ts";
import { loadTokenizer } from "./tables/tokenizer.ts";

/** The table that inputs and labels are read from, and what is read of it: with a tokenizer, its token ids instead of its text. */
export async function tokenizedRequest(
  table: TableFile,
  options: DataRequest,
): Promise<{ readonly table: TableFile; readonly request: TableRequest }> {
  const own = options.targets === undefined ? options.label : false;
  const request = { ...tableRequest(options), ...(own !== undefined && { label: own }) };
  if (options.tokenizer === undefined) return { table, request };
  const tokenizer = await loadTokenizer(options.tokenizer);
  const { columns, label, drop: _, ...rest } = request;
  const padding = rest.padding ?? tokenizer.padding;
  return {
    table: tokenizedTable(table, { tokenizer, inputs: Object.keys(options.wanted), columns }),
    request: {
      ...rest,
      // The numbers of columns are those of the file.
      ...(label !== undefined && {
        label: typeof label === "number" && label >= 0 ? (table.names?.[label] ?? String(label)) : label,
      }),
      ...(padding !== undefined && { padding }),
    },
  };
}
