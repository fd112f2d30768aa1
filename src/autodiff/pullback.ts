import { input, type Value } from "../graph/index.ts";
import { jvp } from "./jvp.ts";
import { transpose } from "./transpose.ts";

/**
 * Total cotangents of the outputs at any values on the way to them, in one reverse pass: for a value v, `J' c` for the Jacobian J of the
 * outputs in a change that is added to v. Where one value depends on another, its change by the other is part of the other's cotangent, so
 * that each is what `v + e` gives in e at 0.
 *
 * @param cotangents one an output, of its shape
 * @returns one a value, of its shape; null where the outputs do not depend on it
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
