import type { Value } from "../../graph/index.ts";
import { mul, reduceSum, reshape } from "../../primitives/index.ts";
import type { BatchGraph } from "../engine/risk.ts";

/** Each row's share of the risk, [rows]: the terms of a row lie one after the other. */
export function rowLossValues({ f, y, weights, loss, scale, rows }: BatchGraph): Value {
  const terms = loss.terms(f, y);
  const weighted = weights === undefined ? terms : mul(weights, terms);
  const count = weighted.shape[0];
  return mul(reduceSum(reshape(weighted, [rows, count / rows]), [1]), scale);
}
