export { type ArnoldiOptions, type ArnoldiResult, type ArnoldiState, arnoldi, arnoldiSteps } from "./arnoldi.ts";
export {
  type KrylovOptions,
  type LanczosOptions,
  type LanczosResult,
  type LanczosState,
  lanczos,
  lanczosSteps,
} from "./lanczos.ts";
export {
  type PowerIterationOptions,
  type PowerIterationResult,
  type PowerIterationState,
  powerIteration,
  powerIterationSteps,
} from "./powerIteration.ts";
