import { CurvatureError } from "../../errors/index.ts";
import { eigsh, type Outcome, type RunOptions } from "../../linalg/index.ts";
import { checkSeed } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { hessian, type Risk } from "../../operators/index.ts";
import { checkPositive } from "../checkPositive.ts";
import { checkRiskFor } from "./sharpnessRun.ts";

/** Options of `stableLearningRate`. */
export interface StableLearningRateOptions extends RunOptions {
  readonly seed: number;
  /** Heavy-ball momentum, 0 by default, below 1. */
  readonly momentum?: number;
  /** A learning rate to judge. */
  readonly learningRate?: number;
  /** Most products of the eigensolver. */
  readonly matvecs?: number;
}

/** The edge of stability of gradient descent. */
export interface StableLearningRate extends Outcome {
  /** `2 (1 + momentum) / eigenvalue`: above it gradient descent diverges on the quadratic model. Infinity without positive curvature. */
  readonly threshold: number;
  /** Thresholds for the eigenvalue plus and minus its residual. */
  readonly lower: number;
  readonly upper: number;
  /** Largest eigenvalue of the Hessian. */
  readonly eigenvalue: number;
  /** `|H v - eigenvalue v|`: some eigenvalue lies within that distance. */
  readonly residualNorm: number;
  /** The learning rate over the threshold, where one was given: at 1 training is at the edge of stability. */
  readonly ratio?: number;
}

const NAME = "stableLearningRate";

/**
 * Edge-of-stability threshold of the learning rate, `2 / lambda` with the largest eigenvalue of the Hessian, `2 (1 + beta) / lambda` with heavy-ball momentum beta
 * (Polyak, 1964; Cohen et al., 2021): full-batch gradient descent with a larger rate grows along the top eigenvector. Training with rate eta tends to end where
 * lambda is about `2 / eta`. One eigenpair by `eigsh`.
 *
 * @throws CurvatureError "argument" for options it cannot take, "aborted" when the signal fires
 */
export async function stableLearningRate(risk: Risk, options: StableLearningRateOptions): Promise<StableLearningRate> {
  checkRiskFor(NAME, risk);
  checkOptions(NAME, options, "seed momentum learningRate matvecs signal onProgress");
  const { seed, momentum = 0, learningRate, matvecs, signal, onProgress } = options;
  checkSeed(NAME, seed);
  if (!(typeof momentum === "number" && momentum >= 0 && momentum < 1)) {
    throw new CurvatureError("argument", `${NAME} expects momentum from 0 to below 1, got ${String(momentum)}`);
  }
  if (learningRate !== undefined) checkPositive(NAME, "learningRate", learningRate);
  const budget = {
    ...(matvecs !== undefined && { matvecs }),
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
  };
  const top = await eigsh(hessian(risk), { k: 1, which: "largest", copies: false, seed, ...budget });
  if (top.status === "aborted") throw new CurvatureError("aborted", `${NAME}: ${top.message}`);
  const [eigenvalue, residualNorm] = [top.values[0]!, top.residualNorms[0]!];
  const thresholdAt = (value: number) => (value > 0 ? (2 * (1 + momentum)) / value : Number.POSITIVE_INFINITY);
  const threshold = thresholdAt(eigenvalue);
  return {
    threshold,
    lower: thresholdAt(eigenvalue + residualNorm),
    upper: thresholdAt(eigenvalue - residualNorm),
    eigenvalue,
    residualNorm,
    ...(learningRate !== undefined && { ratio: learningRate / threshold }),
    status: top.status,
    message: `gradient descent is stable up to a learning rate of ${threshold.toPrecision(3)}; ${top.message}`,
    matvecs: top.matvecs,
  };
}
