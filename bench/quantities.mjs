// @ts-check
import { crossEntropy, empiricalFisher, empiricalRisk, fisher, ggn, hessian } from "onnx-curvature";
import { cg, damped, eigsh, hutchinsonTrace, lanczos, matmat, spectralDensity } from "onnx-curvature/linalg";
import { makeProblem } from "./problems.mjs";
import { normalVector, uniformNumbers } from "./random.mjs";
import { structuredQuantities } from "./structuredQuantities.mjs";

/** @typedef {import("onnx-curvature").Risk} Risk */
/** @typedef {import("onnx-curvature").LinearOperator} LinearOperator */
/** @typedef {() => Promise<unknown>} Work */

/** Names of all quantities, in the order in which they are measured; those of `structuredQuantities` are measured where they are asked for. */
export const quantityNames = /** @type {const} */ ([
  "gradient",
  "risk_at",
  "hessian",
  "ggn",
  "empirical_fisher",
  "fisher_1",
  "hessian_recomputed",
  "ggn_recomputed",
  "hessian_8",
  "ggn_8",
  "hessian_32",
  "ggn_32",
  "trace_100",
  "cg_50",
  "eigsh_10",
  "density_128",
  "lanczos_64",
]);

/**
 * The risk of a problem with everything that is timed on it.
 *
 * @param {string} problem
 * @param {{ threads: number }} options
 */
export async function makeQuantities(problem, { threads }) {
  const { model, data } = makeProblem(problem);
  const setup = { model, data, loss: crossEntropy(), threads };
  const risk = await empiricalRisk(setup);
  const structured = await structuredQuantities({ model, data }, { threads });
  const forgetful = await empiricalRisk({ ...setup, cache: 0 });
  const random = uniformNumbers(6);
  const v = normalVector(random, risk.size);
  const theta = risk.theta();
  /** @type {Record<string, Work>} */
  const works = {
    gradient: () => risk.gradient(),
    risk_at: () => risk.at(theta).dispose(),
    hessian: product(hessian(risk), v),
    ggn: product(ggn(risk), v),
    empirical_fisher: product(empiricalFisher(risk), v),
    fisher_1: product(fisher(risk, { type: 1, labels: 1, seed: 0 }), v),
    hessian_recomputed: product(hessian(forgetful), v),
    ggn_recomputed: product(ggn(forgetful), v),
    ...columnProducts(risk, random),
    ...algorithms(risk, v),
    ...structured.works,
  };
  const dispose = async () => {
    await risk.dispose();
    await forgetful.dispose();
    await structured.dispose();
  };
  return { works, size: risk.size, rows: risk.rows, dispose };
}

/**
 * @param {LinearOperator} A
 * @param {import("onnx-curvature").Vector} v
 * @returns {Work}
 */
function product(A, v) {
  return () => A.matvec(v);
}

/**
 * @param {Risk} risk
 * @param {() => number} random
 */
function columnProducts(risk, random) {
  /** @type {Record<string, Work>} */
  const works = {};
  for (const columns of [8, 32]) {
    /** @type {import("onnx-curvature").Matrix | undefined} */
    let made;
    const X = () => (made ??= { rows: risk.size, columns, data: normalVector(random, risk.size * columns) });
    works[`hessian_${columns}`] = () => matmat(hessian(risk), X());
    works[`ggn_${columns}`] = () => matmat(ggn(risk), X());
  }
  return works;
}

/**
 * The iterative algorithms: trace of G with 100 probes, 51 products of conjugate gradients on G + 0.01 I, ten largest
 * eigenvalues and spectral density of H, 64 Lanczos steps on G.
 *
 * @param {Risk} risk
 * @param {import("onnx-curvature").Vector} v
 * @returns {Record<string, Work>}
 */
function algorithms(risk, v) {
  return {
    trace_100: () => hutchinsonTrace(ggn(risk), { matvecs: 100, seed: 0 }),
    cg_50: () => cg(damped(ggn(risk), 1e-2), v, { matvecs: 51, tolerance: 1e-12 }),
    eigsh_10: () => eigsh(hessian(risk), { k: 10, which: "largest", tolerance: 1e-3, seed: 0 }),
    density_128: () => spectralDensity(hessian(risk), { steps: 128, probes: 1, seed: 0 }),
    lanczos_64: () => lanczos(ggn(risk), { steps: 64, seed: 0 }),
  };
}

/**
 * Products that an algorithm used, if its result tells.
 *
 * @param {unknown} result
 * @returns {{ matvecs?: number, status?: string }}
 */
export function cost(result) {
  if (typeof result !== "object" || result === null || !("matvecs" in result)) return {};
  const { matvecs, status } = /** @type {{ matvecs: number, status: string }} */ (result);
  return { matvecs, status };
}
