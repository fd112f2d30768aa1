import { CurvatureError } from "../../errors/index.ts";

/** Refuses indices of rows that there are not, or that come twice. */
export function checkIndices(name: string, rows: readonly number[], count: number): void {
  const seen = new Set<number>();
  for (const row of rows) {
    if (!Number.isInteger(row) || row < 0 || row >= count || seen.has(row)) {
      const fault = seen.has(row) ? `${row} twice` : String(row);
      throw new CurvatureError(
        "argument",
        `${name} expects different rows, integers from 0 to ${count - 1}, got ${fault}`,
      );
    }
    seen.add(row);
  }
  if (rows.length > 0) return;
  throw new CurvatureError("argument", `${name} expects at least one row, got none`);
}
