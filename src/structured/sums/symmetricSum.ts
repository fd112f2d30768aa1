import type { Value } from "../../graph/index.ts";
import { concat, matmul, reshape, slice } from "../../primitives/index.ts";

/** Rows of a block of the upper triangle: with fewer, cutting the operands costs more than what is left out saves. */
const BLOCK = 256;

/**
 * The sum `x' y` over rows, [groups, count, d] twice -> [groups, d, d], for operands with which it is symmetric. Of a large matrix of a single
 * group, only blocks of rows from the diagonal on are computed. They follow one after the other, [1, entries]; `unpackSymmetric` reads either
 * form.
 */
export function symmetricSum(x: Value, y: Value): Value {
  const [groups, count, d] = x.shape;
  if (groups > 1) return matmul(x, y, { transposeA: true });
  const flatX = reshape(x, [count, d]);
  const flatY = x === y ? flatX : reshape(y, [count, d]);
  if (d <= BLOCK) return reshape(matmul(flatX, flatY, { transposeA: true }), [1, d, d]);
  const blocks = rowBlocks(d).map(([first, end]) => {
    const left = slice(flatX, { axis: 1, start: first, limit: end });
    const right = slice(flatY, { axis: 1, start: first, limit: d });
    return reshape(matmul(left, right, { transposeA: true }), [1, (end - first) * (d - first)]);
  });
  return concat(blocks, 1);
}

function rowBlocks(d: number): (readonly [first: number, end: number])[] {
  return Array.from({ length: Math.ceil(d / BLOCK) }, (_, k) => [k * BLOCK, Math.min((k + 1) * BLOCK, d)] as const);
}

/** The numbers that hold the upper triangle of a matrix of order d. They grow with d. */
function packedEntries(d: number): number {
  return rowBlocks(d).reduce((sum, [first, end]) => sum + (end - first) * (d - first), 0);
}

/** The order of the matrices of a sum of this shape. */
export function symmetricOrder(dims: readonly number[]): number {
  if (dims.length === 3) return dims[2];
  let d = Math.floor(Math.sqrt(dims[1]));
  while (packedEntries(d) < dims[1]) d++;
  return d;
}

/** Tiles of this many rows and columns stay in the processor's caches, transposed ones too. */
const TILE = 32;

/** Both halves of a symmetric matrix of order d, row-major, from its upper triangle times a factor. */
export function unpackSymmetric(
  upper: Float64Array,
  { d, factor, isPacked }: { readonly d: number; readonly factor: number; readonly isPacked: boolean },
): Float64Array {
  const entries = new Float64Array(d * d);
  let at = 0;
  for (const [first, end] of isPacked ? rowBlocks(d) : [[0, d] as const]) {
    const block = upper.subarray(at, at + (end - first) * (d - first));
    unpackRows(block, { entries, d, factor, first, end });
    at += block.length;
  }
  return entries;
}

/** Writes rows [first, end) from the diagonal on, given from column `first` on, and their transpose. */
function unpackRows(
  block: Float64Array,
  range: {
    readonly entries: Float64Array;
    readonly d: number;
    readonly factor: number;
    readonly first: number;
    readonly end: number;
  },
): void {
  const { entries, d, factor, first, end } = range;
  const width = d - first;
  for (let i = first; i < end; i++) {
    const from = (i - first) * width - first;
    for (let j = i; j < d; j++) entries[i * d + j] = factor * block[from + j];
  }
  for (let row = first; row < d; row += TILE) {
    for (let column = first; column < Math.min(end, row + TILE); column += TILE) {
      for (let j = row; j < Math.min(row + TILE, d); j++) {
        const limit = Math.min(column + TILE, end, j);
        for (let i = column; i < limit; i++) entries[j * d + i] = entries[i * d + j];
      }
    }
  }
}
