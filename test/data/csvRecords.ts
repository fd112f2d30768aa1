import type { CsvRows } from "../../src/data/tables/csvRows.ts";

/** All rows of a block of CSV text: cells as text, and the line where each row begins. */
export function recordsOf(rows: CsvRows) {
  return Array.from({ length: rows.count }, (_, row) => ({
    cells: Array.from({ length: rows.width(row) }, (_, column) => rows.cell(row, column)),
    line: rows.line(row),
  }));
}
