import type { LinearOperator } from "../../src/linalg/index.ts";
import { stream } from "../../src/random/index.ts";
import { operatorOf } from "./knownOperators.ts";

/**
 * Dense matrix `Q diag(values) Q'` with Q uniform among orthogonal matrices, as one reflection a dimension makes it (Stewart, 1980). Unlike
 * a few reflections, which leave most of a matrix on its diagonal, it spreads every eigenvalue over all entries.
 */
export function haarMatrix(values: ArrayLike<number>, seed = 1): Float64Array {
  const n = values.length;
  const A = new Float64Array(n * n);
  for (let i = 0; i < n; i++) A[i * n + i] = values[i]!;
  for (let r = 1; r < n; r++) {
    // A reflection of the last r + 1 coordinates, A <- (I - 2 u u') A (I - 2 u u').
    const random = stream(seed, "haar", r);
    const u = new Float64Array(n);
    let squared = 0;
    for (let i = n - 1 - r; i < n; i++) squared += (u[i] = random.normal()) ** 2;
    const Au = new Float64Array(n);
    for (let j = 0; j < n; j++) for (let i = 0; i < n; i++) Au[i] = Au[i]! + A[j * n + i]! * u[j]!;
    let uAu = 0;
    for (let i = 0; i < n; i++) uAu += u[i]! * Au[i]!;
    const c = 2 / squared;
    for (let j = 0; j < n; j++) {
      for (let i = 0; i < n; i++)
        A[j * n + i] = A[j * n + i]! - c * (u[i]! * Au[j]! + Au[i]! * u[j]!) + c * c * uAu * u[i]! * u[j]!;
    }
  }
  return A;
}

/** Operator with these eigenvalues in a basis that is uniform among all. */
export function haar(values: ArrayLike<number>, seed = 1): LinearOperator {
  return operatorOf(haarMatrix(values, seed));
}
