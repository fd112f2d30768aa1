export { type Influence, type InfluenceOptions, type InfluenceState, influence, influenceSteps } from "./influence.ts";
export type { InverseOptions } from "./inverseOptions.ts";
export type { QueryInfluence } from "./queryInfluence.ts";
export type { RowInfluence } from "./rankedRows.ts";
export {
  type SelfInfluence,
  type SelfInfluenceOptions,
  type SelfInfluenceState,
  selfInfluence,
  selfInfluenceSteps,
} from "./selfInfluence.ts";
export type { EigenpairSolver, InfluenceSolver, IterativeSolver, LissaSolver } from "./solverOptions.ts";
