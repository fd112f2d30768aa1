export type { EvaluationCost } from "../evaluations.ts";
export type { Penalty } from "../penalty.ts";
export { type AdamMemory, type AdamOptions, type AdamState, adam, adamSteps } from "./adam.ts";
export {
  type GradientDescentMemory,
  type GradientDescentOptions,
  type GradientDescentState,
  gradientDescent,
  gradientDescentSteps,
} from "./gradientDescent.ts";
export {
  type HessianFreeMemory,
  type HessianFreeOptions,
  type HessianFreeState,
  hessianFree,
  hessianFreeSteps,
  type PreconditionerFactory,
} from "./hessianFree.ts";
export {
  type DampingOptions,
  type LevenbergMarquardtMemory,
  type LevenbergMarquardtOptions,
  type LevenbergMarquardtState,
  levenbergMarquardt,
  levenbergMarquardtSteps,
} from "./levenbergMarquardt.ts";
export {
  type NaturalGradientMemory,
  type NaturalGradientOptions,
  type NaturalGradientState,
  naturalGradient,
  naturalGradientSteps,
} from "./naturalGradient.ts";
export {
  type NewtonCgMemory,
  type NewtonCgOptions,
  type NewtonCgState,
  newtonCg,
  newtonCgSteps,
} from "./newtonCg.ts";
export type { CurvatureFactory, ObjectiveOptions } from "./objective.ts";
export type { TrainingOptions, TrainingResult, TrainingState, TrainingStep } from "./trainingMethod.ts";
