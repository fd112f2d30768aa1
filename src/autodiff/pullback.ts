import { input, type Value } from "../graph/index.ts";
import { jvp } from "./jvp.ts";
import { transpose } from "./transpose.ts";

/**
 * Total cotangents of the outputs at any intermediate values, in one reverse pass: for a value v, `J' c` with the Jacobian J of the outputs
 * with respect to e at 0, where v is replaced by `v + e`. If one value depends on another, the effect of the other through it is included
 * in the other's cotangent.
 *
 * @param cotangents one per output, of its shape
 * @returns one per value, of its shape; null if the outputs do not depend on it
 * @throws CurvatureError as `jvp` and `transpose`
 */
export function pullback(
  outputs: readonly Value[],
  values: readonly Value[],
  cotangents: readonly Value[],
): readonly (Value | null)[] {
  const changes = values.map((value, i) => input(`change ${i}`, value.shape));
  const tangents = jvp(outputs, values, changes, { additive: true });
  const live = tangents.flatMap((tangent, i) => (tangent === null ? [] : [{ tangent, cotangent: cotangents[i] }]));
  return transpose(
    live.map(({ tangent }) => tangent),
    changes,
    live.map(({ cotangent }) => cotangent),
  );
}
