import type { RoundingScheme } from "../uniformGrid.ts";

/** The bits of each tensor of a network, and how its weights are rounded. */
export interface QuantizationPlan {
  readonly scheme: RoundingScheme;
  readonly scale: "max" | "mse";
  readonly tensors: readonly PlannedTensor[];
}

/** The bits of one tensor. */
export interface PlannedTensor {
  /** Name of the parameter. */
  readonly name: string;
  /** 2 to 8, or 16 for float16. */
  readonly bits: number;
  /** Axis each of whose indices has a step of its own; absent for one step. */
  readonly axis?: number;
}
