import { vjp } from "../autodiff/index.ts";
import { scalar, type Value } from "../graph/index.ts";
import { mul, reduceSum } from "../primitives/index.ts";
import type { BatchGraph, BatchProduct, RiskParameter } from "./risk.ts";

/** Sum over the terms of a batch of w_t l(f_t, y_t), unscaled. */
export function summedLoss({ f, y, weights, loss }: BatchGraph): Value {
  const terms = loss.terms(f, y);
  return reduceSum(weights === undefined ? terms : mul(weights, terms));
}

/** The sum of the loss over a batch. */
export const lossProduct: BatchProduct = {
  key: "loss",
  build: (batch) => ({ outputs: { loss: summedLoss(batch) } }),
};

/** Its gradient, one output a parameter. */
export function gradientProduct(parameters: readonly RiskParameter[]): BatchProduct {
  return {
    key: "gradient",
    build(batch) {
      const gradient = vjp([summedLoss(batch)], batch.parameters, [scalar(1)]);
      return { outputs: byParameter(parameters, gradient) };
    },
  };
}

/** Values by the names of the parameters they belong to. */
export function byParameter(
  parameters: readonly RiskParameter[],
  values: readonly Value[],
): { readonly [name: string]: Value } {
  return Object.fromEntries(parameters.map(({ name }, i) => [name, values[i]]));
}
