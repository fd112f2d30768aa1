export { add } from "./add.ts";
export { adjoint } from "./adjoint.ts";
export type { ApproximationError } from "./approximationError.ts";
export { type ArnoldiOptions, type ArnoldiResult, type ArnoldiState, arnoldi, arnoldiSteps } from "./arnoldi.ts";
export { type BicgstabOptions, type BicgstabState, bicgstab, bicgstabSteps } from "./bicgstab.ts";
export {
  type BlockLanczosOptions,
  type BlockLanczosResult,
  type BlockLanczosState,
  blockLanczos,
  blockLanczosSteps,
} from "./blockLanczos.ts";
export { type CgOptions, type CgResult, type CgState, cg, cgSteps } from "./cg.ts";
export { type CgBlockOptions, type CgBlockResult, type CgBlockState, cgBlock, cgBlockSteps } from "./cgBlock.ts";
export { cgInverse } from "./cgInverse.ts";
export { type CglsOptions, type CglsState, cgls, cglsSteps } from "./cgls.ts";
export { checkAdjoint } from "./checkAdjoint.ts";
export { checkPsd } from "./checkPsd.ts";
export { checkSymmetric } from "./checkSymmetric.ts";
export type { WhichComplex } from "./complexRitz.ts";
export { compose } from "./compose.ts";
export { type Certainty, type Interval, studentQuantile } from "./confidence.ts";
export { type CumulativeDensity, type CumulativeOptions, cumulativeDensity } from "./cumulativeDensity.ts";
export { damped } from "./damped.ts";
export {
  cholesky,
  choleskySolve,
  type DenseMatrix,
  type Eigendecomposition,
  eig,
  eigh,
  qr,
  type RealEigendecomposition,
  realSchur,
  type SingularValues,
  svd,
} from "./dense/index.ts";
export { dense } from "./dense.ts";
export {
  type DensityCurve,
  type DensityOptions,
  densityFromQuadrature,
  type LinearDensity,
  type LogarithmicDensity,
} from "./densityFromQuadrature.ts";
export { diagonal } from "./diagonal.ts";
export { diagPlusPlus, diagPlusPlusSteps } from "./diagPlusPlus.ts";
export { type EffectiveDimension, effectiveDimension } from "./effectiveDimension.ts";
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
  type EigshNearOptions,
  type EigshNearResult,
  type EigshNearState,
  eigshNear,
  eigshNearSteps,
} from "./eigshNear.ts";
export { explainSolver, type SolverChoice, type SolverName } from "./explainSolver.ts";
export {
  type FormFunction,
  type FunctionOperatorOptions,
  functionOperator,
  type ProductFunction,
} from "./functionOperator.ts";
export { gaussRadau } from "./gaussRadau.ts";
export { type GmresOptions, type GmresState, gmres, gmresSteps } from "./gmres.ts";
export { type EntriesEstimate, hutchinsonDiagonal } from "./hutchinsonDiagonal.ts";
export {
  type DiagonalEstimate,
  type HutchinsonMoments,
  hutchinsonMoments,
  hutchinsonSteps,
} from "./hutchinsonMoments.ts";
export { hutchinsonTrace, type TraceEstimate } from "./hutchinsonTrace.ts";
export { hutchPlusPlus, hutchPlusPlusSteps } from "./hutchPlusPlus.ts";
export { identity } from "./identity.ts";
export {
  type KernelPolynomialDensity,
  type KernelPolynomialOptions,
  type KernelPolynomialState,
  kernelPolynomial,
  kernelPolynomialSteps,
} from "./kernelPolynomial.ts";
export { type LanczosOptions, type LanczosResult, type LanczosState, lanczos, lanczosSteps } from "./lanczos.ts";
export type { Eigenpairs, GaussRule } from "./lanczosQuadrature.ts";
export {
  type LanczosQuadrature,
  type LanczosQuadratureOptions,
  type LanczosQuadratureState,
  lanczosQuadrature,
  lanczosQuadratureSteps,
  type Quadrature,
} from "./lanczosQuadrature.ts";
export type { LeastSquaresOptions, LeastSquaresResult } from "./leastSquares.ts";
export { type LobpcgOptions, type LobpcgResult, lobpcg, lobpcgSteps } from "./lobpcg.ts";
export type { LobpcgState } from "./lobpcgIteration.ts";
export { type LogDeterminant, type LogDeterminantOptions, logDeterminant } from "./logDeterminant.ts";
export { lowRank } from "./lowRank.ts";
export { type LsmrOptions, type LsmrState, lsmr, lsmrSteps } from "./lsmr.ts";
export {
  type MassEstimate,
  massFromQuadrature,
  type PartMass,
  type SpectrumPart,
} from "./massFromQuadrature.ts";
export { matmat } from "./matmat.ts";
export {
  type MatrixFunctionOptions,
  type MatrixFunctionResult,
  type MatrixFunctionState,
  matrixFunction,
  matrixFunctionSteps,
} from "./matrixFunction.ts";
export { type MinresOptions, type MinresState, minres, minresSteps } from "./minres.ts";
export { type MinresQlpOptions, type MinresQlpState, minresQlp, minresQlpSteps } from "./minresQlp.ts";
export {
  type MultiShiftCgOptions,
  type MultiShiftCgResult,
  type MultiShiftCgState,
  multiShiftCg,
  multiShiftCgSteps,
} from "./multiShiftCg.ts";
export { type NeumannOptions, neumannInverse } from "./neumannInverse.ts";
export { type LowRankOptions, type NystromApproximation, nystrom, nystromSteps } from "./nystrom.ts";
export type { Arithmetic } from "./arithmetic.ts";
export type { LinearOperator, Progress, RunOptions } from "./operator.ts";
export type { PlusPlusOptions, PlusPlusState } from "./plusPlus.ts";
export {
  type PowerIterationOptions,
  type PowerIterationResult,
  type PowerIterationState,
  powerIteration,
  powerIterationSteps,
} from "./powerIteration.ts";
export { jacobiPreconditioner, preconditioner } from "./preconditioner.ts";
export type { ProbeCheck, ProbeCheckOptions } from "./probeCheck.ts";
export type { HutchinsonOptions } from "./probeSteps.ts";
export type { DeflatedSums, DiagonalBlock, HutchinsonState } from "./probeSums.ts";
export type { ProbeDistribution } from "./probes.ts";
export type { PsdSketchOptions, PsdSketchState } from "./psdSketch.ts";
export { quadraticForms } from "./quadraticForms.ts";
export { type RandomizedSvd, type RandomizedSvdOptions, randomizedSvd, randomizedSvdSteps } from "./randomizedSvd.ts";
export type { RangeBasis } from "./rangeBasis.ts";
export type { RecordedState } from "./recorded.ts";
export type { Estimate, Outcome, Status } from "./result.ts";
export { type RichardsonOptions, type RichardsonState, richardson, richardsonSteps } from "./richardson.ts";
export type { Which } from "./ritzPairs.ts";
export { rowNorms } from "./rowNorms.ts";
export type { SampleSums } from "./sampleMean.ts";
export { scale } from "./scale.ts";
export { type SchattenNorm, type SchattenNormOptions, schattenNorm } from "./schattenNorm.ts";
export type { SketchOptions, SketchState } from "./sketch.ts";
export { type SolveOptions, type SolveResult, type SolverMethod, solve } from "./solve.ts";
export { solverInverse } from "./solverInverse.ts";
export type { SolverOptions, SolverResult, SolverState } from "./solverMethod.ts";
export { type DensityRun, spectralDensity } from "./spectralDensity.ts";
export { type SpectralMassOptions, spectralMass } from "./spectralMass.ts";
export { type SpectralNorm, type SpectralNormOptions, spectralNorm, spectralNormSteps } from "./spectralNorm.ts";
export { type BoundedSum, type SpectralSum, type SpectralSumOptions, spectralSum } from "./spectralSum.ts";
export { type SquaredFrobeniusEstimate, squaredFrobeniusNorm } from "./squaredFrobeniusNorm.ts";
export { type StateStore, type StateStoreOptions, stateStore } from "./stateStore.ts";
export {
  type SteihaugOptions,
  type SteihaugResult,
  type SteihaugState,
  steihaug,
  steihaugSteps,
} from "./steihaug.ts";
export { type Indices, submatrix } from "./submatrix.ts";
export { subtract } from "./subtract.ts";
export { type SvdsOptions, type SvdsResult, type SvdsState, svds, svdsSteps } from "./svds.ts";
export { type ToDenseOptions, toDense } from "./toDense.ts";
export { hostArithmetic } from "./vector.ts";
export { xdiag, xdiagSteps } from "./xdiag.ts";
export { xnysdiag, xnysdiagSteps } from "./xnysdiag.ts";
export { xnystrace, xnystraceSteps } from "./xnystrace.ts";
export { xtrace, xtraceSteps } from "./xtrace.ts";
