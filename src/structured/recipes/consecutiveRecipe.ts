import type { Value } from "../../graph/index.ts";
import type { DenseMatrix } from "../../linalg/dense/index.ts";
import type { RiskParameter, Tensors } from "../../operators/engine/risk.ts";
import { concat, permute, reshape, zeros } from "../../primitives/index.ts";
import type { BatchPieces } from "../plan/batchPieces.ts";
import { secondMoment } from "../sums/factorSums.ts";
import { groupMatrix } from "../sums/numbers.ts";

/** Parameters that lie one after the other in a flat vector, cut into blocks. */
export interface Segment {
  readonly id: string;
  /** Indices of the parameters. */
  readonly parameters: readonly number[];
  readonly offset: number;
  readonly size: number;
  /** Entries of a block; the last one may be shorter. */
  readonly blockSize: number;
}

/** The segments of a flat vector: the whole of it, or one for each parameter. */
export function segmentsOf(
  parameters: readonly RiskParameter[],
  { blockSize, across }: { readonly blockSize: number; readonly across: boolean },
): readonly Segment[] {
  const lists = across ? [parameters.map((_, index) => index)] : parameters.map((_, index) => [index]);
  return lists.flatMap((list) => {
    const size = list.reduce((sum, index) => sum + parameters[index].size, 0);
    if (size === 0) return [];
    const { offset } = parameters[list[0]];
    return [{ id: `segment ${offset}`, parameters: list, offset, size, blockSize: Math.min(blockSize, size) }];
  });
}

/** The sums of the blocks of each segment, [blocks, blockSize, blockSize]: entries beyond the end of a segment are zero. */
export function consecutiveSums(
  segments: readonly Segment[],
  sizes: readonly number[],
): { sums(pieces: BatchPieces): { readonly [name: string]: Value } } {
  return {
    sums: (pieces) =>
      Object.fromEntries(segments.map((segment) => [segment.id, segmentSum(segment, { pieces, sizes })])),
  };
}

function segmentSum(
  { parameters, size, blockSize }: Segment,
  { pieces, sizes }: { readonly pieces: BatchPieces; readonly sizes: readonly number[] },
): Value {
  const count = Math.ceil(size / blockSize);
  const parts = parameters.map((index) => pieces.parameter(index));
  const known = parts.find((part) => part !== undefined);
  if (known === undefined) return zeros([count, blockSize, blockSize]);
  const [passes, rows] = known.shape;
  const whole = parts.map((part, i) => part ?? zeros([passes, rows, sizes[parameters[i]]]));
  const missing = count * blockSize - size;
  const padded = concat(missing === 0 ? whole : [...whole, zeros([passes, rows, missing])], 2);
  return secondMoment(permute(reshape(padded, [passes * rows, count, blockSize]), [1, 0, 2]));
}

/** The blocks of a segment, from the sums over all rows and the factor c of the objective. */
export function segmentBlocks(
  { id, offset, size, blockSize }: Segment,
  { totals, scale }: { readonly totals: Tensors; readonly scale: number },
): readonly { readonly indices: Int32Array; readonly matrix: DenseMatrix }[] {
  return Array.from({ length: Math.ceil(size / blockSize) }, (_, k) => {
    const first = k * blockSize;
    const length = Math.min(blockSize, size - first);
    const matrix = leading(groupMatrix(totals[id], k, scale), length);
    return { indices: Int32Array.from({ length }, (_, i) => offset + first + i), matrix };
  });
}

/** The leading part `[n, n]` of a matrix. */
function leading(M: DenseMatrix, n: number): DenseMatrix {
  if (n === M.rows) return M;
  const data = new Float64Array(n * n);
  for (let j = 0; j < n; j++) data.set(M.data.subarray(j * M.rows, j * M.rows + n), j * n);
  return { rows: n, columns: n, data };
}
