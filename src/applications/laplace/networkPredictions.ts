import type { Data } from "../../data/index.ts";
import type { RunOptions } from "../../linalg/index.ts";
import type { BatchProduct, Risk } from "../../operators/index.ts";
import { withTargets } from "../../structured/withTargets.ts";
import type { LaplacePosterior } from "./laplacePosterior.ts";
import { sampledProbabilities, sigmoid, softmax } from "./links.ts";
import type { PredictedValues } from "./predictedValues.ts";
import type { PredictionPlan, Predictions } from "./predictions.ts";

/**
 * Predictions as the mean over networks of sampled weights. Of posteriors made of G they underfit (Immer, Korzepa and Bauer, 2021): the linearized ones
 * are the default.
 */
export async function networkPredictions(
  posterior: LaplacePosterior,
  data: Data,
  { samples, seed, ...options }: PredictionPlan & RunOptions,
): Promise<Predictions> {
  const { risk, likelihood } = posterior;
  const C = risk.layout.outputs;
  const rows = await risk.on(withTargets(data, risk));
  const { signal, onProgress } = options;
  const run = { ...(signal && { signal }) };
  try {
    const f = await outputsOf(rows, run);
    const link = linkOf(likelihood.family);
    const [sum, squares] = [new Float64Array(f.length), new Float64Array(f.length)];
    const [linked, linkedSquares] = [new Float64Array(f.length), new Float64Array(f.length)];
    for (let k = 0; k < samples; k++) {
      const { data: theta } = await posteriorSample(posterior, { k, seed, ...run });
      const moved = rows.at(theta);
      const own = await outputsOf(moved, run);
      await moved.dispose();
      for (let t = 0; t < own.length; t += C) {
        const p = link(own.subarray(t, t + C));
        for (let c = 0; c < C; c++) {
          sum[t + c] += own[t + c];
          squares[t + c] += own[t + c] ** 2;
          linked[t + c] += p[c];
          linkedSquares[t + c] += p[c] ** 2;
        }
      }
      onProgress?.({ stage: "sampled networks", done: k + 1, total: samples });
    }
    const variance = squares.map((x, k) =>
      samples < 2 ? Number.NaN : Math.max(((x / samples - (sum[k] / samples) ** 2) * samples) / (samples - 1), 0),
    );
    const base = { link: "network" as const, rows: rows.rows, terms: f.length / C, outputs: C, f, variance, samples };
    const { mean, standardErrors } = sampledProbabilities({ sum: linked, squares: linkedSquares, samples });
    if (likelihood.family === "categorical" || likelihood.family === "bernoulli") {
      const pointProbabilities = new Float64Array(f.length);
      for (let t = 0; t < f.length; t += C) pointProbabilities.set(link(f.subarray(t, t + C)), t);
      return { ...base, probabilities: mean, standardErrors, pointProbabilities };
    }
    return { ...base, standardErrors, values: sampledValues(posterior, { f, mean, linkedSquares, samples }) };
  } finally {
    await rows.dispose();
  }
}

/** Sample k alone, so that memory does not grow with the samples. */
async function posteriorSample(
  { precision, risk, mean, indices }: LaplacePosterior,
  { k, seed, ...run }: RunOptions & { readonly k: number; readonly seed: number },
) {
  const { data } = await precision.samples(1, { seed, first: k, ...run });
  const theta = Float64Array.from(risk.theta());
  for (let i = 0; i < mean.length; i++) theta[indices === undefined ? i : indices[i]] += data[i];
  return { data: theta };
}

const outputsProduct: BatchProduct = { build: ({ f }) => ({ outputs: { f } }) };

/** The outputs of all terms, [T, C], row-major. One forward pass. */
export async function outputsOf(risk: Risk, options: RunOptions): Promise<Float64Array> {
  const { positions, outputs } = risk.layout;
  const all = new Float64Array(risk.rows * positions * outputs);
  await risk.engine.run(outputsProduct, {
    options,
    collect: ({ f }, { start }) => all.set(f.data as Float64Array, start * positions * outputs),
  });
  return all;
}

/** What is averaged over networks: probabilities, rates, or of Gaussian labels means and variances. */
function linkOf(family: LaplacePosterior["likelihood"]["family"]): (f: Float64Array) => Float64Array {
  if (family === "categorical") return softmax;
  if (family === "bernoulli") return (f) => f.map(sigmoid);
  if (family === "poisson") return (f) => f.map(Math.exp);
  if (family === "gaussian") return (f) => f;
  return (f) => f.map((x, c) => (c < f.length / 2 ? x : Math.exp(x)));
}

function sampledValues(
  { likelihood, risk }: LaplacePosterior,
  {
    f,
    mean,
    linkedSquares,
    samples,
  }: {
    readonly f: Float64Array;
    readonly mean: Float64Array;
    readonly linkedSquares: Float64Array;
    readonly samples: number;
  },
): PredictedValues {
  const C = risk.layout.outputs;
  const spread = linkedSquares.map((x, k) =>
    samples < 2 ? Number.NaN : Math.max(((x / samples - mean[k] ** 2) * samples) / (samples - 1), 0),
  );
  const { family } = likelihood;
  const d = family === "heteroscedastic" ? C / 2 : C;
  const terms = f.length / C;
  const pick = (of: (m: number) => number) =>
    Float64Array.from({ length: terms * d }, (_, k) => of(Math.floor(k / d) * C + (k % d)));
  const noise = (from: Float64Array, linked: boolean) =>
    family === "gaussian"
      ? pick(() => likelihood.sigmaNoise ** 2)
      : family === "poisson"
        ? pick((m) => (linked ? from[m] : Math.exp(from[m])))
        : pick((m) => (linked ? from[m + d] : Math.exp(from[m + d])));
  const functionVariance = pick((m) => spread[m]);
  const noiseVariance = noise(mean, true);
  return {
    size: d,
    mean: pick((m) => mean[m]),
    functionVariance,
    noiseVariance,
    variance: functionVariance.map((x, k) => x + noiseVariance[k]),
    pointMean: pick((m) => (family === "poisson" ? Math.exp(f[m]) : f[m])),
    pointVariance: noise(f, false),
  };
}
