import { jvp, vjp } from "../autodiff/index.ts";
import { scalar, type Value } from "../graph/index.ts";
import { broadcast, mul, reduceSum, reshape, scale, zeros } from "../primitives/index.ts";
import type { BatchGraph } from "./risk.ts";

/** The product with M, a matrix in the outputs of the terms: u [T, C] -> M u [T, C]. */
export type OutputMatrix = (batch: BatchGraph, u: Value, constants: { readonly [name: string]: Value }) => Value;

/** M, and what its sum over terms is multiplied with. */
export interface OutputMatrixOptions {
  readonly matrix: OutputMatrix;
  readonly factor: number;
}

/**
 * The matrix factor J' M J for the Jacobian J of the outputs f in the parameters, as a batch's product and quadratic form: what the
 * generalized Gauss-Newton matrix, the Fisher matrices and the empirical Fisher matrix share. They differ in M alone. The form
 * v' J' M J v = u' M u with u = J v needs no backward pass.
 */
export function throughOutputs(options: OutputMatrixOptions) {
  type Constants = { readonly [name: string]: Value };
  return {
    product: (batch: BatchGraph, v: readonly Value[], constants: Constants) =>
      outputProduct(batch, { v, constants, ...options }),
    form: (batch: BatchGraph, v: readonly Value[], constants: Constants) =>
      outputForm(batch, { v, constants, ...options }),
  };
}

interface Request extends OutputMatrixOptions {
  readonly v: readonly Value[];
  readonly constants?: { readonly [name: string]: Value };
}

/** factor J' M J v, one value a parameter. */
export function outputProduct(batch: BatchGraph, { v, constants = {}, matrix, factor }: Request): Value[] {
  const { f, parameters } = batch;
  const [u] = jvp([f], parameters, v);
  if (u === null) return parameters.map(({ shape }) => zeros(shape));
  return vjp([f], parameters, [broadcast(scale(matrix(batch, u, constants), factor), f.shape)]);
}

/** factor v' J' M J v, of shape []. */
function outputForm(batch: BatchGraph, { v, constants = {}, matrix, factor }: Request): Value {
  const { f, parameters } = batch;
  const [u] = jvp([f], parameters, v);
  if (u === null) return scalar(0);
  return scale(reduceSum(broadcast(mul(u, matrix(batch, u, constants)), f.shape)), factor);
}

/** x [T, C] times the weight of each term. */
export function weighted({ weights }: BatchGraph, x: Value): Value {
  return weights === undefined ? x : mul(x, reshape(weights, [weights.shape[0], 1]));
}
