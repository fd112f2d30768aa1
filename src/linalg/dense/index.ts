export {
  cholesky,
  choleskySolve,
  type Eigendecomposition,
  eig,
  eigh,
  eighInPlace,
  qr,
  type RealEigendecomposition,
  realSchur,
  type SingularValues,
  svd,
  tridiagonalEigh,
} from "./dense.ts";
export type { DenseMatrix } from "./kernels.ts";
