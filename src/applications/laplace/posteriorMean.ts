import type { Risk } from "../../operators/index.ts";

/** The weights that a posterior is about, in float64. */
export function posteriorMean(risk: Risk, indices: Int32Array | undefined): Float64Array {
  const theta = risk.theta();
  return indices === undefined ? Float64Array.from(theta) : Float64Array.from(indices, (at) => theta[at]);
}
