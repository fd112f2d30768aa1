import { CurvatureError } from "../../errors/index.ts";
import { cg, damped, type LinearOperator, type RunOptions } from "../../linalg/index.ts";
import { dot, isFiniteVector } from "../../linalg/vectors/vector.ts";
import type { Vector } from "../../tensors/index.ts";

/** `g's + s'B s / 2`, the change of the objective that a quadratic model predicts. One product. */
export async function predictedChange(
  B: LinearOperator,
  { g, s, run }: { readonly g: Vector; readonly s: Vector; readonly run: RunOptions },
): Promise<number> {
  return dot(g, s) + dot(s, await B.matvec(s, run)) / 2;
}

/** How the solution of a damped system is found. */
export interface DampedSolve {
  readonly damping: number;
  readonly tolerance: number;
  readonly matvecs: number;
  readonly run: RunOptions;
}

/**
 * `-(B + damping I)^-1 g` by conjugate gradients. Where B has negative curvature beyond the damping, the iterate that was reached, or the direction of
 * negative curvature downhill: both lower the model.
 */
export async function dampedStep(
  B: LinearOperator,
  g: Vector,
  { damping, tolerance, matvecs, run }: DampedSolve,
): Promise<Vector> {
  const { x, ...end } = await cg(damped(B, damping), g, { tolerance, matvecs, ...run });
  if (end.status === "aborted") throw new CurvatureError("aborted", end.message);
  if (end.status === "indefinite" && x.every((entry) => entry === 0)) {
    const sign = dot(end.direction, g) > 0 ? -1 : 1;
    return end.direction.map((entry) => sign * entry);
  }
  if (!isFiniteVector(x))
    throw new CurvatureError("numeric", `the damped system has no finite solution: ${end.message}`);
  return x.map((entry) => -entry);
}

/** `actual / predicted`; negative infinity where it is no number, so that the step counts as bad. */
export function trustRatio(actual: number, predicted: number): number {
  const ratio = actual / predicted;
  return Number.isNaN(ratio) ? Number.NEGATIVE_INFINITY : ratio;
}
