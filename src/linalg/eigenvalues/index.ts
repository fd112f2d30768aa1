export {
  type BlockEigshOptions,
  type BlockEigshResult,
  type BlockEigshState,
  blockEigsh,
  blockEigshSteps,
} from "./blockEigsh.ts";
export type { BlockOptions } from "./blockIteration.ts";
export type { WhichComplex } from "./complexRitz.ts";
export { type EigsOptions, type EigsResult, type EigsState, eigs, eigsSteps } from "./eigs.ts";
export { type EigshOptions, type EigshResult, type EigshState, eigsh, eigshSteps } from "./eigsh.ts";
export {
  type EigshGeneralizedOptions,
  type EigshGeneralizedResult,
  type EigshGeneralizedState,
  eigshGeneralized,
  eigshGeneralizedSteps,
} from "./eigshGeneralized.ts";
export {
  type EigshInteriorOptions,
  type EigshInteriorResult,
  type EigshInteriorState,
  eigshInterior,
  eigshInteriorSteps,
} from "./eigshInterior.ts";
export { type LobpcgOptions, type LobpcgResult, lobpcg, lobpcgSteps } from "./lobpcg.ts";
export type { LobpcgState } from "./lobpcgIteration.ts";
export type { Which } from "./ritzPairs.ts";
export { type SvdsOptions, type SvdsResult, type SvdsState, svds, svdsSteps } from "./svds.ts";
export type { ThickRestartOptions } from "./thickRestart.ts";
