import { CurvatureError } from "../../errors/index.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { runToEnd } from "../../linalg/runs/runToEnd.ts";
import { combination, norm } from "../../linalg/vectors/vector.ts";
import type { Risk } from "../../operators/index.ts";
import type { Vector } from "../../tensors/index.ts";
import { movedTheta } from "./movedTheta.ts";
import type { TrainingMethod, TrainingOptions, TrainingResult, TrainingState } from "./trainingMethod.ts";
import { trainingSteps } from "./trainingRun.ts";

/** What gradient descent remembers. */
export interface GradientDescentMemory {
  readonly velocity: Vector | undefined;
}

/** State of a run of `gradientDescent`, from which it can go on. */
export type GradientDescentState = TrainingState<GradientDescentMemory>;

/** Options of `gradientDescent`. */
export interface GradientDescentOptions extends TrainingOptions<GradientDescentState> {
  readonly learningRate: number;
  /** Heavy-ball momentum, from 0 (default) to below 1. */
  readonly momentum?: number;
}

const NAME = "gradientDescent";

/**
 * Gradient descent with a fixed learning rate and heavy-ball momentum (Polyak, 1964): `v <- momentum v - learningRate g`, `theta <- theta + v`; stochastic with `batchRows`. A
 * baseline for the methods that know curvature. A step takes one gradient and one value of the objective, which is for the record.
 *
 * @throws CurvatureError "argument", "shape" or "unsupported" for options it cannot take, with `state` where a step fails
 */
export function gradientDescent(risk: Risk, options: GradientDescentOptions): Promise<TrainingResult> {
  return runToEnd(gradientDescentSteps(risk, options));
}

/** The run of `gradientDescent` step by step; yields a state after each, from which `state` resumes it. */
export async function* gradientDescentSteps(
  risk: Risk,
  options: GradientDescentOptions,
): AsyncGenerator<GradientDescentState, TrainingResult, void> {
  checkOptions(
    NAME,
    options,
    "learningRate momentum steps tolerance target batchRows curvatureRows seed validation patience weightDecay penalties frozen state signal onProgress",
  );
  const { learningRate, momentum = 0 } = options;
  checkLearningRate(NAME, learningRate);
  if (!(momentum >= 0 && momentum < 1)) {
    throw new CurvatureError("argument", `${NAME} expects momentum from 0 to below 1, got ${momentum}`);
  }
  const method: TrainingMethod<GradientDescentMemory> = {
    name: NAME,
    start: () => ({ velocity: undefined }),
    async step({ theta, gradient, own }) {
      const dtype = theta instanceof Float32Array ? "float32" : "float64";
      const velocity = combination([momentum, own.velocity ?? gradient.map(() => 0)], [-learningRate, gradient], {
        dtype,
      });
      const record = { accepted: true, stepNorm: norm(velocity), rate: learningRate };
      return { theta: movedTheta(theta, velocity), own: { velocity }, record };
    },
  };
  return yield* trainingSteps(method, risk, options);
}

/** Refuses a learning rate that is no positive number. */
export function checkLearningRate(name: string, learningRate: number): void {
  if (typeof learningRate === "number" && learningRate > 0 && Number.isFinite(learningRate)) return;
  throw new CurvatureError(
    "argument",
    `${name} expects learningRate to be a positive finite number, got ${String(learningRate)}`,
  );
}
