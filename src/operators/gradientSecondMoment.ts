import { CurvatureError } from "../errors/index.ts";
import { input } from "../graph/index.ts";
import type { LinearOperator } from "../linalg/operator/operator.ts";
import { broadcast, mul, reduceSumKeeping, reshape } from "../primitives/index.ts";
import { termGradients } from "./empiricalFisher.ts";
import type { Risk } from "./engine/risk.ts";
import { checkRisk } from "./products/checkRisk.ts";
import { type DefinitionWithConstants, matrixWithConstants } from "./products/curvatureMatrix.ts";
import { throughOutputs, weighted } from "./products/outputProduct.ts";

/** N c^2 sum_n J_n' s_n s_n' J_n, with s_n the weighted slopes of all terms of the row: the mean of g_n g_n' for g_n = N c J_n' s_n. */
const definition: DefinitionWithConstants = {
  name: "second moment of row gradients",
  psd: true,
  constants: () => ({ rows: input("rows", []) }),
  ...throughOutputs((terms, u, { rows }) => {
    const slopes = weighted(terms, termGradients(terms));
    const perRow = [terms.rows, slopes.shape[0] / terms.rows, slopes.shape[1]];
    const along = reduceSumKeeping(reshape(mul(slopes, u), perRow), [1, 2]);
    const scaled = mul(slopes, mul(rows, terms.scale));
    return mul(scaled, reshape(broadcast(along, perRow), slopes.shape));
  }),
};

/**
 * Second moment of the gradients of single rows, 1/N sum_n g_n g_n', [size, size]: the covariance before subtracting the mean. g_n is the
 * gradient of row n's share of the risk times N, so that its mean over all N rows is the gradient of the risk; a sequence is one row. N
 * counts the rows of the whole data set, so that second moments of shards add up. Positive semidefinite. A product is one pass over the
 * data, about one and a half gradients.
 *
 * @throws CurvatureError "unsupported" for a risk with `coupledRows`
 */
export function gradientSecondMoment(risk: Risk): LinearOperator {
  checkRisk(risk, "gradientSecondMoment");
  checkSeparateRows(risk);
  const known = operators.get(risk);
  if (known !== undefined) return known;
  const rows = { data: Float64Array.of(risk.shard.rows), dims: [] };
  const operator = matrixWithConstants(risk, definition, { prepare: async () => {}, of: () => ({ rows }) });
  operators.set(risk, operator);
  return operator;
}

/** @throws CurvatureError "unsupported" where rows may influence one another */
function checkSeparateRows({ coupledRows }: Risk): void {
  if (!coupledRows) return;
  throw new CurvatureError(
    "unsupported",
    "second moment and covariance of row gradients are about rows that contribute to the loss independently, but with coupledRows each row's share depends on the other rows; use empiricalFisher, which sums over terms as they are",
  );
}

const operators = new WeakMap<Risk, LinearOperator>();
