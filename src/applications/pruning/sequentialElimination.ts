import { axpy } from "../../linalg/vectors/vector.ts";
import type { InverseBlock } from "./curvatureModel.ts";

/** What is removed one at a time. */
export interface EliminationRequest {
  /** `[size]`, the weights; with a gradient less `u = C g`. */
  readonly weights: Float64Array;
  /** `[size]`, group of each weight that may be removed, -1 for the others. */
  readonly groups: Int32Array;
  /** Number of weights to remove of each group. */
  readonly counts: readonly number[];
  /** Number of weights to remove in all. */
  readonly count: number;
}

/** Weights in the order in which they were removed. */
export interface Elimination {
  readonly removed: Int32Array;
  /** Sum of the saliencies up to each. */
  readonly costs: Float64Array;
  /** `[size]`, the weights afterwards. */
  readonly weights: Float64Array;
}

/** A block of the inverse that changes while weights are removed, and its weight of least saliency. */
interface EliminationBlock {
  readonly indices: Int32Array;
  readonly C: Float64Array;
  readonly w: Float64Array;
  readonly isRemoved: Uint8Array;
  best: { readonly position: number; readonly saliency: number };
}

/**
 * Removes the weight of least saliency `w_i^2 / (2 C_ii)`, adapts the others, `w <- w - w_i / C_ii C e_i`, and eliminates it from the model, `C <- C - C e_i e_i'C / C_ii`; then the next
 * (Hassibi and Stork, 1993; Frantar and Alistarh, 2022). The weights afterwards are those of the group formula for the same set. n^2 operations a weight in a block of n.
 */
export function sequentialElimination(
  inverse: readonly InverseBlock[],
  { weights, groups, counts, count }: EliminationRequest,
): Elimination {
  const left = [...counts];
  const blocks = inverse.map(
    ({ indices, inverse: C }): EliminationBlock => ({
      indices,
      C: C.slice(),
      w: Float64Array.from(indices, (index) => weights[index]!),
      isRemoved: new Uint8Array(indices.length),
      best: { position: -1, saliency: Number.POSITIVE_INFINITY },
    }),
  );
  const find = (block: EliminationBlock) => {
    block.best = leastSalient(block, (index) => groups[index]! >= 0 && left[groups[index]!]! > 0);
  };
  for (const block of blocks) find(block);
  const removed = new Int32Array(count);
  const costs = new Float64Array(count);
  let total = 0;
  for (let k = 0; k < count; k++) {
    const block = blocks.reduce((best, each) => (each.best.saliency < best.best.saliency ? each : best));
    const { position, saliency } = block.best;
    const index = block.indices[position]!;
    total += saliency;
    removed[k] = index;
    costs[k] = total;
    eliminate(block, position);
    // A group that is done is out of the running in every block.
    if (--left[groups[index]!]! === 0) for (const each of blocks) find(each);
    else find(block);
  }
  const after = weights.slice();
  for (const { indices, w } of blocks) for (let i = 0; i < w.length; i++) after[indices[i]!] = w[i]!;
  return { removed, costs, weights: after };
}

function leastSalient(
  { indices, C, w, isRemoved }: EliminationBlock,
  mayGo: (index: number) => boolean,
): EliminationBlock["best"] {
  const n = indices.length;
  let best = { position: -1, saliency: Number.POSITIVE_INFINITY };
  for (let i = 0; i < n; i++) {
    if (isRemoved[i] !== 0 || !mayGo(indices[i]!)) continue;
    const saliency = (w[i]! * w[i]!) / (2 * C[i * (n + 1)]!);
    if (saliency < best.saliency) best = { position: i, saliency };
  }
  return best;
}

function eliminate({ indices, C, w, isRemoved }: EliminationBlock, i: number): void {
  const n = indices.length;
  const column = C.slice(i * n, (i + 1) * n);
  const pivot = column[i]!;
  const factor = w[i]! / pivot;
  isRemoved[i] = 1;
  for (let k = 0; k < n; k++) w[k] = isRemoved[k] !== 0 ? 0 : w[k]! - factor * column[k]!;
  for (let j = 0; j < n; j++) {
    // Rows and columns of removed weights are read no more.
    if (isRemoved[j] !== 0 || column[j] === 0) continue;
    axpy(-column[j]! / pivot, column, C.subarray(j * n, (j + 1) * n));
  }
}
