export { type EmpiricalRiskOptions, empiricalRisk } from "./empiricalRisk.ts";
export { engineArithmetic } from "./engine/engineArithmetic.ts";
export { flatSum } from "./engine/flatVectors.ts";
export { type ResidualCache, residualCache } from "./engine/residualCache.ts";
export type {
  BatchConstants,
  BatchGraph,
  BatchOutputs,
  BatchProduct,
  BuiltProduct,
  EvaluatedBatch,
  LayeredBatchGraph,
  PassOptions,
  Risk,
  RiskEngine,
  RiskParameter,
  RiskSettings,
  Shard,
  Tensors,
} from "./engine/risk.ts";
export { vectorOutput } from "./engine/vectorOutput.ts";
export { type ExportedModel, type ExportedProduct, type ExportOptions, exportProduct } from "./exportProduct.ts";
export type { FisherOptions } from "./fisher.ts";
export type { GradientCovarianceOptions } from "./gradientCovariance.ts";
export {
  type InputOptions,
  inputGradient,
  inputHessian,
  inputJacobian,
  inputTangentGradient,
} from "./inputDerivatives.ts";
export { jacobian } from "./jacobian.ts";
export type {
  AffineLayer,
  BatchLayer,
  BatchLayers,
  ConvolutionLayer,
  EmbeddingLayer,
  LayerParameter,
  LinearLayer,
} from "./layers/batchLayer.ts";
export * from "./matrices.ts";
export { type CurvatureDefinition, curvatureMatrix } from "./products/curvatureMatrix.ts";
export { scaledLoss, summedLoss } from "./products/lossAndGradient.ts";
export { type RowGradientBlock, rowGradientBlocks } from "./rowGradientBlocks.ts";
export { rowGradients } from "./rowGradients.ts";
export { rowLosses } from "./rowLosses.ts";
