export { empiricalFisher } from "./empiricalFisher.ts";
export { type EmpiricalRiskOptions, empiricalRisk } from "./empiricalRisk.ts";
export { type FisherOptions, fisher } from "./fisher.ts";
export { ggn } from "./ggn.ts";
export { gradientCovariance } from "./gradientCovariance.ts";
export { hessian } from "./hessian.ts";
export { jacobian } from "./jacobian.ts";
export type { BatchGraph, BatchProduct, EvaluatedBatch, Risk, RiskEngine, RiskParameter } from "./risk.ts";
