import { curvatureMatrix, jvp, primitives, scalar, vjp } from "onnx-curvature";

const { mul, reduceSum, reshape } = primitives;

/** M u for every term: its loss l_t times the second derivative of the loss in the outputs, H_t u_t; u is [terms, classes]. */
function lossTimesHessian({ f, y, loss, weights }, u) {
  const losses = loss.terms(f, y); // [terms]
  const [slope] = vjp([reduceSum(losses)], [f], [scalar(1)]); // dl/df
  const [curved] = jvp([slope], [f], [u]); // H u
  const factors = weights === undefined ? losses : mul(losses, weights);
  return mul(curved, reshape(factors, [factors.shape[0], 1]));
}

// Made once: programs are found by the identity of its functions.
const definition = {
  name: "loss-weighted Gauss-Newton matrix",
  psd: true, // where losses are convex and not negative
  product(batch, v) {
    const [u] = jvp([batch.f], batch.parameters, v); // J v
    return vjp([batch.f], batch.parameters, [mul(lossTimesHessian(batch, u), batch.scale)]); // J' M J v, one value a parameter
  },
  form(batch, v) {
    const [u] = jvp([batch.f], batch.parameters, v);
    return mul(reduceSum(mul(u, lossTimesHessian(batch, u))), batch.scale); // v' J' M J v needs no way back
  },
};

/**
 * c sum_t l_t J_t' H_t J_t: a Gauss-Newton matrix in which each term counts as much as it is wrong.
 *
 * @param {import("onnx-curvature").Risk} risk
 */
export const lossWeighted = (risk) => curvatureMatrix(risk, definition);
