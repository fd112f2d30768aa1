import { vjp } from "../autodiff/index.ts";
import { scalar, type Value } from "../graph/index.ts";
import { mul, reduceSum, scale } from "../primitives/index.ts";
import type { BatchGraph, BatchProduct } from "./risk.ts";

/** Sum over the terms of a batch of w_t l(f_t, y_t), times a factor. */
export function summedLoss({ f, y, weights, loss }: BatchGraph, factor = 1): Value {
  const terms = loss.terms(f, y);
  return scale(reduceSum(weights === undefined ? terms : mul(weights, terms)), factor);
}

/** The unscaled sum of the loss over a batch, as output `loss`. */
export const lossProduct: BatchProduct = {
  key: "loss",
  build: (batch) => ({ outputs: { loss: summedLoss(batch) } }),
};

/** The flat gradient of the loss of a batch times a factor. */
export function gradientProduct(factor: number): BatchProduct {
  return {
    key: "gradient",
    build: (batch) => ({ flat: vjp([summedLoss(batch, factor)], batch.parameters, [scalar(1)]) }),
  };
}
