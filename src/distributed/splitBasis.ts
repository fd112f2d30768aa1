import { checkObject } from "../errors/index.ts";
import type { LinearOperator } from "../linalg/operator/operator.ts";
import { hostArithmetic } from "../linalg/vectors/vector.ts";
import type { Communicator } from "./communicator.ts";
import { splitArithmetic } from "./splitArithmetic.ts";

/**
 * The operator with Krylov bases of its vectors split over ranks, for an operator of one's own that is called on all ranks with the same vectors
 * and gives the same products on each. `eigsh`, `lanczos`, and what is made of Lanczos bases (`spectralDensity`, `matrixFunction`, ...) then
 * hold an nth of the basis on each of n ranks, for one exchange of a vector in every pass of orthogonalization and two to read a step's vectors.
 * Results have the same bits on all ranks and depend on their number; other methods run as before. Matrices of a risk have it by
 * `empiricalRisk({ ..., splitBasis })`.
 */
export function splitBasis(A: LinearOperator, communicator: Communicator): LinearOperator {
  checkObject(A, "splitBasis expects a linear operator", ["shape", "matvec"]);
  checkObject(communicator, "splitBasis expects a communicator", ["rank", "size"]);
  if (communicator.size === 1) return A;
  const { arithmetic: local = hostArithmetic } = A;
  return { ...A, arithmetic: splitArithmetic(local, { communicator, length: A.shape[1] }) };
}
