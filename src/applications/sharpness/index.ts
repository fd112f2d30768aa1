export type { EvaluationCost } from "../evaluations.ts";
export {
  type AverageSharpness,
  type AverageSharpnessOptions,
  averageSharpness,
  type PacBayesOptions,
  type PacBayesSharpness,
  pacBayesSharpness,
} from "./averageSharpness.ts";
export { type BoxSharpness, type BoxSharpnessOptions, boxSharpness } from "./boxSharpness.ts";
export {
  type CheckpointCurvature,
  type CheckpointCurvatureOptions,
  checkpointCurvature,
} from "./checkpointCurvature.ts";
export { type FisherRaoNorm, fisherRaoNorm } from "./fisherRaoNorm.ts";
export { type GradientNoiseOptions, type GradientNoiseScale, gradientNoiseScale } from "./gradientNoiseScale.ts";
export {
  type Landscape,
  type LandscapeAxis,
  type LandscapeOptions,
  type LandscapeState,
  landscape,
  landscapeSteps,
} from "./landscape.ts";
export {
  checkpointDirection,
  type EigenvectorDirectionsOptions,
  eigenvectorDirections,
  type FilterNormalizedOptions,
  filterNormalized,
  gradientDirection,
  type LandscapeDirection,
  type RandomDirectionsOptions,
  randomDirections,
} from "./landscapeDirections.ts";
export type { PerturbationScale, ScaleOptions } from "./perturbationScale.ts";
export { type LayerFlatness, type RelativeFlatnessOptions, relativeFlatness } from "./relativeFlatness.ts";
export { type SamSharpness, type SamSharpnessOptions, samSharpness } from "./samSharpness.ts";
export { type StableLearningRate, type StableLearningRateOptions, stableLearningRate } from "./stableLearningRate.ts";
export {
  type AscentEnd,
  type WorstCaseOptions,
  type WorstCaseSharpness,
  worstCaseSharpness,
} from "./worstCaseSharpness.ts";
