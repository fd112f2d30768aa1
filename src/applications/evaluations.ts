import type { RunOptions } from "../linalg/index.ts";
import type { Risk } from "../operators/index.ts";
import type { Vector } from "../tensors/index.ts";

/** Numbers of passes over the data that a computation took. */
export interface EvaluationCost {
  /** Forward passes: values of the loss. */
  readonly losses: number;
  /** Gradients: one forward and one backward pass each. */
  readonly gradients: number;
  /** Products with curvature matrices. */
  readonly matvecs: number;
}

/** The loss and the gradient of a risk at any parameters, and how many were computed. */
export interface Evaluations {
  loss(theta: Vector): Promise<number>;
  gradient(theta: Vector): Promise<Vector>;
  cost(): Pick<EvaluationCost, "losses" | "gradients">;
}

/** Evaluates a risk at any parameters. Each evaluation copies `theta` once and keeps nothing. */
export function evaluations(risk: Risk, options: Pick<RunOptions, "signal"> = {}): Evaluations {
  const run = options.signal ? { signal: options.signal } : {};
  let [losses, gradients] = [0, 0];
  const at = async <T>(theta: Vector, work: (moved: Risk) => Promise<T>) => {
    const moved = risk.at(theta);
    try {
      return await work(moved);
    } finally {
      await moved.dispose();
    }
  };
  return {
    loss(theta) {
      losses++;
      return at(theta, (moved) => moved.loss(run));
    },
    gradient(theta) {
      gradients++;
      return at(theta, (moved) => moved.gradient(run));
    },
    cost: () => ({ losses, gradients }),
  };
}
