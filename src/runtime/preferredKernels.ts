import { shareCommonSubexpressions, type Value } from "../graph/index.ts";
import type { Precision } from "../tensors/index.ts";

/**
 * The outputs with every primitive that has no good kernel in this precision replaced by the form that has, also within
 * such forms, and with equal applications computed once.
 */
export function withPreferredKernels(outputs: readonly Value[], precision: Precision): Value[] {
  return shareCommonSubexpressions(outputs, (value) => value.primitive.alternative?.(value, precision));
}
