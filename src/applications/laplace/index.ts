export type { FitSummary } from "./fitSummary.ts";
export { type LaplaceOptions, laplace } from "./laplace.ts";
export type { Structure, StructureName } from "./laplaceCurvature.ts";
export type { LaplacePosterior, PriorChange } from "./laplacePosterior.ts";
export type { LaplaceLikelihood } from "./likelihood.ts";
export { type LogMarginalLikelihood, logMarginalLikelihood } from "./logMarginalLikelihood.ts";
