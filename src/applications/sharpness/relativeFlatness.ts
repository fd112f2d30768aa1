import { eigh, functionOperator, hutchinsonTrace, type LinearOperator, type RunOptions } from "../../linalg/index.ts";
import { checkCount, checkSeed } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { hessian, type Risk } from "../../operators/index.ts";
import { type Matrix, type Vector, zeros } from "../../tensors/index.ts";
import { type WeightMatrix, weightMatrices } from "../weightMatrices.ts";
import { checkRiskFor } from "./sharpnessRun.ts";

/** Options of `relativeFlatness`. */
export interface RelativeFlatnessOptions extends RunOptions {
  readonly seed: number;
  /** Products for each layer, at least 2; 100 by default. A layer is exact from its number of weights on. */
  readonly matvecs?: number;
}

/** Relative flatness of the weight of one layer. */
export interface LayerFlatness {
  readonly parameter: string;
  readonly layer: string;
  /** `sum over outputs s, s' of <w_s, w_s'> tr H_ss'` */
  readonly value: number;
  /** 0 where it is exact. */
  readonly standardError: number;
  readonly matvecs: number;
}

const NAME = "relativeFlatness";

/**
 * Relative flatness of each layer (Petzka et al., 2021, definition 3): `sum over s, s' of <w_s, w_s'> tr H_ss'`, with w_s the weights of output s and H_ss' the
 * block of the Hessian between those of s and s'. It does not change when the outputs of a layer of a ReLU network are scaled and the next layer is
 * scaled back. It is the trace of H times (W W' (x) I), estimated as `tr L'H L` with L L' = W W' (x) I by Hutchinson's method: `matvecs` products a layer,
 * and an eigendecomposition of W W' of the size of the outputs.
 *
 * @throws CurvatureError "argument" for options it cannot take, "aborted" when the signal fires
 */
export async function relativeFlatness(
  risk: Risk,
  options: RelativeFlatnessOptions,
): Promise<readonly LayerFlatness[]> {
  checkRiskFor(NAME, risk);
  checkOptions(NAME, options, "seed matvecs signal onProgress");
  const { seed, matvecs = 100, signal, onProgress } = options;
  checkSeed(NAME, seed);
  checkCount(NAME, "matvecs", matvecs);
  const H = hessian(risk);
  const layers = await weightMatrices(risk);
  const found: LayerFlatness[] = [];
  for (const matrix of layers) {
    onProgress?.({ stage: `relative flatness of ${matrix.parameter}`, done: found.length, total: layers.length });
    const operator = await scaledBlock(H, { matrix, theta: risk.theta() });
    const estimate = await hutchinsonTrace(operator, { matvecs, seed, ...(signal && { signal }) });
    const { parameter, layer } = matrix;
    found.push({
      parameter,
      layer,
      value: estimate.trace,
      standardError: estimate.standardError,
      matvecs: estimate.matvecs,
    });
  }
  return found;
}

/** `L' H L` with L = S (x) I on the weights of a layer and S the symmetric root of W W', [outputs, outputs]. */
async function scaledBlock(
  H: LinearOperator,
  { matrix, theta }: { readonly matrix: WeightMatrix; readonly theta: Vector },
): Promise<LinearOperator> {
  const { rows, columns, index } = matrix;
  const root = await gramRoot(theta, matrix);
  const size = rows * columns;
  // The root is symmetric, so that the map from z to weights and its transpose are the same but for the places of the weights.
  const mixed = (z: Vector) => {
    const result = new Float64Array(size);
    for (let s = 0; s < rows; s++) {
      for (let t = 0; t < rows; t++) {
        const factor = root[s * rows + t]!;
        for (let j = 0; j < columns; j++) result[s * columns + j]! += factor * z[t * columns + j]!;
      }
    }
    return result;
  };
  return functionOperator({
    shape: [size, size],
    symmetric: true,
    async matvec(z, run) {
      const v = zeros(theta.length, H.dtype);
      mixed(z).forEach((entry, k) => {
        v[index[k]!]! += entry;
      });
      const product = await H.matvec(v, run);
      return mixed(Float64Array.from(index, (i) => product[i]!));
    },
  });
}

/** Symmetric square root of W W', [rows, rows]. */
async function gramRoot(theta: Vector, { rows, columns, index }: WeightMatrix): Promise<Float64Array> {
  const gram = new Float64Array(rows * rows);
  for (let s = 0; s < rows; s++) {
    for (let t = 0; t <= s; t++) {
      let sum = 0;
      for (let j = 0; j < columns; j++) sum += theta[index[s * columns + j]!]! * theta[index[t * columns + j]!]!;
      gram[s * rows + t] = sum;
      gram[t * rows + s] = sum;
    }
  }
  const { values, vectors } = await eigh({ rows, columns: rows, data: gram } satisfies Matrix);
  const root = new Float64Array(rows * rows);
  values.forEach((value, k) => {
    const length = Math.sqrt(Math.max(value, 0));
    const u = vectors.data.subarray(k * rows, (k + 1) * rows);
    for (let s = 0; s < rows; s++) for (let t = 0; t < rows; t++) root[s * rows + t]! += length * u[s]! * u[t]!;
  });
  return root;
}
