import { type Data, rebatch } from "../../data/index.ts";
import { CurvatureError } from "../../errors/index.ts";
import type { Loss, TermLayout } from "../../losses/index.ts";
import type { Model } from "../../models/index.ts";
import { checkData } from "../checks/checkData.ts";
import { checkTokens } from "../checks/checkTokens.ts";
import { type BoundData, bindData } from "../engine/riskData.ts";
import type { SharedEngine } from "../engine/riskEngine.ts";

/** A data set fitted to an objective. */
export interface FittedData {
  readonly bound: BoundData;
  readonly layout: TermLayout;
  /** Whether these rows are one batch that may not be part of a larger data set. */
  readonly indivisible: boolean;
}

/** A data set fitted to an objective, checked row by row. */
export interface AttachedData extends FittedData {
  /** Denominator of the loss for these rows, 0 where all of their terms are ignored; 1 for the reduction "sum". */
  readonly denominator: number;
}

/** The objective that a data set is fitted to. */
export interface AttachSettings {
  readonly model: Model;
  readonly loss: Loss;
  readonly engine: SharedEngine;
  /** Whether rows may influence one another; if so, all of them are one batch. */
  readonly coupledRows: boolean;
}

/**
 * Fits a data set to an objective and checks all of its rows in three passes.
 *
 * @throws CurvatureError "data" for rows that do not fit model or loss, "unsupported" for operators without a rule,
 *   "nondeterministic" where a second pass gives other data
 */
export async function attachData(settings: AttachSettings, given: Data): Promise<AttachedData> {
  const fitted = await fitData(settings, given);
  const { loss } = settings;
  return { ...fitted, denominator: await checkData(fitted.bound, { loss, layout: fitted.layout }) };
}

/**
 * Fits a data set to an objective, as its first batch shows.
 *
 * @throws CurvatureError "data" for inputs that do not fit the model, "unsupported" for operators without a rule
 */
export async function fitData({ model, loss, engine, coupledRows }: AttachSettings, given: Data): Promise<FittedData> {
  const indivisible = coupledRows && model.fixedRows === undefined && given.rows > 0;
  const data = indivisible ? rebatch(given, given.rows) : fittedBatches(given, model);
  let bound = bindData(data, { model, loss });
  await checkTokens(model, bound);
  let layout: TermLayout;
  try {
    layout = (await firstGraph(engine, bound)).layout;
  } catch (error) {
    if (model.fixedRows === undefined || !(error instanceof CurvatureError && error.code === "unsupported"))
      throw error;
    // Some operator of the model cannot compute stacked copies: its rows are computed one by one.
    bound = bindData(rebatch(data, model.fixedRows), { model, loss });
    layout = (await firstGraph(engine, bound)).layout;
  }
  return { bound, layout, indivisible };
}

/** Batches of a size that is a multiple of the model's fixed number of rows. */
function fittedBatches(data: Data, { fixedRows, name }: Model): Data {
  if (fixedRows === undefined || fixedRows === 1) return data;
  if (data.rows % fixedRows !== 0) {
    throw new CurvatureError(
      "data",
      `${name} computes ${fixedRows} rows at once, which does not divide the ${data.rows} rows of ${data.description}; leave ${data.rows % fixedRows} rows out, or export it with a free batch axis`,
    );
  }
  return rebatch(data, Math.max(Math.floor(data.batchSize / fixedRows), 1) * fixedRows);
}

async function firstGraph(engine: SharedEngine, bound: BoundData) {
  for await (const batch of bound.data.batches()) return engine.graph(bound.bind(batch).shape);
  throw new CurvatureError("data", `${bound.data.description}: no batches; a loss needs at least one row`);
}
