import { CurvatureError } from "../errors/index.ts";
import type { RunOptions } from "../linalg/operator/operator.ts";
import { scal } from "../linalg/vectors/vector.ts";
import { type Vector, zeros } from "../tensors/index.ts";
import type { BatchProduct, Risk } from "./engine/risk.ts";
import { checkRisk } from "./products/checkRisk.ts";
import { rowLossValues } from "./products/rowLosses.ts";

/**
 * Loss of each row, [rows]: its share of the risk times N, the rows of the whole data set, so that their mean over all rows is the risk, as the mean of
 * `rowGradients` is its gradient. One forward pass.
 *
 * @throws CurvatureError "unsupported" for a risk with `coupledRows`
 */
export async function rowLosses(risk: Risk, options: RunOptions = {}): Promise<Vector> {
  checkRisk(risk, "rowLosses");
  if (risk.coupledRows) {
    throw new CurvatureError(
      "unsupported",
      "rowLosses are about rows that contribute to the loss independently, but with coupledRows each row's share depends on the other rows",
    );
  }
  const { rows, dtype, shard, engine } = risk;
  const losses = zeros(rows, dtype);
  await engine.run(lossesOfBatch, {
    options,
    collect: ({ losses: own }, { start }) => losses.set(own.data as Vector, start),
  });
  scal(shard.rows, losses);
  return losses;
}

const lossesOfBatch: BatchProduct = { build: (batch) => ({ outputs: { losses: rowLossValues(batch) } }) };
