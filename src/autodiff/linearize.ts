import { input, type Value } from "../graph/index.ts";
import { jvp } from "./jvp.ts";

/** A linear map as a graph: `tangents` depend linearly on `inputs`; all other values on which they depend are residuals. */
export interface Linearization {
  /** One free input per variable, of its shape. */
  readonly inputs: readonly Value[];
  /** Tangents of the outputs; `null` for zero. */
  readonly tangents: readonly (Value | null)[];
}

/** The derivative of the outputs with respect to the variables as a linear graph, at the values of the variables in the given graph. */
export function linearize(outputs: readonly Value[], variables: readonly Value[]): Linearization {
  const inputs = variables.map((variable, i) => input(`tangent ${i}`, variable.shape));
  return { inputs, tangents: jvp(outputs, variables, inputs) };
}
