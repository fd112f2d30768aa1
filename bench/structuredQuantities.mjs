// @ts-check
import { crossEntropy, empiricalRisk } from "onnx-curvature";
import { diagonal, ekfac, kfac } from "onnx-curvature/structured";

/** @typedef {import("onnx-curvature/structured").StructuredApproximation} Structured */

/**
 * Parameters of linear layers and convolutions: those that curvlinops' KFAC takes. Scales and shifts of normalizations are left out.
 *
 * @param {import("onnx-curvature").Model} model
 */
export function supportedParameters(model) {
  return model.parameters.map(({ name }) => name).filter((name) => !/norm\d?\.(weight|bias)$/.test(name));
}

/**
 * Builds of structured matrices and a product with one, on a risk of the parameters that the peer supports. A build includes everything from
 * the call to the matrix, and the disposal of it.
 *
 * @param {import("./problems.mjs").Problem} problem
 * @param {{ threads: number }} options
 */
export async function structuredQuantities({ model, data }, { threads }) {
  const setup = { model, data, loss: crossEntropy(), threads };
  const risk = await empiricalRisk({ ...setup, parameters: supportedParameters(model) });
  const sampled = { of: /** @type {const} */ ({ type: 1, labels: 1, seed: 0 }) };
  const exact = { of: /** @type {const} */ ({ type: 2 }) };
  /** @type {Promise<Structured> | undefined} */
  let made;
  const v = new Float32Array(risk.size).fill(1 / Math.sqrt(risk.size));
  /** @type {Record<string, () => Promise<unknown>>} */
  const works = {
    kfac_1: () => disposed(kfac(risk, sampled)),
    kfac_type2: () => disposed(kfac(risk, exact)),
    ekfac_1: () => disposed(ekfac(risk, sampled)),
    diagonal: () => disposed(diagonal(risk, exact)),
    async kfac_product() {
      made ??= kfac(risk, exact);
      return (await made).matvec(v);
    },
  };
  const dispose = async () => {
    await (await made)?.dispose();
    await risk.dispose();
  };
  return { works, dispose };
}

/** @param {Promise<Structured>} matrix */
async function disposed(matrix) {
  await (await matrix).dispose();
}
