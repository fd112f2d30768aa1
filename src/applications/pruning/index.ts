export { type CompensateOptions, type Compensation, compensate } from "./compensate.ts";
export type { InverseOptions } from "./curvatureModel.ts";
export { type DenseBlock, type DenseBlockOperator, type DenseCurvatureOptions, denseCurvature } from "./denseBlocks.ts";
export type { PruningMatrix } from "./matrixChoice.ts";
export { type Saliency, type SaliencyOptions, saliency } from "./saliency.ts";
export type { SaliencyMethod } from "./scores.ts";
export type { PruningUnit } from "./units.ts";
export { type WoodFisherOptions, woodFisher } from "./woodFisher.ts";
