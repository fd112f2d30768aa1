import { termGradients } from "../../operators/empiricalFisher.ts";
import { mul, reshape } from "../../primitives/index.ts";
import type { OutputRoot } from "./outputRoot.ts";

/** One column, the gradient of each term's share of the objective: with all terms of a row in one pass, its pieces are the gradients of rows. */
export const rowRoot: OutputRoot = {
  columns: () => 1,
  wholeRows: true,
  apply(batch, u) {
    const { weights, scale } = batch;
    const gradients = mul(mul(termGradients(batch), u), scale);
    return weights === undefined ? gradients : mul(gradients, reshape(weights, [weights.shape[0], 1]));
  },
};
