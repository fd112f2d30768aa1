import { vjp } from "../../autodiff/index.ts";
import { scalar, type Value } from "../../graph/index.ts";
import { mul, reduceSum } from "../../primitives/index.ts";
import type { BatchGraph, BatchProduct } from "../engine/risk.ts";

/** Sum over the terms of a batch of w_t l(f_t, y_t), without the factor c. */
export function summedLoss({ f, y, weights, loss }: BatchGraph): Value {
  const terms = loss.terms(f, y);
  return reduceSum(weights === undefined ? terms : mul(weights, terms));
}

/** The batch's share of the risk, c sum_t w_t l(f_t, y_t). */
export function scaledLoss(batch: BatchGraph): Value {
  return mul(summedLoss(batch), batch.scale);
}

/** The unscaled sum of the loss over a batch, as output `loss`. */
export const lossProduct: BatchProduct = {
  build: (batch) => ({ outputs: { loss: summedLoss(batch) } }),
};

/** The batch's share of the gradient of the risk, flat. */
export const gradientProduct: BatchProduct = {
  build: (batch) => ({ flat: vjp([scaledLoss(batch)], batch.parameters, [scalar(1)]) }),
};
