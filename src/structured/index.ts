export type { Build, Coverage, StructuredApproximation } from "./approximation.ts";
export {
  type ApproximationError,
  type ApproximationErrorOptions,
  approximationError,
} from "./approximationError.ts";
export { type BestKronecker, type BestKroneckerOptions, bestKronecker } from "./bestKronecker.ts";
export { type BlockDiagonalOptions, blockDiagonal } from "./blockDiagonal.ts";
export * from "./blocks/index.ts";
export type { Damping } from "./damping.ts";
export { type DiagonalApproximation, type DiagonalOptions, diagonal, type ExactOptions } from "./diagonal.ts";
export { ekfac } from "./ekfac.ts";
export { type GramMatrix, type GramOptions, gramGgn } from "./gram/gramGgn.ts";
export { type HessianDiagonal, type HessianDiagonalOptions, hessianDiagonal } from "./hessianDiagonal.ts";
export { kfac } from "./kfac.ts";
export type { KroneckerOptions } from "./kroneckerOptions.ts";
export { type LowRankMatrix, type LowRankOptions, lowRankPlusDiagonal } from "./lowRankPlusDiagonal.ts";
export { mergeStructured } from "./mergeStructured.ts";
export type { RelativeError } from "./relativeError.ts";
export { type RiskIdentity, riskIdentity } from "./riskIdentity.ts";
export type { ApproximatedMatrix } from "./roots/rootOf.ts";
export { type RowDiagonalOptions, type RowDiagonals, rowDiagonals } from "./rows/rowDiagonals.ts";
export { type RowGradientNorms, rowGradientNorms } from "./rows/rowGradientNorms.ts";
export { type RowGradientProducts, type RowProductOptions, rowGradientProducts } from "./rows/rowGradientProducts.ts";
export type { RowRoute, RowRoutes } from "./rows/rowParts.ts";
export {
  type Identity,
  type LoadedStructured,
  type LoadOptions,
  loadStructured,
  type SavedNotes,
  type SaveOptions,
  saveStructured,
} from "./saved.ts";
export {
  type DampingOptions,
  type Eigenbasis,
  type StructuredOperator,
  type StructuredOperatorParts,
  structuredOperator,
} from "./structuredOperator.ts";
