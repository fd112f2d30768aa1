import { CurvatureError } from "../../errors/index.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { runToEnd } from "../../linalg/runs/runToEnd.ts";
import { norm } from "../../linalg/vectors/vector.ts";
import type { Risk } from "../../operators/index.ts";
import type { Vector } from "../../tensors/index.ts";
import { checkLearningRate } from "./gradientDescent.ts";
import { movedTheta } from "./movedTheta.ts";
import type { TrainingMethod, TrainingOptions, TrainingResult, TrainingState } from "./trainingMethod.ts";
import { trainingSteps } from "./trainingRun.ts";

/** What Adam remembers: running means of gradients and of their squares. */
export interface AdamMemory {
  readonly mean: Vector | undefined;
  readonly square: Vector | undefined;
}

/** State of a run of `adam`, from which it can go on. */
export type AdamState = TrainingState<AdamMemory>;

/** Options of `adam`. */
export interface AdamOptions extends TrainingOptions<AdamState> {
  /** 1e-3 by default. */
  readonly learningRate?: number;
  /** Decay of the mean of gradients and of their squares; [0.9, 0.999] by default. */
  readonly betas?: readonly [number, number];
  /** Added to the root of the mean square; 1e-8 by default. */
  readonly epsilon?: number;
}

const NAME = "adam";

/**
 * Adam (Kingma and Ba, 2015, algorithm 1), with penalties as a part of the gradient. A baseline for the methods that know curvature. A step takes one gradient and one value of
 * the objective, which is for the record.
 *
 * @throws CurvatureError "argument", "shape" or "unsupported" for options it cannot take, with `state` where a step fails
 */
export function adam(risk: Risk, options: AdamOptions = {}): Promise<TrainingResult> {
  return runToEnd(adamSteps(risk, options));
}

/** The run of `adam` step by step; yields a state after each, from which `state` resumes it. */
export async function* adamSteps(
  risk: Risk,
  options: AdamOptions = {},
): AsyncGenerator<AdamState, TrainingResult, void> {
  checkOptions(
    NAME,
    options,
    "learningRate betas epsilon steps tolerance target batchRows curvatureRows seed validation patience weightDecay penalties frozen state signal onProgress",
  );
  const { learningRate = 1e-3, betas = [0.9, 0.999], epsilon = 1e-8 } = options;
  checkLearningRate(NAME, learningRate);
  const [first, second] = betas;
  if (!(first >= 0 && first < 1 && second >= 0 && second < 1 && epsilon > 0)) {
    throw new CurvatureError(
      "argument",
      `${NAME} expects betas from 0 to below 1 and a positive epsilon, got ${String(betas)} and ${epsilon}`,
    );
  }
  const method: TrainingMethod<AdamMemory> = {
    name: NAME,
    start: () => ({ mean: undefined, square: undefined }),
    async step({ theta, gradient, own, step }) {
      const mean = gradient.map((g, i) => first * (own.mean?.[i] ?? 0) + (1 - first) * g);
      const square = gradient.map((g, i) => second * (own.square?.[i] ?? 0) + (1 - second) * g * g);
      const [a, b] = [1 - first ** (step + 1), 1 - second ** (step + 1)];
      const s = mean.map((m, i) => (-learningRate * (m / a)) / (Math.sqrt(square[i]! / b) + epsilon));
      const record = { accepted: true, stepNorm: norm(s), rate: learningRate };
      return { theta: movedTheta(theta, s), own: { mean, square }, record };
    },
  };
  return yield* trainingSteps(method, risk, options);
}
