export type { EvaluationCost } from "../evaluations.ts";
export type { Penalty } from "../penalty.ts";
export type { SolveOptions } from "./dampedTrace.ts";
export {
  type EffectiveParametersOptions,
  effectiveParameters,
  type LocalEffectiveDimensionOptions,
  localEffectiveDimension,
  type SpectrumEstimate,
  type SpectrumOptions,
} from "./effectiveParameters.ts";
export { type EwcPenalty, type EwcPenaltyOptions, ewcPenalty } from "./ewcPenalty.ts";
export { type Hypergradient, type HypergradientOptions, hypergradient } from "./hypergradient.ts";
export { type MergedModel, type MergedTask, type MergeOptions, mergeModels } from "./mergeModels.ts";
export { type Tic, type TicOptions, tic } from "./tic.ts";
