import { ggn } from "onnx-curvature";
import { approximationError, ekfac } from "onnx-curvature/structured";

/**
 * A damped step by the eigenvalue-corrected Kronecker factors of a risk, which blocks its parameters have, and how far these are from the
 * Gauss-Newton matrix.
 *
 * @param {import("onnx-curvature").Risk} risk
 */
export async function approximate(risk, damping = 1e-2) {
  const K = await ekfac(risk);
  try {
    const step = await K.inverse({ damping }).matvec(await risk.gradient());
    const error = await approximationError(ggn(risk), K, { seed: 0 });
    return { step, coverage: K.coverage, logdet: await K.logdet({ damping }), error };
  } finally {
    await K.dispose();
  }
}
