import { jvp, vjp } from "../autodiff/index.ts";
import type { Value } from "../graph/index.ts";
import { broadcast, mul, reshape, scale, zeros } from "../primitives/index.ts";
import type { BatchGraph } from "./risk.ts";

/** The product with M, a matrix in the outputs of the terms: u [T, C] -> M u [T, C]. */
export type OutputMatrix = (batch: BatchGraph, u: Value) => Value;

/**
 * factor J' M J v for the Jacobian J of the outputs f in the parameters: the form that the generalized Gauss-Newton matrix, the
 * Fisher matrices and the empirical Fisher matrix share. They differ in M alone.
 */
export function outputProduct(
  batch: BatchGraph,
  v: readonly Value[],
  { matrix, factor }: { readonly matrix: OutputMatrix; readonly factor: number },
): Value[] {
  const { f, parameters } = batch;
  const [u] = jvp([f], parameters, v);
  if (u === null) return parameters.map(({ shape }) => zeros(shape));
  return vjp([f], parameters, [broadcast(scale(matrix(batch, u), factor), f.shape)]);
}

/** x [T, C] times the weight of each term. */
export function weighted({ weights }: BatchGraph, x: Value): Value {
  return weights === undefined ? x : mul(x, reshape(weights, [weights.shape[0], 1]));
}
