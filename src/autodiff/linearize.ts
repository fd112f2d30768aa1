import { input, type Value } from "../graph/index.ts";
import { type JvpOptions, jvp } from "./jvp.ts";
import { transpose } from "./transpose.ts";

/** A linear map as a graph: `tangents` depend linearly on `inputs`; all other values on which they depend are residuals. */
export interface Linearization {
  /** One free input per variable, of its shape. */
  readonly inputs: readonly Value[];
  /** Tangents of the outputs; `null` for zero. */
  readonly tangents: readonly (Value | null)[];
}

/** The derivative of the outputs with respect to the variables as a linear graph, at the values of the variables in the given graph. */
export function linearize(outputs: readonly Value[], variables: readonly Value[], options?: JvpOptions): Linearization {
  const inputs = variables.map((variable, i) => input(`tangent ${i}`, variable.shape));
  return { inputs, tangents: jvp(outputs, variables, inputs, options) };
}

/** The transpose of a linear map: cotangents of its inputs for one cotangent an output; null for zero. */
export function transposeLinearization(
  { inputs, tangents }: Linearization,
  cotangents: readonly Value[],
): readonly (Value | null)[] {
  const live = tangents.flatMap((tangent, i) => (tangent === null ? [] : [{ tangent, cotangent: cotangents[i] }]));
  return transpose(
    live.map(({ tangent }) => tangent),
    inputs,
    live.map(({ cotangent }) => cotangent),
  );
}
