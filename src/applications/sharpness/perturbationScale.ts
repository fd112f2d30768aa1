import { CurvatureError } from "../../errors/index.ts";
import { isFiniteVector } from "../../linalg/vectors/vector.ts";
import type { Risk } from "../../operators/index.ts";
import { toPrecision, type Vector } from "../../tensors/index.ts";
import { weightMatrices } from "../weightMatrices.ts";

/**
 * Lengths T_i in which perturbations are measured: those d count as small whose `T^-1 d` is.
 *
 * - "plain": T = 1
 * - "adaptive": T = |w| + eta, by weight (ASAM; Kwon et al., 2021)
 * - "filter": T = |w_f| + eta, with the norm of the weights of the same output; for biases and other vectors by weight
 * - numbers `[size]`, not negative
 *
 * With the second and third, the neighbourhood is the same after the units of a ReLU network are rescaled.
 */
export type PerturbationScale = "plain" | "adaptive" | "filter" | Vector;

/** Options of everything that perturbs weights. */
export interface ScaleOptions {
  /** Default "plain". */
  readonly scale?: PerturbationScale;
  /** Added to |w| in "adaptive" and "filter"; default 0.01, as ASAM has it. With 0 the measure is exactly invariant to rescaling. */
  readonly eta?: number;
}

/** T as a vector `[size]` in the precision of the risk. Throws "argument" or "shape" for what is no scale. */
export async function scaleVector(
  name: string,
  { risk, scale = "plain", eta = 0.01 }: ScaleOptions & { readonly risk: Risk },
): Promise<Vector> {
  if (!(typeof eta === "number" && eta >= 0 && Number.isFinite(eta))) {
    throw new CurvatureError(
      "argument",
      `${name} expects eta to be zero or a positive finite number, got ${String(eta)}`,
    );
  }
  const { size, dtype } = risk;
  if (scale === "plain") return toPrecision(new Float64Array(size).fill(1), dtype);
  if (scale === "adaptive") return risk.theta().map((weight) => Math.abs(weight) + eta);
  if (scale === "filter") return filterScale(risk, eta);
  if (!ArrayBuffer.isView(scale)) {
    throw new CurvatureError(
      "argument",
      `${name} expects scale to be "plain", "adaptive", "filter" or a vector, got ${JSON.stringify(scale)}`,
    );
  }
  if (scale.length !== size) {
    throw new CurvatureError("shape", `${name} expects a scale of ${size} entries, got ${scale.length}`);
  }
  if (!isFiniteVector(scale) || scale.some((length) => length < 0)) {
    throw new CurvatureError("argument", `${name} expects a scale of finite numbers, not negative`);
  }
  return toPrecision(scale, dtype).slice();
}

async function filterScale(risk: Risk, eta: number): Promise<Vector> {
  const theta = risk.theta();
  const lengths = theta.map((weight) => Math.abs(weight) + eta);
  for (const { rows, columns, index } of await weightMatrices(risk)) {
    for (let row = 0; row < rows; row++) {
      const filter = index.subarray(row * columns, (row + 1) * columns);
      const size = Math.sqrt(filter.reduce((sum, i) => sum + theta[i]! ** 2, 0));
      for (const i of filter) lengths[i] = size + eta;
    }
  }
  return lengths;
}
