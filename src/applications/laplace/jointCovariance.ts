import type { Data } from "../../data/index.ts";
import { CurvatureError } from "../../errors/index.ts";
import type { RunOptions } from "../../linalg/index.ts";
import { rowJacobians } from "../../structured/rowJacobians.ts";
import type { Matrix } from "../../tensors/index.ts";
import type { LaplacePosterior } from "./laplacePosterior.ts";
import { checkPosterior } from "./logMarginalLikelihood.ts";
import { groupProducts } from "./posteriorPrecision.ts";

/** Most bytes of the Jacobian of all rows. */
const MOST_BYTES = 2 ** 31;

/**
 * The joint covariance `J P^-1 J'` of the outputs of several rows under a posterior, [n, n] for n = rows times terms times outputs, a row's outputs one after the
 * other; without the noise of labels. It tells how predictions vary together. Holds the Jacobian of all rows.
 *
 * @throws CurvatureError "argument" where that does not fit
 */
export async function jointCovariance(
  posterior: LaplacePosterior,
  data: Data,
  options: RunOptions = {},
): Promise<Matrix> {
  checkPosterior("jointCovariance", posterior);
  const { risk, indices, size, precision } = posterior;
  const each = risk.layout.positions * risk.layout.outputs;
  const n = data.rows * each;
  if (8 * n * (size + n) > MOST_BYTES) {
    throw new CurvatureError(
      "argument",
      `jointCovariance: ${n} outputs of ${size} weights take ${((8 * n * (size + n)) / 1e9).toFixed(1)} GB; take fewer rows`,
    );
  }
  const J = new Float64Array(size * n);
  for await (const { start, J: part } of rowJacobians(risk, data, { indices, ...options })) {
    J.set(part.data, start * each * size);
  }
  const columns = { rows: size, columns: n, data: J };
  const { signal } = options;
  const X = await precision.solve(columns, { ...(signal && { signal }) });
  return { rows: n, columns: n, data: groupProducts(columns, X, { group: n }) };
}
