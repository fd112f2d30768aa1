import type { PredictedValues } from "./predictedValues.ts";

/** How the distribution of outputs becomes one of labels. */
export type Link =
  | "probit"
  | "bridge"
  | "bridgeNormalized"
  | "monteCarlo"
  | "monteCarloDiagonal"
  | "network"
  | "moments";

/** Predictions for T terms (rows, or tokens of rows) of C outputs each. All arrays are row-major. */
export interface Predictions {
  readonly link: Link;
  readonly rows: number;
  readonly terms: number;
  readonly outputs: number;
  /** The network's own outputs f*, [T, C]. */
  readonly f: Float64Array;
  /** Variances of the outputs under the posterior, [T, C]. */
  readonly variance: Float64Array;
  /** [T, C, C], where it was asked for. */
  readonly covariance?: Float64Array;
  /** Predictive probabilities of classes, or of each Bernoulli output, [T, C]. */
  readonly probabilities?: Float64Array;
  /** Standard errors of sampled probabilities, [T, C]. */
  readonly standardErrors?: Float64Array;
  /** The network's own probabilities, [T, C]. */
  readonly pointProbabilities?: Float64Array;
  /** Predictive distribution of numbers. */
  readonly values?: PredictedValues;
  /** Networks or draws of outputs that were sampled; 0 for formulas. */
  readonly samples: number;
}

/** A checked choice of link and samples. */
export interface PredictionPlan {
  readonly link: Link;
  readonly samples: number;
  readonly seed: number;
  readonly covariance: boolean;
}

/** Predictions for the terms of one batch. */
export interface TermPrediction {
  readonly f: Float64Array;
  readonly variance: Float64Array;
  readonly covariance?: Float64Array | undefined;
  readonly probabilities?: Float64Array | undefined;
  readonly standardErrors?: Float64Array | undefined;
  readonly pointProbabilities?: Float64Array | undefined;
}
