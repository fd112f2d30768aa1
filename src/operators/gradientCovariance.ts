import type { LinearOperator, RunOptions } from "../linalg/operator.ts";
import { broadcast, mul, reduceSumKeeping, reshape } from "../primitives/index.ts";
import { column, type Matrix, type Vector, zeros } from "../tensors/index.ts";
import { termGradients } from "./empiricalFisher.ts";
import { outputProduct, weighted } from "./outputProduct.ts";
import { parameterProduct } from "./parameterProduct.ts";
import type { Risk } from "./risk.ts";

/**
 * Covariance of the gradients of single rows, 1/N sum_n (g_n - g)(g_n - g)', [size, size]: what makes stochastic gradients
 * noisy. g_n is the gradient of row n's share of the risk times N, so that its mean over rows is the gradient g of the risk;
 * a sequence is one row. Positive semidefinite. A product is one pass over the data, about one and a half gradients; the
 * first also computes g.
 */
export function gradientCovariance(risk: Risk): LinearOperator {
  const { rows, scale, size, dtype } = risk;
  // With g_n = N c J_n' s_n, s_n the weighted slopes of all terms of the row: 1/N sum g_n g_n' = N c^2 sum J_n' s_n s_n' J_n.
  const second = parameterProduct(risk, {
    key: "row gradients",
    psd: true,
    product: (batch, v) =>
      outputProduct(batch, v, {
        matrix(terms, u) {
          const slopes = weighted(terms, termGradients(terms));
          const perRow = [terms.rows, slopes.shape[0] / terms.rows, slopes.shape[1]];
          const along = reduceSumKeeping(reshape(mul(slopes, u), perRow), [1, 2]);
          return mul(slopes, reshape(broadcast(along, perRow), slopes.shape));
        },
        factor: rows * scale * scale,
      }),
  });
  let mean: Promise<Vector> | undefined;
  const gradient = (options: RunOptions) => {
    mean ??= risk.gradient(options).catch((error: unknown) => {
      mean = undefined;
      throw error;
    });
    return mean;
  };
  const centred = (g: Vector, { x, product }: { readonly x: Vector; readonly product: Vector }) => {
    let along = 0;
    for (let i = 0; i < size; i++) along += g[i] * x[i];
    const result = zeros(size, dtype);
    for (let i = 0; i < size; i++) result[i] = product[i] - along * g[i];
    return result;
  };
  return {
    ...second,
    async matvec(x, options = {}) {
      const product = await second.matvec(x, options);
      return centred(await gradient(options), { x, product });
    },
    async matmat(X, options = {}): Promise<Matrix> {
      const products = await second.matmat!(X, options);
      const g = await gradient(options);
      const data = zeros(size * X.columns, dtype);
      for (let k = 0; k < X.columns; k++)
        data.set(centred(g, { x: column(X, k), product: column(products, k) }), k * size);
      return { rows: size, columns: X.columns, data };
    },
  };
}
