import type { Value } from "../graph/index.ts";
import { zeros } from "../primitives/index.ts";
import { linearize, transposeLinearization } from "./linearize.ts";

/**
 * Reverse mode: cotangents of the variables, `J' c` for the Jacobian J of the outputs with respect to the variables. Zero for a variable on
 * which no output depends. The gradient of a scalar is `vjp([loss], parameters, [scalar(1)])`.
 */
export function vjp(outputs: readonly Value[], variables: readonly Value[], cotangents: readonly Value[]): Value[] {
  const results = transposeLinearization(linearize(outputs, variables), cotangents);
  return results.map((result, i) => result ?? zeros(variables[i].shape));
}
