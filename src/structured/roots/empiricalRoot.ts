import { termGradients } from "../../operators/empiricalFisher.ts";
import { mul } from "../../primitives/index.ts";
import type { OutputRoot } from "./outputRoot.ts";
import { weightedRoot } from "./weightedRoot.ts";

/** One column a term: the gradient of its unweighted loss, times the root of its weight. */
export const empiricalRoot: OutputRoot = {
  columns: () => 1,
  apply: (batch, u) => weightedRoot(batch, mul(termGradients(batch), u)),
};
