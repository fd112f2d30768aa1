// Of some folders everything that their index lists is public, of the others what is listed here.

export * from "./algebra/index.ts";
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
export * from "./eigenvalues/index.ts";
export * from "./inverses/index.ts";
export * from "./krylov/index.ts";
export {
  adjoint,
  type LinearOperator,
  matmat,
  type Progress,
  quadraticForms,
  type RunOptions,
} from "./operator/index.ts";
export * from "./properties/index.ts";
export {
  type Estimate,
  type Outcome,
  type ProductLogState,
  type StateStore,
  type StateStoreOptions,
  type Status,
  stateStore,
} from "./runs/index.ts";
export {
  type ApproximationError,
  diagPlusPlus,
  diagPlusPlusSteps,
  hutchPlusPlus,
  hutchPlusPlusSteps,
  type LowRankOptions,
  type NystromApproximation,
  nystrom,
  nystromSteps,
  type PlusPlusOptions,
  type PlusPlusState,
  type PsdSketchOptions,
  type PsdSketchState,
  type RandomizedSvd,
  type RandomizedSvdOptions,
  type RangeBasis,
  randomizedSvd,
  randomizedSvdSteps,
  type SketchOptions,
  type SketchOrigin,
  type SketchState,
  xdiag,
  xdiagSteps,
  xnysdiag,
  xnysdiagSteps,
  xnystrace,
  xnystraceSteps,
  xtrace,
  xtraceSteps,
} from "./sketching/index.ts";
export * from "./spectra/index.ts";
export { type Certainty, type Interval, type SampleSums, studentQuantile } from "./statistics/index.ts";
export * from "./systems/index.ts";
export {
  type DeflatedSums,
  type DiagonalBlock,
  type DiagonalEstimate,
  type EntriesEstimate,
  type HutchinsonMoments,
  type HutchinsonOptions,
  type HutchinsonState,
  hutchinsonDiagonal,
  hutchinsonMoments,
  hutchinsonSteps,
  hutchinsonTrace,
  rowNorms,
  type SquaredFrobeniusEstimate,
  squaredFrobeniusNorm,
  type TraceEstimate,
} from "./traces/index.ts";
export {
  type Arithmetic,
  type BasisRows,
  type BasisSplit,
  hostArithmetic,
  type ProbeDistribution,
} from "./vectors/index.ts";
