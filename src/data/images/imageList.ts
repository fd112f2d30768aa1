import type { ReadOptions } from "../../files/index.ts";
import type { Tensor } from "../../tensors/index.ts";
import type { Contents } from "../readSource.ts";
import { chooseColumns } from "../tables/chooseColumns.ts";
import type { TableOptions } from "../tables/csvTable.ts";
import { loadTable, type TableRequest } from "../tables/loadTable.ts";
import { openTable } from "../tables/openTable.ts";
import type { TableFile } from "../tables/table.ts";
import { isImageName } from "./image.ts";
import { type ImageFiles, listedImages } from "./imageFiles.ts";

/** Images of a list, and the targets beside their paths. */
export interface ImageList {
  readonly files: ImageFiles;
  /** `[rows, ...]` in float64; absent if the list has paths alone. */
  readonly targets?: Tensor;
  readonly classes?: readonly string[];
}

/** What is read of a list. */
export interface ListRequest extends Pick<TableRequest, "label" | "targetType" | "classes" | "rows" | "signal"> {
  /** Folder that paths are relative to. */
  readonly folder: string;
  readonly reading: ReadOptions;
}

/**
 * A table with a column of paths of images, and columns of targets: `label`, or the last other column. Undefined if the first row has no path of
 * an image.
 */
export async function imageList(
  contents: Contents,
  { options, request }: { readonly options: TableOptions; readonly request: ListRequest },
): Promise<ImageList | undefined> {
  const found = await openList(options, (read) => openTable(contents, read));
  if (found === undefined) return undefined;
  const { table, column } = found;
  const { folder, reading, label, ...rest } = request;
  const { memoryLimit } = contents;
  const paths: string[] = [];
  const [from, to] = [request.rows?.[0] ?? 0, request.rows?.[1] ?? Number.POSITIVE_INFINITY];
  for await (const part of table.parts({ columns: [column], from, to })) {
    for (let row = 0; row < part.rows; row++) paths.push(String(part.cell(row, column)));
  }
  const others = Array.from({ length: table.columns }, (_, i) => i).filter((i) => i !== column);
  if (others.length > 1 && label === undefined) return undefined;
  const files = listedImages(paths, { name: table.name, folder, options: reading });
  if (label === false || others.length === 0) return { files };
  const { labels } = chooseColumns(table, { label: label ?? others.at(-1)!, columns: [column] });
  const { targets, classes } = await loadTable(onlyColumns(table, labels), { ...rest, targetsOnly: true, memoryLimit });
  return { files, ...(targets && { targets }), ...(classes && { classes }) };
}

/** The table of a list and its column of paths; undefined if the first row has no path of an image. */
export async function openList(
  options: TableOptions,
  open: (options: TableOptions) => Promise<TableFile>,
): Promise<{ readonly table: TableFile; readonly column: number } | undefined> {
  const table = await open(options);
  if (options.header === undefined && table.names?.some(isImageName))
    return openList({ ...options, header: false }, open);
  const columns = Array.from({ length: table.columns }, (_, column) => column);
  for await (const part of table.parts({ columns, from: 0, to: 1 })) {
    const column = columns.find((one) => isImageName(String(part.cell(0, one))));
    return column === undefined ? undefined : { table, column };
  }
  return undefined;
}

/** A table of some of the columns. */
function onlyColumns(table: TableFile, columns: readonly number[]): TableFile {
  const { names } = table;
  return {
    ...table,
    columns: columns.length,
    ...(names && { names: columns.map((column) => names[column]!) }),
    namesGuessed: false,
    async *parts({ columns: wanted, ...pass }) {
      for await (const part of table.parts({ ...pass, columns: wanted.map((column) => columns[column]!) })) {
        const { number } = part;
        yield {
          ...part,
          cell: (row, column) => part.cell(row, columns[column]!),
          ...(number && { number: (row, column) => number(row, columns[column]!) }),
        };
      }
    },
  };
}
