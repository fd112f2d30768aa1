import { combination } from "../../linalg/vectors/vector.ts";
import type { Vector } from "../../tensors/index.ts";

/** `theta + rate s`, in the precision of theta. */
export function movedTheta(theta: Vector, s: Vector, rate = 1): Vector {
  return combination([1, theta], [rate, s], { dtype: theta instanceof Float32Array ? "float32" : "float64" });
}
