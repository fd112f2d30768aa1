import { CurvatureError, checkObject } from "../../errors/index.ts";
import type { Risk } from "../../operators/index.ts";

/** Queries at the weights of the training risk. */
export interface QueryRisk {
  /** The queries' risk at the training risk's weights. */
  readonly risk: Risk;
  /** Factor of `rowGradients` and `rowLosses` of that risk that gives those of a query's own value. */
  readonly factor: number;
  dispose(): Promise<void>;
}

/**
 * The queries of an influence. With the loss of training, a query's value is what its row would add to the training objective, times N, so that it does not depend on the
 * other queries; with another measurement it is the row's share of the queries' risk times their number, and for the reduction "sum" the share itself.
 *
 * @throws CurvatureError "argument" for a risk of another model or other parameters, "unsupported" for coupled rows or rows on several ranks
 */
export function queryRisk(name: string, risk: Risk, queries: Risk): QueryRisk {
  checkObject(queries, `${name} expects queries as a risk, as risk.on(data) or empiricalRisk gives it`, [
    "model",
    "engine",
    "parameters",
  ]);
  const names = (of: Risk) => of.parameters.map((parameter) => `${parameter.name} ${parameter.dims.join("x")}`).join();
  if (queries.model.name !== risk.model.name || names(queries) !== names(risk)) {
    throw new CurvatureError(
      "argument",
      `${name} expects queries of the same model with the same parameters, ${risk.parameters.length} of ${risk.size} weights, got ${queries.parameters.length} of ${queries.size}; take risk.on(data), or empiricalRisk with the same parameters and another loss`,
    );
  }
  if (queries.summedRows !== queries.rows) {
    throw new CurvatureError(
      "unsupported",
      `${name} expects all queries on each rank, got ${queries.rows} of ${queries.summedRows}; make their risk by empiricalRisk without the communicator`,
    );
  }
  const same = queries.lossFunction === risk.lossFunction;
  const shared = (of: Risk) => of.scale * of.shard.rows;
  const sums = queries.lossFunction.reduction === "sum";
  const moved = queries.at(risk.theta());
  return {
    risk: moved,
    factor: sums ? 1 / queries.shard.rows : same ? shared(risk) / shared(queries) : 1,
    dispose: () => moved.dispose(),
  };
}

/**
 * Refuses risks whose rows have no gradients of their own, or not all of them here; with `ranks`, those of all ranks together.
 *
 * @throws CurvatureError "unsupported"
 */
export function checkRows(name: string, risk: Risk, { ranks = false }: { readonly ranks?: boolean } = {}): void {
  checkObject(risk, `${name} expects a risk made by empiricalRisk`, ["model", "parameters", "engine"]);
  if (risk.coupledRows) {
    throw new CurvatureError(
      "unsupported",
      `${name} is about rows that contribute to the loss independently, but this risk has coupledRows`,
    );
  }
  const here = ranks ? risk.summedRows : risk.rows;
  if (here !== risk.shard.rows || (!ranks && risk.summedRows !== risk.rows)) {
    throw new CurvatureError(
      "unsupported",
      `${name} needs all training rows ${ranks ? "on the ranks together" : "in one process"}, but this risk has ${here} of ${Math.max(risk.summedRows, risk.shard.rows)}`,
    );
  }
}
