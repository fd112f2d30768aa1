import { areLabels, type Labels } from "./labelLosses.ts";

/** One bin of a reliability diagram: terms whose largest probability lies in it. */
export interface ReliabilityBin {
  readonly from: number;
  readonly to: number;
  /** Weighted number of terms in it. */
  readonly count: number;
  /** Mean of their largest probability; 0 for an empty bin. */
  readonly confidence: number;
  /** Share of them whose largest probability is that of the label. */
  readonly accuracy: number;
}

/** Scores of predicted probabilities. */
export interface ClassScores {
  readonly accuracy: number;
  /** Mean over bins, weighted by their terms, of |accuracy - confidence| (Guo et al., 2017). */
  readonly expectedCalibrationError: number;
  readonly bins: readonly ReliabilityBin[];
  /** Mean over terms of the squared distance of the probabilities to the label's unit vector (Brier, 1950). */
  readonly brier: number;
}

interface Setting {
  readonly outputs: number;
  readonly bins: number;
}

/** Scores of class probabilities [T, C]; targets that are probabilities count as their largest class. */
export function classScores(p: Float64Array, { y, weights }: Labels, { outputs: C, bins }: Setting): ClassScores {
  const tally = binTally(bins);
  const terms = p.length / C;
  const isLabel = areLabels(y, terms);
  let [brier, total] = [0, 0];
  for (let t = 0; t < terms; t++) {
    const w = weights === undefined ? 1 : Number(weights[t]);
    if (w === 0) continue;
    const target = (c: number) => (isLabel ? Number(Number(y.data[t]) === c) : Number(y.data[t * C + c]));
    let [best, label] = [0, 0];
    for (let c = 0; c < C; c++) {
      if (p[t * C + c] > p[t * C + best]) best = c;
      if (target(c) > target(label)) label = c;
      brier += w * (p[t * C + c] - target(c)) ** 2;
    }
    tally.add({ confidence: p[t * C + best], hit: best === label, weight: w });
    total += w;
  }
  return { ...tally.scores(), brier: brier / total };
}

/** Scores of independent Bernoulli outputs [T, C], each one prediction of its own: its confidence is the larger of p and 1 - p. */
export function coinScores(p: Float64Array, { y, weights }: Labels, { outputs: C, bins }: Setting): ClassScores {
  const tally = binTally(bins);
  let [brier, total] = [0, 0];
  for (let k = 0; k < p.length; k++) {
    const w = weights === undefined ? 1 : Number(weights[Math.floor(k / C)]);
    if (w === 0) continue;
    const target = Number(y.data[k]);
    brier += w * (p[k] - target) ** 2;
    tally.add({ confidence: Math.max(p[k], 1 - p[k]), hit: p[k] >= 0.5 === target >= 0.5, weight: w });
    total += w;
  }
  return { ...tally.scores(), brier: brier / total };
}

function binTally(bins: number) {
  const [counts, confidences, hits] = [new Float64Array(bins), new Float64Array(bins), new Float64Array(bins)];
  return {
    add({ confidence, hit, weight }: { readonly confidence: number; readonly hit: boolean; readonly weight: number }) {
      const bin = Math.min(Math.floor(confidence * bins), bins - 1);
      counts[bin] += weight;
      confidences[bin] += weight * confidence;
      if (hit) hits[bin] += weight;
    },
    scores(): Omit<ClassScores, "brier"> {
      const total = counts.reduce((sum, x) => sum + x, 0);
      const found = Array.from(
        { length: bins },
        (_, k): ReliabilityBin => ({
          from: k / bins,
          to: (k + 1) / bins,
          count: counts[k],
          confidence: counts[k] > 0 ? confidences[k] / counts[k] : 0,
          accuracy: counts[k] > 0 ? hits[k] / counts[k] : 0,
        }),
      );
      return {
        accuracy: hits.reduce((sum, x) => sum + x, 0) / total,
        expectedCalibrationError:
          found.reduce((sum, bin) => sum + bin.count * Math.abs(bin.accuracy - bin.confidence), 0) / total,
        bins: found,
      };
    },
  };
}
