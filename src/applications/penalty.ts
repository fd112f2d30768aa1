import type { LinearOperator } from "../linalg/index.ts";
import type { Vector } from "../tensors/index.ts";

/** A term beside the loss that pulls the weights somewhere: weight decay, elastic weight consolidation, a prior. */
export interface Penalty {
  /** Its value at these weights, `[size]`. */
  value(theta: Vector): Promise<number>;
  /** Its gradient there, `[size]`. */
  gradient(theta: Vector): Promise<Vector>;
  /** Its second derivative, `[size, size]`, the same everywhere. */
  readonly matrix: LinearOperator;
}
