import type { Vector } from "../../tensors/index.ts";
import { scaled } from "../vectors/vector.ts";
import type { StopReason } from "./solverMethod.ts";

/** Reason to end a run on a positive definite matrix by its curvature along p, where there is one. `rounding` counts as zero; `squared` is `||p||^2`. */
export function definiteEnding(
  p: Vector,
  {
    squared,
    curvature,
    rounding,
    matrix = "A",
  }: { readonly [key in "squared" | "curvature" | "rounding"]: number } & { readonly matrix?: string },
): StopReason | undefined {
  if (curvature > rounding) return undefined;
  if (curvature >= -rounding) {
    return { status: "breakdown", happened: `${matrix} has curvature zero along the search direction: it is singular` };
  }
  const happened = `${matrix} has negative curvature ${curvature.toPrecision(3)}`;
  return { status: "indefinite", happened, direction: scaled(1 / Math.sqrt(squared), p), curvature };
}
