import { jvp, vjp } from "../../autodiff/index.ts";
import { scalar, type Value } from "../../graph/index.ts";
import { broadcast, mul, reduceSum, reshape, zeros } from "../../primitives/index.ts";
import type { BatchGraph } from "../engine/risk.ts";

/** The product with M, a matrix in the outputs of the terms: u [T, C] -> M u [T, C]. */
export type OutputMatrix = (batch: BatchGraph, u: Value, constants: { readonly [name: string]: Value }) => Value;

/**
 * The matrix c sum_t J_t' M_t J_t for the Jacobian J_t of the outputs of a term, as a batch's product and quadratic form. The generalized
 * Gauss-Newton matrix, the Fisher matrices and the empirical Fisher matrix have this form and differ only in M. The quadratic form v' J' M
 * J v = u' M u with u = J v needs no backward pass.
 */
export function throughOutputs(matrix: OutputMatrix) {
  type Constants = { readonly [name: string]: Value };
  return {
    product(batch: BatchGraph, v: readonly Value[], constants: Constants = {}): readonly Value[] {
      const { f, parameters } = batch;
      const [u] = jvp([f], parameters, v);
      if (u === null) return parameters.map(({ shape }) => zeros(shape));
      return vjp([f], parameters, [broadcast(mul(matrix(batch, u, constants), batch.scale), f.shape)]);
    },
    form(batch: BatchGraph, v: readonly Value[], constants: Constants = {}): Value {
      const { f, parameters } = batch;
      const [u] = jvp([f], parameters, v);
      if (u === null) return scalar(0);
      return mul(reduceSum(broadcast(mul(u, matrix(batch, u, constants)), f.shape)), batch.scale);
    },
  };
}

/** Multiplies x [T, C] by the weight of each term. */
export function weighted({ weights }: BatchGraph, x: Value): Value {
  return weights === undefined ? x : mul(x, reshape(weights, [weights.shape[0], 1]));
}
