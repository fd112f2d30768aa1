import { CurvatureError, checkObject } from "../errors/index.ts";
import type { RunOptions } from "../linalg/index.ts";
import type { Risk, RiskParameter } from "../operators/index.ts";
import type { Vector } from "../tensors/index.ts";
import { rankCorrelation } from "./rankCorrelation.ts";
import type { LayerRounding, ReportedLayer, RoundedLayer, RoundingChange } from "./report.ts";
import { uniformRounding } from "./uniformRounding.ts";

// Derivation of the prediction. Rounding changes the weights w of a tensor by errors d. To second order the loss changes by
// g' d + d' H d / 2. With errors that are independent, of mean 0 and uniform in [-step / 2, step / 2], E[d_i^2] = step^2 / 12, so the mean
// change is tr(H) step^2 / 24, with the trace over the diagonal block of the tensor. Steps differ between tensors, so a layer's prediction is
// the sum over its tensors.

/** Bits of one weight for which the loss is measured. */
export const ROUNDING_BITS: readonly number[] = [8, 4, 3];

/** Roles of tensors that quantizers round. */
const ROUNDED_ROLES: readonly string[] = ["weight", "table", "other"];

/** Whether a tensor is rounded: a weight matrix, kernel or table, not a bias, scale or token, which quantizers leave as they are. */
export function isRounded({ dims, role, size }: Pick<RiskParameter, "dims" | "role" | "size">): boolean {
  return dims.length > 1 && size > 0 && ROUNDED_ROLES.includes(role);
}

/** Options of `layerRounding`. */
export interface LayerRoundingOptions extends RunOptions {
  /** Layers with the traces of their tensors, as `curvatureReport` gives them. */
  readonly layers: readonly ReportedLayer[];
  /** Bits of one weight, each from 2 to 16; default 8, 4, 3. */
  readonly bits?: readonly number[];
  /** Largest number of evaluations of the loss; default: no limit. The layers of largest predicted increase come first. */
  readonly evaluations?: number;
}

/**
 * The increase of the loss when the weights of one layer are rounded and all others are kept: predicted by `trace step^2 / 24` from the
 * traces of its tensors (Dong et al., 2020), and measured by evaluating the loss at the rounded weights, at each number of bits. Weights are
 * rounded per tensor to a symmetric uniform grid (`uniformRounding`). Tensors that are not weight matrices, kernels or tables (biases, scales
 * of normalizations) stay as they are, as quantizers leave them; layers of such tensors alone are left out.
 *
 * The rank correlation compares the predicted order of the layers with the measured one. Costs one evaluation of the loss for each layer
 * and number of bits, and one without rounding.
 *
 * @throws CurvatureError "argument" for bits out of range, "aborted" when the signal stops it
 */
export async function layerRounding(risk: Risk, options: LayerRoundingOptions): Promise<LayerRounding> {
  checkObject(risk, "layerRounding expects a risk made by empiricalRisk", ["model", "parameters", "engine"]);
  checkObject(options, "layerRounding expects options", ["layers"]);
  const { bits = ROUNDING_BITS, evaluations = Number.POSITIVE_INFINITY, signal, onProgress } = options;
  const theta = risk.theta();
  const candidates = options.layers.map((layer) => candidateOf(layer, { risk, theta, bits }));
  const rounded = candidates.filter((candidate) => candidate !== undefined);
  const lowest = Math.min(...bits);
  const order = [...rounded].sort((a, b) => predictedAt(b, lowest) - predictedAt(a, lowest));
  const measured = order.slice(0, Math.max(0, Math.floor(evaluations / Math.max(1, bits.length))));
  const loss = await risk.loss(signal ? { signal } : {});
  const found = new Map<string, RoundedLayer>();
  let done = 0;
  for (const candidate of measured) {
    const changes: RoundingChange[] = [];
    for (const change of candidate.changes) {
      if (signal?.aborted) throw new CurvatureError("aborted", "aborted while layers were rounded");
      const value = await lossAt(risk, roundedTheta(candidate, { theta, bits: change.bits }), options);
      changes.push({ ...change, measured: value - loss });
      onProgress?.({ stage: "rounding of layers", done: ++done, total: measured.length * bits.length });
    }
    found.set(candidate.name, { name: candidate.name, weights: candidate.weights, changes });
  }
  const layers = rounded.flatMap(({ name }) => found.get(name) ?? []);
  return {
    scheme: "symmetric",
    loss,
    layers,
    omitted: rounded.length - layers.length,
    rankCorrelations: bits.map((each) => correlationAt(layers, each)),
  };
}

interface Candidate {
  readonly name: string;
  readonly weights: number;
  readonly tensors: readonly RiskParameter[];
  readonly changes: readonly Omit<RoundingChange, "measured">[];
}

function candidateOf(
  layer: ReportedLayer,
  { risk, theta, bits }: { readonly risk: Risk; readonly theta: Vector; readonly bits: readonly number[] },
): Candidate | undefined {
  const traces = new Map(layer.tensors.map((tensor) => [tensor.name, tensor]));
  const tensors = risk.parameters.filter(
    (parameter) => parameter.layer === layer.name && traces.has(parameter.name) && isRounded(parameter),
  );
  if (tensors.length === 0) return undefined;
  const weights = tensors.reduce((sum, { size }) => sum + size, 0);
  return { name: layer.name, weights, tensors, changes: bits.map(predicted) };

  function predicted(each: number) {
    const parts = tensors.map(({ name, offset, size }) => {
      const { step } = uniformRounding(theta.subarray(offset, offset + size), { bits: each });
      const { trace, standardError } = traces.get(name)!;
      return { step, increase: (trace * step * step) / 24, error: (standardError * step * step) / 24 };
    });
    return {
      bits: each,
      step: Math.max(...parts.map(({ step }) => step)),
      predicted: parts.reduce((sum, { increase }) => sum + increase, 0),
      // Estimates of the tensors of a layer share their probes, so their errors may add.
      standardError: parts.reduce((sum, { error }) => sum + error, 0),
    };
  }
}

function predictedAt({ changes }: Candidate, bits: number): number {
  return changes.find((change) => change.bits === bits)?.predicted ?? 0;
}

function roundedTheta(
  { tensors }: Candidate,
  { theta, bits }: { readonly theta: Vector; readonly bits: number },
): Vector {
  const changed = theta.slice();
  for (const { offset, size } of tensors) {
    changed.set(uniformRounding(theta.subarray(offset, offset + size), { bits }).values, offset);
  }
  return changed;
}

/** The loss at other weights. */
export async function lossAt(risk: Risk, theta: Vector, { signal }: RunOptions): Promise<number> {
  const view = risk.at(theta);
  try {
    return await view.loss(signal ? { signal } : {});
  } finally {
    await view.dispose();
  }
}

function correlationAt(layers: readonly RoundedLayer[], bits: number) {
  const changes = layers.flatMap((layer) => layer.changes.filter((change) => change.bits === bits));
  const value = rankCorrelation(
    changes.map(({ predicted }) => predicted),
    changes.map(({ measured }) => measured),
  );
  return { bits, layers: layers.length, ...(value === undefined ? {} : { value }) };
}
