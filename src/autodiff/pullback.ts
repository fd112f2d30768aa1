import type { Value } from "../graph/index.ts";
import { linearize, transposeLinearization } from "./linearize.ts";

/**
 * Total cotangents of the outputs at any intermediate values, in one reverse pass: for a value v, `J' c` with the Jacobian J of the outputs
 * with respect to e at 0, where v is replaced by `v + e`. If one value depends on another, the effect of the other through it is included
 * in the other's cotangent.
 *
 * @param cotangents one per output, of its shape
 * @param values may repeat
 * @returns one per value, of its shape; null if the outputs do not depend on it
 * @throws CurvatureError as `jvp` and `transpose`
 */
export function pullback(
  outputs: readonly Value[],
  values: readonly Value[],
  cotangents: readonly Value[],
): readonly (Value | null)[] {
  // A value asked for twice gets its cotangent twice, not two shares of it.
  const distinct = [...new Set(values)];
  const found = transposeLinearization(linearize(outputs, distinct, { additive: true }), cotangents);
  const ofValue = new Map(distinct.map((value, i) => [value, found[i]]));
  return values.map((value) => ofValue.get(value)!);
}
