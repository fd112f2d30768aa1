import { CurvatureError } from "../../errors/index.ts";
import { cg, type RunOptions } from "../../linalg/index.ts";
import { norm } from "../../linalg/vectors/vector.ts";
import { hessian, type Risk } from "../../operators/index.ts";
import type { Vector } from "../../tensors/index.ts";
import { decayOf, penalizedMatrix } from "../penalizedMatrix.ts";
import { newtonCg } from "../training/index.ts";

/** Trains a risk from its weights to a minimum of the objective. */
export type Retraining = (
  risk: Risk,
  options: RunOptions & { readonly weightDecay: number | Vector },
) => Promise<{ readonly theta: Vector; readonly gradientNorm: number }>;

/** Steps at the end that the values of the objective are too coarse to judge. */
const LAST_STEPS = 5;

/**
 * Newton-CG to a gradient of 1e-10 of that at the start, 1e-4 for float32 risks. Near the minimum a step changes the objective by the square of the gradient, which
 * rounding hides long before the gradient is that small; the last Newton steps are therefore judged by the gradient's norm alone.
 */
export const newton: Retraining = async (risk, { weightDecay, signal }) => {
  const run = signal ? { signal } : {};
  const tolerance = risk.dtype === "float32" ? 1e-4 : 1e-10;
  const result = await newtonCg(risk, { weightDecay, tolerance, steps: 200, ...run });
  if (result.stopped === "aborted") throw new CurvatureError("aborted", result.message);
  let { theta, gradientNorm } = result;
  if (risk.dtype === "float32" || result.stopped === "gradient") return { theta, gradientNorm };
  for (let step = 0; step < LAST_STEPS; step++) {
    const next = await newtonStep(risk, theta, { weightDecay, run });
    if (next === undefined || !(next.gradientNorm < gradientNorm)) break;
    ({ theta, gradientNorm } = next);
  }
  return { theta, gradientNorm };
};

/** The weights after a whole Newton step, with the gradient there; undefined where the curvature is not positive. */
async function newtonStep(
  risk: Risk,
  theta: Vector,
  { weightDecay, run }: { readonly weightDecay: number | Vector; readonly run: RunOptions },
): Promise<{ readonly theta: Vector; readonly gradientNorm: number } | undefined> {
  const here = risk.at(theta);
  try {
    const A = penalizedMatrix(hessian(here), weightDecay);
    const step = await cg(A, await penalizedGradient(here, weightDecay), { tolerance: 1e-8, ...run });
    if (step.status !== "converged" && step.status !== "stagnated") return undefined;
    const next = theta.map((entry, i) => entry - step.x[i]!);
    const there = risk.at(next);
    const gradientNorm = norm(await penalizedGradient(there, weightDecay));
    await there.dispose();
    return { theta: next, gradientNorm };
  } finally {
    await here.dispose();
  }
}

/** Gradient of the training objective: that of the loss and of the penalty `sum w_i theta_i^2 / 2`. */
export async function penalizedGradient(risk: Risk, weightDecay: number | Vector): Promise<Float64Array> {
  const theta = risk.theta();
  const decay = decayOf("penalizedGradient", { weightDecay, size: risk.size });
  return Float64Array.from(await risk.gradient(), (entry, i) => entry + decay(i) * theta[i]!);
}
