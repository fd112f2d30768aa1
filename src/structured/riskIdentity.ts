import { hash } from "../distributed/index.ts";
import { constantTensor, printGraph, topologicalOrder } from "../graph/index.ts";
import type { Risk } from "../operators/engine/risk.ts";
import { checkRisk } from "../operators/products/checkRisk.ts";
import { summedLoss } from "../operators/products/lossAndGradient.ts";
import { toPrecision } from "../tensors/index.ts";

/** Texts that tell the objective of a risk from others: pass them as `identity` to `saveStructured` and `loadStructured`. */
export interface RiskIdentity {
  readonly [part: string]: string;
  /** Hash of the graph of model and loss on a batch, its constants included; rows do not enter. */
  readonly objective: string;
  /** Hash of the names and sizes of the differentiated parameters. */
  readonly parameters: string;
  /** Hash of their values, and of those of parameters that are not differentiated. */
  readonly weights: string;
}

/**
 * The identity of a risk's objective at its weights. Two risks with the same model, loss, parameters and weights have the same, whatever their
 * rows. 52-bit hashes: they find mistakes, not forgeries. Costs one reading of the weights and of the graph's constants.
 *
 * @throws CurvatureError "data" for a risk without rows
 */
export async function riskIdentity(risk: Risk): Promise<RiskIdentity> {
  checkRisk(risk, "riskIdentity");
  const { lossFunction, parameters } = risk;
  const total = summedLoss(await risk.engine.graph(2));
  const objective = hash()
    .add(JSON.stringify([lossFunction.name, lossFunction.reduction]))
    .add(printGraph([total]));
  for (const value of topologicalOrder([total])) {
    const data = constantTensor(value)?.data;
    if (data !== undefined) objective.add(ArrayBuffer.isView(data) ? data : data.join("\0"));
  }
  const names = parameters.map(({ name, size }) => [name, size]);
  const weights = hash().add(risk.theta());
  const chosen = new Set(parameters.map(({ name }) => name));
  for (const { name, data } of risk.model.parameters) if (!chosen.has(name)) weights.add(toPrecision(data, risk.dtype));
  return {
    objective: text(objective.value()),
    parameters: text(hash().add(JSON.stringify(names)).value()),
    weights: text(weights.value()),
  };
}

function text(value: number): string {
  return value.toString(16).padStart(13, "0");
}
