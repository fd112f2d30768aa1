import { cholesky, choleskySolve } from "../../../src/linalg/index.ts";
import type { Matrix } from "../../../src/tensors/index.ts";

/** log det of a positive definite matrix, and its inverse. */
export async function inverseOf(P: Matrix): Promise<{ readonly logdet: number; readonly inverse: Float64Array }> {
  const n = P.rows;
  const L = await cholesky(P);
  const identity = new Float64Array(n * n);
  let logdet = 0;
  for (let i = 0; i < n; i++) {
    identity[i * (n + 1)] = 1;
    logdet += 2 * Math.log(L.data[i * (n + 1)]);
  }
  return { logdet, inverse: (await choleskySolve(L, { rows: n, columns: n, data: identity })).data };
}
