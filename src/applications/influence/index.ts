export { logit, margin } from "../../losses/index.ts";
export { type GroupInfluence, groupInfluence } from "./groupInfluence.ts";
export { type Influence, type InfluenceOptions, type InfluenceState, influence, influenceSteps } from "./influence.ts";
export {
  type DampedScores,
  type DampingOptions,
  type InfluenceByDamping,
  influenceByDamping,
} from "./influenceByDamping.ts";
export { type InputInfluence, type InputInfluenceOptions, inputInfluence } from "./inputInfluence.ts";
export type { InverseOptions } from "./inverseOptions.ts";
export { type LeaveOneOut, type LeaveOneOutOptions, type LeftOut, leaveOneOut } from "./leaveOneOut.ts";
export {
  type DatamodelingOptions,
  type DatamodelingScore,
  linearDatamodelingScore,
} from "./linearDatamodelingScore.ts";
export type { QueryInfluence } from "./queryInfluence.ts";
export type { RowInfluence } from "./rankedRows.ts";
export { recall } from "./recall.ts";
export {
  type ReplacementInfluence,
  type ReplacementOptions,
  replacementInfluence,
} from "./replacementInfluence.ts";
export type { Retraining } from "./retraining.ts";
export {
  type SelfInfluence,
  type SelfInfluenceOptions,
  type SelfInfluenceState,
  selfInfluence,
  selfInfluenceSteps,
} from "./selfInfluence.ts";
export type { EigenpairSolver, InfluenceSolver, IterativeSolver, LissaSolver } from "./solverOptions.ts";
