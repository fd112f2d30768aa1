import type { Data, Tensor } from "../index.ts";
import type { PictureShape, ShownRow } from "../report/index.ts";

/** Some rows of a data set with their numbers and labels, for a page: one pass over the data. */
export async function shownRows(data: Data, rows: readonly number[]): Promise<readonly ShownRow[]> {
  const wanted = [...new Set(rows)].sort((a, b) => a - b);
  const found: ShownRow[] = [];
  for await (const { start, rows: count, inputs, targets } of data.batches()) {
    const [input] = Object.values(inputs);
    for (const row of wanted) {
      if (row < start || row >= start + count || input === undefined) continue;
      const label = targets && labelOf(targets, row - start);
      found.push({ row, values: rowOf(input, row - start), ...(label !== undefined && { label }) });
    }
  }
  return found;
}

function rowOf({ data, dims }: Tensor, row: number): Float64Array {
  const size = dims.slice(1).reduce((product, dim) => product * dim, 1);
  return Float64Array.from({ length: size }, (_, i) => Number(data[row * size + i]));
}

function labelOf(targets: Tensor, row: number): string | undefined {
  const values = rowOf(targets, row);
  return values.length === 1 ? String(Number(values[0]!.toPrecision(6))) : undefined;
}

/** The axes of a row that is a picture by its own dimensions: [H, W], or [C, H, W] with one or three channels; undefined for others. */
export function pictureShape(dims: readonly number[]): PictureShape | undefined {
  const [first, second, third] = dims;
  if (dims.length === 2 && first! > 1 && second! > 1) return { channels: 1, height: first!, width: second! };
  if (dims.length === 3 && (first === 1 || first === 3) && second! > 1 && third! > 1) {
    return { channels: first, height: second!, width: third! };
  }
  return undefined;
}
