export { type EntriesEstimate, hutchinsonDiagonal } from "./hutchinsonDiagonal.ts";
export {
  type DiagonalEstimate,
  type HutchinsonMoments,
  hutchinsonMoments,
  hutchinsonSteps,
} from "./hutchinsonMoments.ts";
export { hutchinsonTrace, type TraceEstimate } from "./hutchinsonTrace.ts";
export { type HutchinsonOptions, probeSteps } from "./probeSteps.ts";
export type { DeflatedSums, DiagonalBlock, HutchinsonState } from "./probeSums.ts";
export { rowNorms } from "./rowNorms.ts";
export { type SquaredFrobeniusEstimate, squaredFrobeniusNorm } from "./squaredFrobeniusNorm.ts";
