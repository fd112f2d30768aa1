import type { DenseMatrix } from "../../linalg/dense/index.ts";

// Stand-in while the algebra of blocks is written on another branch.
export type Place =
  | { readonly offset: number; readonly dims?: readonly [number, number]; readonly transposed?: boolean }
  | { readonly indices: Int32Array };
export type Block =
  | { readonly kind: "kronecker"; readonly A: DenseMatrix; readonly B: DenseMatrix }
  | { readonly kind: "eigenKronecker"; readonly QA: DenseMatrix | undefined; readonly QB: DenseMatrix; readonly E: Float64Array }
  | { readonly kind: "diagonalKronecker"; readonly A: Float64Array; readonly B: DenseMatrix }
  | { readonly kind: "dense"; readonly matrix: DenseMatrix }
  | { readonly kind: "diagonal"; readonly values: Float64Array };
export interface PlacedBlock {
  readonly block: Block;
  readonly name: string;
  readonly parameters: readonly number[];
  readonly place: Place;
  readonly reason: string;
}
export const kronecker = (f: { A: DenseMatrix; B: DenseMatrix }): Block => ({ kind: "kronecker", ...f });
export const diagonalKronecker = (f: { A: Float64Array; B: DenseMatrix }): Block => ({ kind: "diagonalKronecker", ...f });
export const dense = (matrix: DenseMatrix): Block => ({ kind: "dense", matrix });
export const diagonal = (values: Float64Array): Block => ({ kind: "diagonal", values });
export const eigenKronecker = (f: { QA: DenseMatrix | undefined; QB: DenseMatrix; E: Float64Array }): Block => ({ kind: "eigenKronecker", ...f });
