export { empiricalFisher } from "./empiricalFisher.ts";
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
export { type FisherOptions, fisher } from "./fisher.ts";
export { ggn } from "./ggn.ts";
export { type GradientCovarianceOptions, gradientCovariance } from "./gradientCovariance.ts";
export { gradientSecondMoment } from "./gradientSecondMoment.ts";
export { hessian } from "./hessian.ts";
export { type InputOptions, inputGradient, inputHessian, inputJacobian } from "./inputDerivatives.ts";
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
export { type CurvatureDefinition, curvatureMatrix } from "./products/curvatureMatrix.ts";
export { scaledLoss, summedLoss } from "./products/lossAndGradient.ts";
