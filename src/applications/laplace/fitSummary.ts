import type { RunOptions } from "../../linalg/index.ts";
import type { LikelihoodFamily } from "../../losses/index.ts";
import type { BatchProduct, Risk } from "../../operators/index.ts";
import type { TensorData } from "../../tensors/index.ts";
import { type LaplaceLikelihood, lossFactor } from "./likelihood.ts";

/** What the likelihood of all training rows depends on, besides noise and temperature. */
export interface FitSummary {
  /** Rows of the data set. */
  readonly rows: number;
  /** c of the loss, `risk.scale` on these rows. */
  readonly scale: number;
  /** Sum of the weighted losses of all terms, as the loss has them: the sum of squares for squared errors. */
  readonly lossSum: number;
  /** Sum over terms of weight times numbers of a label: N C for N rows of C outputs of weight 1. */
  readonly elements: number;
  /** What the negative log-likelihood adds to the sum of losses whatever the outputs: sum log y! for counts, log(2 pi) / 2 for each number of a Gaussian. */
  readonly constant: number;
}

/** One forward pass over the rows of a risk. */
export async function fitSummary(risk: Risk, family: LikelihoodFamily, options: RunOptions = {}): Promise<FitSummary> {
  let [lossSum, elements, constant] = [0, 0, 0];
  const size = risk.lossFunction.likelihood!.labelSize(risk.layout.outputs);
  await risk.engine.run(termsProduct, {
    options,
    collect({ terms, weights, y }) {
      const losses = terms.data as Float64Array;
      for (let t = 0; t < losses.length; t++) {
        const weight = weights === undefined ? 1 : Number(weights.data[t]);
        // A term of weight 0 may have no finite loss.
        if (weight === 0) continue;
        lossSum += weight * losses[t];
        elements += weight * size;
        if (family === "heteroscedastic") constant += (weight * size * Math.log(2 * Math.PI)) / 2;
        if (family === "poisson") constant += weight * logFactorials(y.data, { first: t * size, size });
      }
    },
  });
  const [loss, count, rest] = await risk.engine.sumOverRanks(Float64Array.of(lossSum, elements, constant));
  return { rows: risk.shard.rows, scale: risk.scale, lossSum: loss, elements: count, constant: rest };
}

const termsProduct: BatchProduct = {
  build: ({ f, y, weights, loss }) => ({
    outputs: { terms: loss.terms(f, y), y, ...(weights !== undefined && { weights }) },
  }),
};

function logFactorials(counts: TensorData, { first, size }: { readonly first: number; readonly size: number }): number {
  let sum = 0;
  for (let i = first; i < first + size; i++) sum += logGamma(Number(counts[i]) + 1);
  return sum;
}

/** log Gamma(x) for x >= 1, by Stirling's series from 15 on and the recurrence below. To 1e-14. */
export function logGamma(x: number): number {
  let [z, product] = [x, 1];
  while (z < 15) product *= z++;
  const w = 1 / (z * z);
  const series = (1 / 12 - w * (1 / 360 - w * (1 / 1260 - w * (1 / 1680 - w / 1188)))) / z;
  return (z - 0.5) * Math.log(z) - z + 0.5 * Math.log(2 * Math.PI) + series - Math.log(product);
}

/** `(1 / T) sum log p(y | f)` of all training rows. */
export function logLikelihood(fit: FitSummary, likelihood: LaplaceLikelihood): number {
  const { family, sigmaNoise, temperature } = likelihood;
  const constant = family === "gaussian" ? fit.elements * Math.log(sigmaNoise * Math.sqrt(2 * Math.PI)) : fit.constant;
  return -(lossFactor(likelihood) * fit.lossSum + constant) / temperature;
}
