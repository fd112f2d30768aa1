import type { LinearOperator } from "../linalg/index.ts";
import type { Vector } from "../tensors/index.ts";

/** A term beside the loss that pulls the weights somewhere: weight decay, elastic weight consolidation, a prior. */
export interface Penalty {
  value(theta: Vector): Promise<number>;
  /** `[size]` */
  gradient(theta: Vector): Promise<Vector>;
  /** Its second derivative, `[size, size]`, the same everywhere. */
  readonly matrix: LinearOperator;
}
