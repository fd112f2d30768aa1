export {
  cholesky,
  choleskySolve,
  type DenseMatrix,
  type Eigendecomposition,
  eigh,
  qr,
  tridiagonalEigh,
} from "./dense.ts";
