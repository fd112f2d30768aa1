export { type BicgstabOptions, type BicgstabState, bicgstab, bicgstabSteps } from "./bicgstab.ts";
export { type CgOptions, type CgResult, type CgState, cg, cgSteps } from "./cg.ts";
export {
  type CgColumnsOptions,
  type CgColumnsResult,
  type CgColumnsState,
  cgColumns,
  cgColumnsSteps,
} from "./cgColumns.ts";
export { type CglsOptions, type CglsState, cgls, cglsSteps } from "./cgls.ts";
export { explainSolver, type SolverChoice, type SolverName } from "./explainSolver.ts";
export { type GmresOptions, type GmresState, gmres, gmresSteps } from "./gmres.ts";
export type { LeastSquaresOptions, LeastSquaresResult } from "./leastSquares.ts";
export { type LsmrOptions, type LsmrState, lsmr, lsmrSteps } from "./lsmr.ts";
export { type MinresOptions, type MinresState, minres, minresSteps } from "./minres.ts";
export { type MinresQlpOptions, type MinresQlpState, minresQlp, minresQlpSteps } from "./minresQlp.ts";
export {
  type MultiShiftCgOptions,
  type MultiShiftCgResult,
  type MultiShiftCgState,
  multiShiftCg,
  multiShiftCgSteps,
} from "./multiShiftCg.ts";
export { type RichardsonOptions, type RichardsonState, richardson, richardsonSteps } from "./richardson.ts";
export { type SolveOptions, type SolveResult, type SolverMethod, solve } from "./solve.ts";
export type { SolverOptions, SolverResult, SolverState } from "./solverMethod.ts";
export { type SteihaugOptions, type SteihaugResult, type SteihaugState, steihaug, steihaugSteps } from "./steihaug.ts";
