export type {
  Block,
  BlockDamping,
  BlockFunction,
  BlockKind,
  BlockProduct,
  DampingKind,
  LeftForms,
  LeftVectors,
} from "./block.ts";
export { checkFinite } from "./checkArrays.ts";
export { denseBlock } from "./denseBlock.ts";
export { diagonalBlock } from "./diagonalBlock.ts";
export { type EigenKroneckerBlock, eigenKronecker } from "./eigenKronecker.ts";
export {
  type DiagonalKroneckerBlock,
  diagonalKronecker,
  type KroneckerBlock,
  kronecker,
  type LaterMatrix,
  laterKronecker,
} from "./kronecker.ts";
export { type LowRankPlusDiagonal, lowRankPlusDiagonalBlock } from "./lowRankPlusDiagonalBlock.ts";
export { indicesOf, type Place, type PlacedBlock } from "./placedBlock.ts";
