import type { LinearOperator, RunOptions } from "../linalg/operator.ts";
import { axpy, dot } from "../linalg/vector.ts";
import { broadcast, mul, reduceSumKeeping, reshape } from "../primitives/index.ts";
import { column, type Matrix, toPrecision, type Vector } from "../tensors/index.ts";
import { termGradients } from "./empiricalFisher.ts";
import { type OutputMatrix, throughOutputs, weighted } from "./outputProduct.ts";
import { parameterProduct } from "./parameterProduct.ts";
import type { Risk } from "./risk.ts";

/**
 * Covariance of the gradients of single rows, 1/N sum_n (g_n - g)(g_n - g)', [size, size]: what makes stochastic gradients
 * noisy. g_n is the gradient of row n's share of the risk times N, so that its mean over rows is the gradient g of the risk;
 * a sequence is one row. Positive semidefinite. A product is one pass over the data, about one and a half gradients; the
 * first also computes g.
 */
export function gradientCovariance(risk: Risk): LinearOperator {
  const { size, dtype } = risk;
  const second = secondMoment(risk);
  let mean: Promise<Vector> | undefined;
  const gradient = (options: RunOptions) => {
    mean ??= risk.gradient(options).catch((error: unknown) => {
      mean = undefined;
      throw error;
    });
    return mean;
  };
  return {
    ...second,
    async matvec(x, options = {}) {
      const result = Float64Array.from(await second.matvec(x, options));
      subtractMean(result, { g: await gradient(options), x });
      return toPrecision(result, dtype);
    },
    async matmat(X, options = {}): Promise<Matrix> {
      const products = await second.matmat!(X, options);
      const g = await gradient(options);
      const result = { ...products, data: Float64Array.from(products.data) };
      for (let k = 0; k < X.columns; k++) subtractMean(column(result, k), { g, x: column(X, k) });
      return { rows: size, columns: X.columns, data: toPrecision(result.data, dtype) };
    },
    async quadraticForms(X, options = {}) {
      const forms = await second.quadraticForms!(X, options);
      const g = await gradient(options);
      return forms.map((form, k) => form - dot(g, column(X, k)) ** 2);
    },
  };
}

/**
 * The mean of g_n g_n'. With g_n = N c J_n' s_n, s_n the weighted slopes of all terms of the row, it is
 * N c^2 sum J_n' s_n s_n' J_n.
 */
function secondMoment(risk: Risk): LinearOperator {
  const { rows, scale } = risk;
  const matrix: OutputMatrix = (terms, u) => {
    const slopes = weighted(terms, termGradients(terms));
    const perRow = [terms.rows, slopes.shape[0] / terms.rows, slopes.shape[1]];
    const along = reduceSumKeeping(reshape(mul(slopes, u), perRow), [1, 2]);
    return mul(slopes, reshape(broadcast(along, perRow), slopes.shape));
  };
  return parameterProduct(risk, {
    key: "row gradients",
    psd: true,
    ...throughOutputs({ matrix, factor: rows * scale * scale }),
  });
}

/** Subtracts g (g' x), in place. */
function subtractMean(result: Vector, { g, x }: { readonly g: Vector; readonly x: Vector }): void {
  axpy(-dot(g, x), g, result);
}
