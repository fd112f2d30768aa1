import { jvp, vjp } from "../autodiff/index.ts";
import { scalar, type Value } from "../graph/index.ts";
import type { LinearOperator } from "../linalg/operator/operator.ts";
import { reduceSum, zeros } from "../primitives/index.ts";
import type { BatchGraph, Risk } from "./engine/risk.ts";
import { checkRisk } from "./products/checkRisk.ts";
import { type CurvatureDefinition, curvatureMatrix } from "./products/curvatureMatrix.ts";
import { throughOutputs, weighted } from "./products/outputProduct.ts";

const product = throughOutputs((terms, u) => weighted(terms, lossHessian(terms, u)));
const convex: CurvatureDefinition = { name: "generalized Gauss-Newton matrix", psd: true, ...product };
const indefinite: CurvatureDefinition = { ...convex, psd: false };

/**
 * Generalized Gauss-Newton matrix c sum_t w_t J_t' (d^2 l / df^2) J_t (Schraudolph, 2002): the Hessian of the risk without
 * the curvature of the network itself, [size, size]. Positive semidefinite if the loss is convex in the outputs. A product is
 * one pass over the data, about one and a half gradients.
 */
export function ggn(risk: Risk): LinearOperator {
  checkRisk(risk, "ggn");
  return curvatureMatrix(risk, risk.lossFunction.convex ? convex : indefinite);
}

/** Second derivative of the loss as written in the outputs of each term, times u [T, C]. */
export function lossHessian({ f, y, loss }: BatchGraph, u: Value): Value {
  const [slope] = vjp([reduceSum(loss.terms(f, y))], [f], [scalar(1)]);
  return jvp([slope], [f], [u])[0] ?? zeros(f.shape);
}
