export type { Block, BlockDamping, BlockFunction, BlockKind, BlockProduct, DampingKind } from "./block.ts";
export { dense } from "./dense.ts";
export { diagonal } from "./diagonal.ts";
export { type EigenKroneckerBlock, eigenKronecker } from "./eigenKronecker.ts";
export {
  type DiagonalKroneckerBlock,
  diagonalKronecker,
  type KroneckerBlock,
  kronecker,
} from "./kronecker.ts";
export { type LowRankPlusDiagonal, lowRankPlusDiagonalBlock } from "./lowRankPlusDiagonal.ts";
export { indicesOf, type Place, type PlacedBlock } from "./placedBlock.ts";
