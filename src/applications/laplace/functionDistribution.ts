import type { Data } from "../../data/index.ts";
import type { RunOptions } from "../../linalg/index.ts";
import { headFeatures } from "../../structured/headFeatures.ts";
import { layerSides } from "../../structured/layerSides.ts";
import { rowJacobians } from "../../structured/rowJacobians.ts";
import type { Tensor, TensorData } from "../../tensors/index.ts";
import { headForms } from "./headForms.ts";
import type { LaplacePosterior } from "./laplacePosterior.ts";
import { layerForms, preparedSides } from "./layerForms.ts";
import type { PreparedColumns } from "./posteriorPrecision.ts";

/** The outputs of the terms of some rows and how they vary under a posterior: `f ~ N(f*, Sigma)`, linearized (Immer, Korzepa and Bauer, 2021). */
export interface FunctionDistribution {
  /** Index of the first row. */
  readonly start: number;
  readonly rows: number;
  /** f*, [T, C], row-major. */
  readonly f: Float64Array;
  readonly y: Tensor;
  /** Weights of the terms, [T]; undefined if all are one. */
  readonly weights: TensorData | undefined;
  /** `Sigma = J P^-1 J'` of each term for a posterior of the same weights: [T, C, C], or its diagonal [T, C]. */
  covariances(posterior: LaplacePosterior, request: { readonly diagonal: boolean }): Promise<Float64Array>;
}

/**
 * The distributions of outputs of rows, some at a time. What depends on the rows alone is computed once, and covariances for posteriors at other priors
 * follow from it.
 */
export async function* functionDistributions(
  posterior: LaplacePosterior,
  data: Data,
  options: RunOptions = {},
): AsyncGenerator<FunctionDistribution> {
  const { risk, indices } = posterior;
  if ((await headForms(posterior)) !== undefined) {
    for await (const { start, rows, features, f, y, weights } of headFeatures(risk, data, options)) {
      const terms = f.length / risk.layout.outputs;
      yield {
        start,
        rows,
        f,
        y,
        weights,
        covariances: async (at, { diagonal }) =>
          (await headForms(at))!.covariances(features, { rows: terms, diagonal }),
      };
    }
    return;
  }
  if ((await layerForms(posterior)) !== undefined) {
    yield* bySides(posterior, data, options);
    return;
  }
  const group = risk.layout.outputs;
  const { signal } = options;
  for await (const { J, ...batch } of rowJacobians(risk, data, { indices, ...options })) {
    let prepared: PreparedColumns | undefined;
    yield {
      ...batch,
      async covariances({ precision, curvature }, { diagonal }) {
        prepared ??= await curvature.prepare(J, { ...(signal && { signal }) });
        return precision.forms(prepared, { group, diagonal, ...(signal && { signal }) });
      },
    };
  }
}

async function* bySides(
  { risk }: LaplacePosterior,
  data: Data,
  options: RunOptions,
): AsyncGenerator<FunctionDistribution> {
  for await (const batch of layerSides(risk, data, options)) {
    const { start, rows, f, y, weights } = batch;
    const prepared = preparedSides(batch, risk.layout.outputs);
    const covariances: FunctionDistribution["covariances"] = async (at, request) =>
      (await layerForms(at))!.covariances(prepared, request);
    yield { start, rows, f, y, weights, covariances };
  }
}
