import { CurvatureError } from "../../errors/index.ts";
import type { Risk } from "../../operators/engine/risk.ts";
import { sampledLabels } from "../../operators/products/sampledLabels.ts";
import { labelInput, sampledScores } from "../../operators/products/sampledScores.ts";
import { mul, permute, reduceSum, reshape, scale } from "../../primitives/index.ts";
import type { OutputRoot } from "./outputRoot.ts";
import { weightedRoot } from "./weightedRoot.ts";

/**
 * One column for each of S labels of a term, drawn from the predictive distribution: the score at the label, divided by sqrt S. The labels
 * are those that `fisher` draws with the same seed.
 *
 * @throws CurvatureError "argument" for a number of labels that is not a positive integer, or a seed that is not finite
 */
export function sampledRoot(
  risk: Risk,
  { labels, seed }: { readonly labels: number; readonly seed: number },
): OutputRoot {
  if (!Number.isInteger(labels) || labels < 1) {
    throw new CurvatureError("argument", `of: labels must be "all" or a positive integer, got ${String(labels)}`);
  }
  if (!Number.isFinite(seed)) {
    throw new CurvatureError("argument", `of: sampled labels need a seed, a finite number; got ${String(seed)}`);
  }
  const numbers = sampledLabels(risk, { labels, seed });
  return {
    columns: () => labels,
    apply(batch, u, { labels: drawnLabels }) {
      const [terms] = batch.f.shape;
      const scores = sampledScores(batch, { drawnLabels, labels });
      const byLabel = reshape(permute(u, [1, 0]), [labels, terms, 1]);
      return weightedRoot(batch, scale(reduceSum(mul(scores, byLabel), [0]), 1 / Math.sqrt(labels)));
    },
    constants: {
      of: ({ f, loss }) => ({
        labels: labelInput(loss.likelihood!, { terms: f.shape[0], outputs: f.shape[1], labels }),
      }),
      numbers,
    },
    draw: numbers.draw,
  };
}
