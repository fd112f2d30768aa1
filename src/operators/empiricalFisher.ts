import { vjp } from "../autodiff/index.ts";
import { scalar, type Value } from "../graph/index.ts";
import type { LinearOperator } from "../linalg/operator/operator.ts";
import { mul, reduceSum, reduceSumKeeping } from "../primitives/index.ts";
import type { BatchGraph, Risk } from "./engine/risk.ts";
import { checkRisk } from "./products/checkRisk.ts";
import { type CurvatureDefinition, curvatureMatrix } from "./products/curvatureMatrix.ts";
import { throughOutputs, weighted } from "./products/outputProduct.ts";

const definition: CurvatureDefinition = {
  name: "empirical Fisher matrix",
  psd: true,
  ...throughOutputs((terms, u) => {
    const g = termGradients(terms);
    return weighted(terms, mul(g, reduceSumKeeping(mul(g, u), [1])));
  }),
};

/**
 * Empirical Fisher matrix c sum_t w_t J_t' g_t g_t' J_t, [size, size], with g_t the gradient of the term's unweighted loss as written with
 * respect to the outputs, at the observed label. Positive semidefinite. Not an approximation of the Hessian away from a perfect fit
 * (Kunstner, Balles and Hennig, 2019). A product is one pass over the data, about one and a half gradients.
 */
export function empiricalFisher(risk: Risk): LinearOperator {
  checkRisk(risk, "empiricalFisher");
  return curvatureMatrix(risk, definition);
}

/** Gradient of each term's unweighted loss with respect to its outputs, [T, C]. */
export function termGradients({ f, y, loss }: BatchGraph): Value {
  return vjp([reduceSum(loss.terms(f, y))], [f], [scalar(1)])[0];
}
