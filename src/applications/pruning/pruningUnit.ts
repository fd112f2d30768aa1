/** Weights that are removed together. */
export interface PruningUnit {
  /** What it is, as "0.weight row 3". */
  readonly name: string;
  /** Tensor that its sparsity is counted in. */
  readonly tensor: string;
  /** Positions of its weights in a flat vector. */
  readonly indices: Int32Array;
}
