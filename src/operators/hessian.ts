import { jvp, vjp } from "../autodiff/index.ts";
import { scalar } from "../graph/index.ts";
import type { LinearOperator } from "../linalg/operator/operator.ts";
import { zeros } from "../primitives/index.ts";
import type { Risk } from "./engine/risk.ts";
import { checkRisk } from "./products/checkRisk.ts";
import { type CurvatureDefinition, curvatureMatrix } from "./products/curvatureMatrix.ts";
import { scaledLoss } from "./products/lossAndGradient.ts";

const definition: CurvatureDefinition = {
  name: "Hessian",
  psd: false,
  product(batch, v) {
    const gradient = vjp([scaledLoss(batch)], batch.parameters, [scalar(1)]);
    return jvp(gradient, batch.parameters, v).map((part, i) => part ?? zeros(batch.parameters[i].shape));
  },
  form(batch, v) {
    const [slope] = jvp([scaledLoss(batch)], batch.parameters, v);
    const [curvature] = slope === null ? [null] : jvp([slope], batch.parameters, v);
    return curvature ?? scalar(0);
  },
};

/**
 * Hessian, the exact second derivative of the risk L with respect to its parameters, [size, size]. Symmetric, in general indefinite. A
 * product is forward over reverse (Pearlmutter, 1994): one pass over the data, about two gradients, less with kept residuals. A quadratic
 * form v' H v is the second derivative of L along v, by two forward passes: about two thirds of a product.
 */
export function hessian(risk: Risk): LinearOperator {
  checkRisk(risk, "hessian");
  return curvatureMatrix(risk, definition);
}
