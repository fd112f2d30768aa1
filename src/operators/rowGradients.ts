import { jvp, vjp } from "../autodiff/index.ts";
import { CurvatureError } from "../errors/index.ts";
import { input } from "../graph/index.ts";
import type { LinearOperator, RunOptions } from "../linalg/operator/operator.ts";
import { withInputCopy } from "../linalg/vectors/inputCopy.ts";
import { scal, scaled } from "../linalg/vectors/vector.ts";
import { zeros as zeroValue } from "../primitives/index.ts";
import { type Matrix, type Vector, zeros } from "../tensors/index.ts";
import { checkColumns, checkLength, checkVectorLength, vectorFeeds, vectorName } from "./engine/flatVectors.ts";
import type { BatchProduct, EvaluatedBatch, Risk } from "./engine/risk.ts";
import { checkRisk } from "./products/checkRisk.ts";
import { columnChunks } from "./products/columnChunks.ts";
import { rowLossValues } from "./products/rowLosses.ts";
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
  const { rows, size, dtype } = risk;
  const shared = { dtype, symmetric: false, psd: false } as const;
  const operator: LinearOperator = {
    ...shared,
    shape: [rows, size],
    matvec: (x, options = {}) => productOf(risk, x, options),
    matmat: (X, options = {}) => productsOf(risk, X, options),
    adjoint: () => transposed,
  };
  const transposed: LinearOperator = {
    ...shared,
    shape: [size, rows],
    matvec: (u, options = {}) => weightedSum(risk, u, options),
    adjoint: () => operator,
  };
  return operator;
}

/** g_n' x for all rows. */
async function productOf(risk: Risk, x: Vector, options: RunOptions): Promise<Vector> {
  const { rows, size, dtype, shard, engine, parameters } = risk;
  checkLength(x, size);
  const result = zeros(rows, dtype);
  const run = async (own: Vector) => {
    const feeds = vectorFeeds(own, parameters);
    await engine.run(forward, {
      feed: () => feeds,
      collect: ({ tangent }, { start }) => result.set(tangent.data as Vector, start),
      options,
    });
  };
  await withInputCopy(x, run, { dtype });
  scal(shard.rows, result);
  return result;
}

/** g_n' x for all rows and all columns x of X. */
async function productsOf(risk: Risk, X: Matrix, options: RunOptions): Promise<Matrix> {
  const { rows, size, dtype, shard, engine } = risk;
  checkColumns(X, size);
  const { columns } = X;
  const result = zeros(rows * columns, dtype);
  const run = async (own: Vector) => {
    const most = await engine.columnsAtOnce(forward);
    for (const { first, count, feeds } of columnChunks(risk, { ...X, data: own }, most)) {
      await engine.run(forward, {
        feed: () => feeds,
        columns: count,
        collect: ({ tangent }, batch) => {
          const numbers = tangent.data as Vector;
          for (let k = 0; k < count; k++) {
            const column = numbers.subarray(k * batch.rows, (k + 1) * batch.rows);
            result.set(column, (first + k) * rows + batch.start);
          }
        },
        options,
      });
    }
  };
  await withInputCopy(X.data, run, { dtype });
  scal(shard.rows, result);
  return { rows, columns, data: result };
}

/** sum_n u_n g_n. */
async function weightedSum({ rows, dtype, shard, engine }: Risk, u: Vector, options: RunOptions): Promise<Vector> {
  checkVectorLength(u, rows, `the transposed row gradients take vectors of ${rows} entries, one a row`);
  const run = async (own: Vector) => {
    const feed = (batch: EvaluatedBatch) => ({ u: rowsOf(own, { ...batch, size: 1 }) });
    return scaled(shard.rows, await engine.sum(backward, { feed, options }));
  };
  return withInputCopy(u, run, { dtype });
}

const forward: BatchProduct = {
  build(batch) {
    const v = batch.parameters.map(({ shape }, i) => input(vectorName(i), shape));
    const [tangent] = jvp([rowLossValues(batch)], batch.parameters, v);
    return {
      vectors: Object.fromEntries(v.map((value, i) => [vectorName(i), value])),
      outputs: { tangent: tangent ?? zeroValue([batch.rows]) },
    };
  },
};

const backward: BatchProduct = {
  build(batch) {
    const u = input("u", [batch.rows]);
    return { vectors: { u }, flat: vjp([rowLossValues(batch)], batch.parameters, [u]) };
  },
};
