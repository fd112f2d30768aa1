import { checkObject } from "../../errors/index.ts";
import { combination } from "../../linalg/vectors/vector.ts";
import type { Risk } from "../../operators/index.ts";
import type { Vector } from "../../tensors/index.ts";

/** Refuses what is no risk. */
export function checkRiskFor(name: string, risk: Risk): void {
  checkObject(risk, `${name} expects a risk made by empiricalRisk`, ["model", "parameters", "engine"]);
}

/** `theta + factor d` in the precision of the risk. */
export function movedBy(risk: Risk, { theta, d, factor = 1 }: { theta: Vector; d: Vector; factor?: number }): Vector {
  return combination([1, theta], [factor, d], { dtype: risk.dtype });
}

/** `x o y`, in the precision of x. */
export function entrywise(x: Vector, y: Vector): Vector {
  return x.map((entry, i) => entry * y[i]!);
}
