export type { Coverage, StructuredApproximation } from "./approximation.ts";
export * from "./blocks/index.ts";
export type { Damping } from "./damping.ts";
export { ekfac } from "./ekfac.ts";
export { kfac } from "./kfac.ts";
export type { KroneckerOptions } from "./kroneckerOptions.ts";
export {
  type Identity,
  type LoadedStructured,
  type LoadOptions,
  loadStructured,
  type SavedNotes,
  type SaveOptions,
  saveStructured,
} from "./saved.ts";
export {
  type DampingOptions,
  type StructuredOperator,
  type StructuredOperatorParts,
  structuredOperator,
} from "./structuredOperator.ts";
