import { CurvatureError } from "../errors/index.ts";
import type { RangeFile } from "../files/index.ts";
import { arrayTypes, sizeOf } from "../tensors/index.ts";
import { decodeElements } from "./decodeElements.ts";
import { isIdx, readIdxHeader } from "./readIdx.ts";
import { isNpy, readNpyHeader } from "./readNpy.ts";
import type { StreamedRows, StreamPass } from "./tables/streamTable.ts";
import { checkedRange, type RowRange } from "./takeRows.ts";

/** Bytes that are read at once, at least one row. */
const PART = 2 ** 22;
/** Longest header that is looked for. */
const HEADER = 2 ** 16;

/** Rows of an array in a file that are read again on every pass. */
export interface StreamedArray {
  readonly rows: number;
  /** A pass: the rows as the input "" of each part. */
  parts(pass: StreamPass): AsyncIterable<StreamedRows>;
}

/** Whether a file is an array in NPY or IDX format, by its first bytes. */
export function isArrayFile(head: Uint8Array): boolean {
  return isNpy(head) || isIdx(head);
}

/**
 * Rows of an IDX file, or of an NPY file in C order, read in ranges.
 *
 * @throws CurvatureError as `readNpy` and `readIdx`; "unsupported" for Fortran order, whose rows are spread over the whole file
 */
export async function streamArray(
  file: RangeFile,
  { rows: range }: { readonly rows?: RowRange | undefined },
): Promise<StreamedArray> {
  const { name, size } = file;
  const head = await file.range(0, HEADER);
  const header = isIdx(head) ? readIdxHeader(head, name) : readNpyHeader(head, name);
  const { dtype, dims, offset, littleEndian, fortranOrder } = header;
  const total = dims[0] ?? 0;
  if (total === 0)
    throw new CurvatureError(
      "data",
      `${name}: expected at least one row, got ${dims.length === 0 ? "a scalar" : "none"}`,
    );
  if (fortranOrder && dims.length > 1) {
    throw new CurvatureError(
      "unsupported",
      `${name}: expected an array in C order, got Fortran order; save numpy.ascontiguousarray(x), or leave out stream (--stream)`,
    );
  }
  const row = dims.slice(1);
  const rowBytes = sizeOf(row) * arrayTypes[dtype].BYTES_PER_ELEMENT;
  if (size !== offset + total * rowBytes) {
    throw new CurvatureError(
      "file",
      `${name}: its header announces ${total * rowBytes} bytes, but ${size - offset} follow; the file is ${size < offset + total * rowBytes ? "truncated" : "longer than its array"}`,
    );
  }
  const [from, to] = range === undefined ? [0, total] : checkedRange(range, { rows: total, where: name });
  const step = Math.max(1, Math.floor(PART / rowBytes));
  return {
    rows: to - from,
    async *parts(pass) {
      const end = from + pass.to;
      for (let start = from + pass.from; start < end && !pass.signal?.aborted; start += step) {
        const rows = Math.min(step, end - start);
        const bytes = await file.range(offset + start * rowBytes, rows * rowBytes);
        const partDims = [rows, ...row];
        const data = decodeElements(bytes, { dtype, dims: partDims, littleEndian, name });
        yield { start, rows, inputs: { "": { data, dims: partDims, dtype } } };
      }
    },
  };
}
