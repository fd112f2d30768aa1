import { CurvatureError } from "../errors/index.ts";
import type { LinearOperator, RunOptions } from "../linalg/operator/operator.ts";
import { withInputCopy } from "../linalg/vectors/inputCopy.ts";
import { axpy, dot } from "../linalg/vectors/vector.ts";
import { column, type Matrix, toPrecision, type Vector } from "../tensors/index.ts";
import { checkColumns, checkLength } from "./engine/flatVectors.ts";
import type { Risk } from "./engine/risk.ts";
import { gradientSecondMoment } from "./gradientSecondMoment.ts";
import { checkRisk } from "./products/checkRisk.ts";

/** Options of the covariance of row gradients. */
export interface GradientCovarianceOptions {
  /** Gradient of the risk of the whole data set, [size]; required for a shard, which has only its own rows. */
  readonly mean?: Vector | undefined;
}

/**
 * Covariance of the gradients of single rows, 1/N sum_n (g_n - g)(g_n - g)', [size, size]: the noise of stochastic gradients. g_n is the
 * gradient of row n's share of the risk times N, so that its mean over rows is the gradient g of the risk; a sequence is one row. Positive
 * semidefinite. A product is one pass over the data, about one and a half gradients; the first also computes g. The operator of a shard is
 * its share 1/N sum_n g_n g_n' - (n/N) g g' with n its own rows; the shares add up to the covariance.
 *
 * @throws CurvatureError "argument" for a shard without `mean`, "shape" for a mean of another length, "unsupported" for a risk
 *   with `coupledRows`
 */
export function gradientCovariance(risk: Risk, { mean }: GradientCovarianceOptions = {}): LinearOperator {
  checkRisk(risk, "gradientCovariance");
  const { size, dtype, summedRows: rows, shard } = risk;
  if (mean !== undefined) checkLength(mean, size);
  if (mean === undefined && shard.rows !== rows) {
    throw new CurvatureError(
      "argument",
      `gradientCovariance: these ${rows} rows are a shard of ${shard.rows}; pass { mean }, the gradient of the whole data set: the sum of the shards' gradients`,
    );
  }
  const second = gradientSecondMoment(risk);
  const share = rows / shard.rows;
  const gradient = meanGradient(risk, mean);
  const subtractMean = (result: Vector, { g, x }: { readonly g: Vector; readonly x: Vector }) =>
    axpy(-share * dot(g, x), g, result);
  return {
    ...second,
    psd: share === 1,
    async matvec(x, options = {}) {
      checkLength(x, size);
      return withInputCopy(x, async (own) => {
        const result = Float64Array.from(await second.matvec(own, options));
        subtractMean(result, { g: await gradient(options), x: own });
        return toPrecision(result, dtype);
      });
    },
    async matmat(X, options = {}): Promise<Matrix> {
      checkColumns(X, size);
      return withInputCopy(X.data, async (data) => {
        const own = { ...X, data };
        const products = await second.matmat!(own, options);
        const g = await gradient(options);
        const result = { ...products, data: Float64Array.from(products.data) };
        for (let k = 0; k < own.columns; k++) subtractMean(column(result, k), { g, x: column(own, k) });
        return { rows: size, columns: own.columns, data: toPrecision(result.data, dtype) };
      });
    },
    async quadraticForms(X, options = {}) {
      checkColumns(X, size);
      return withInputCopy(X.data, async (data) => {
        const own = { ...X, data };
        const forms = await second.quadraticForms!(own, options);
        const g = await gradient(options);
        return forms.map((form, k) => form - share * dot(g, column(own, k)) ** 2);
      });
    },
  };
}

/** The given mean, or the gradient of the risk, computed once. */
function meanGradient(risk: Risk, given: Vector | undefined): (options: RunOptions) => Promise<Vector> {
  let mean: Promise<Vector> | undefined = given === undefined ? undefined : Promise.resolve(given.slice());
  return (options) => {
    mean ??= risk.gradient(options).catch((error: unknown) => {
      mean = undefined;
      throw error;
    });
    return mean;
  };
}
