export { type CumulativeDensity, type CumulativeOptions, cumulativeDensity } from "./cumulativeDensity.ts";
export {
  type DensityCurve,
  type DensityOptions,
  densityFromQuadrature,
  type LinearDensity,
  type LogarithmicDensity,
} from "./densityFromQuadrature.ts";
export { type EffectiveDimension, effectiveDimension } from "./effectiveDimension.ts";
export { gaussRadau } from "./gaussRadau.ts";
export {
  type KernelPolynomialDensity,
  type KernelPolynomialOptions,
  type KernelPolynomialState,
  kernelPolynomial,
  kernelPolynomialSteps,
} from "./kernelPolynomial.ts";
export {
  type Eigenpairs,
  type GaussRule,
  type LanczosQuadrature,
  type LanczosQuadratureOptions,
  type LanczosQuadratureState,
  lanczosQuadrature,
  lanczosQuadratureSteps,
  type Quadrature,
} from "./lanczosQuadrature.ts";
export { type LogDeterminant, type LogDeterminantOptions, logDeterminant } from "./logDeterminant.ts";
export { type MassEstimate, massFromQuadrature, type PartMass, type SpectrumPart } from "./massFromQuadrature.ts";
export {
  type MatrixFunctionOptions,
  type MatrixFunctionResult,
  type MatrixFunctionState,
  matrixFunction,
  matrixFunctionSteps,
} from "./matrixFunction.ts";
export { type SchattenNorm, type SchattenNormOptions, schattenNorm } from "./schattenNorm.ts";
export { type DensityRun, spectralDensity } from "./spectralDensity.ts";
export { type SpectralMassOptions, spectralMass } from "./spectralMass.ts";
export { type SpectralNorm, type SpectralNormOptions, spectralNorm, spectralNormSteps } from "./spectralNorm.ts";
export { type BoundedSum, type SpectralSum, type SpectralSumOptions, spectralSum } from "./spectralSum.ts";
