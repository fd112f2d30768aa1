import type { Value } from "../../graph/index.ts";
import type { BatchGraph } from "../../operators/engine/risk.ts";
import { mul, reshape, sqrt } from "../../primitives/index.ts";

/** Multiplies x [T, C] by the root of the weight of each term. */
export function weightedRoot({ weights }: BatchGraph, x: Value): Value {
  return weights === undefined ? x : mul(x, reshape(sqrt(weights), [weights.shape[0], 1]));
}
