import { jvp, vjp } from "../autodiff/index.ts";
import { CurvatureError } from "../errors/index.ts";
import { input, type Value } from "../graph/index.ts";
import type { LinearOperator } from "../linalg/operator/operator.ts";
import { withInputCopy } from "../linalg/vectors/inputCopy.ts";
import { scal, scaled } from "../linalg/vectors/vector.ts";
import { mul, reduceSum, reshape, zeros as zeroValue } from "../primitives/index.ts";
import { type Vector, zeros } from "../tensors/index.ts";
import { checkLength, checkVectorLength, vectorFeeds, vectorName } from "./engine/flatVectors.ts";
import type { BatchGraph, BatchProduct, Risk } from "./engine/risk.ts";
import { checkRisk } from "./products/checkRisk.ts";
import { rowsOf } from "./products/rowProduct.ts";

/**
 * Gradients of single rows as a matrix, [rows, size]: row n is g_n, the gradient of row n's share of the risk times N, so that their mean over all N rows is
 * the gradient of the risk; a sequence is one row. A product `g_n' x` for all rows, or `sum_n u_n g_n` with the adjoint, is one pass over the data, about one
 * gradient. N counts the rows of the whole data set.
 *
 * @throws CurvatureError "unsupported" for a risk with `coupledRows`
 */
export function rowGradients(risk: Risk): LinearOperator {
  checkRisk(risk, "rowGradients");
  if (risk.coupledRows) {
    throw new CurvatureError(
      "unsupported",
      "rowGradients are about rows that contribute to the loss independently, but with coupledRows each row's share depends on the other rows",
    );
  }
  const { rows, size, dtype, shard, engine, parameters } = risk;
  const shared = { dtype, symmetric: false, psd: false } as const;
  const operator: LinearOperator = {
    ...shared,
    shape: [rows, size],
    async matvec(x, options = {}) {
      checkLength(x, size);
      const result = zeros(rows, dtype);
      const run = async (own: Vector) => {
        const feeds = vectorFeeds(own, parameters);
        await engine.run(forward, {
          feed: () => feeds,
          collect: ({ tangent }, { start }) => result.set(tangent!.data as Vector, start),
          options,
        });
      };
      await withInputCopy(x, run, { dtype });
      scal(shard.rows, result);
      return result;
    },
    adjoint: () => transposed,
  };
  const transposed: LinearOperator = {
    ...shared,
    shape: [size, rows],
    async matvec(u, options = {}) {
      checkVectorLength(u, rows, `the transposed row gradients take vectors of ${rows} entries, one a row`);
      return withInputCopy(
        u,
        async (own) =>
          scaled(
            shard.rows,
            await engine.sum(backward, { feed: (batch) => ({ u: rowsOf(own, { ...batch, size: 1 }) }), options }),
          ),
        { dtype },
      );
    },
    adjoint: () => operator,
  };
  return operator;
}

const forward: BatchProduct = {
  build(batch) {
    const v = batch.parameters.map(({ shape }, i) => input(vectorName(i), shape));
    const [tangent] = jvp([rowLosses(batch)], batch.parameters, v);
    return {
      vectors: Object.fromEntries(v.map((value, i) => [vectorName(i), value])),
      outputs: { tangent: tangent ?? zeroValue([batch.rows]) },
    };
  },
};

const backward: BatchProduct = {
  build(batch) {
    const u = input("u", [batch.rows]);
    return { vectors: { u }, flat: vjp([rowLosses(batch)], batch.parameters, [u]) };
  },
};

/** Each row's share of the risk, [rows]: the terms of a row lie one after the other. */
function rowLosses({ f, y, weights, loss, scale, rows }: BatchGraph): Value {
  const terms = loss.terms(f, y);
  const weighted = weights === undefined ? terms : mul(weights, terms);
  const count = weighted.shape[0]!;
  return mul(reduceSum(reshape(weighted, [rows, count / rows]), [1]), scale);
}
