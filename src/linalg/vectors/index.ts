export type { Arithmetic, BasisRows, BasisSplit } from "./arithmetic.ts";
export { withInputCopy } from "./inputCopy.ts";
export { type ProbeDistribution, probe } from "./probes.ts";
export {
  addCompensated,
  axpy,
  combination,
  combinationWithNorm,
  dot,
  hostArithmetic,
  innerProducts,
  isFiniteVector,
  maxAbs,
  multiply,
  norm,
  scal,
  scaled,
  transposedProduct,
} from "./vector.ts";
