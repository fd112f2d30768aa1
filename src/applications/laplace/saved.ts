import { arrays, type RowType } from "../../data/index.ts";
import { CurvatureError, checkObject } from "../../errors/index.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import type { Loss } from "../../losses/index.ts";
import type { Model } from "../../models/index.ts";
import { empiricalRisk, type Risk } from "../../operators/index.ts";
import {
  type ApproximatedMatrix,
  type LoadedStructured,
  loadStructured,
  type RiskIdentity,
  riskIdentity,
  type StructuredOperator,
  saveStructured,
} from "../../structured/index.ts";
import { type Precision, sizeOf, type Tensor } from "../../tensors/index.ts";
import type { FitSummary } from "./fitSummary.ts";
import { type LaplacePosterior, posteriorOf } from "./laplacePosterior.ts";
import type { LaplaceLikelihood } from "./likelihood.ts";
import { checkPosterior } from "./logMarginalLikelihood.ts";
import { type Prior, weightGroups } from "./prior.ts";
import type { Stationarity } from "./stationarity.ts";
import { structuredCurvature } from "./structuredCurvature.ts";

/** What a posterior is loaded with: the model and the loss that it is of. */
export interface LoadLaplaceOptions {
  readonly model: Model;
  readonly loss: Loss;
  /** Threads within one operation; the engine's choice if absent. */
  readonly threads?: number | undefined;
}

/** The part of a saved posterior that is no array. */
interface Description {
  readonly weights: string;
  readonly parameters: readonly string[];
  readonly structure: string;
  readonly of: ApproximatedMatrix;
  readonly likelihood: LaplaceLikelihood;
  readonly fit: FitSummary;
  readonly by: Prior["by"];
  /** The prior precision as given, where it was no vector. */
  readonly given?: Prior["given"];
  readonly stationarity: Stationarity;
  readonly decisions: readonly string[];
  readonly dtype: Precision;
  readonly outputs: readonly string[];
  readonly inputs: { readonly [name: string]: RowType };
  readonly targets: RowType;
  readonly identity: RiskIdentity;
}

const FORMAT = "onnx-curvature laplace 1";

/**
 * Writes a posterior to one safetensors file: the curvature as `saveStructured` has it, prior, noise, likelihood and gradient, and hashes of the model that it is of. Neither rows nor weights
 * are in it.
 *
 * @throws CurvatureError "unsupported" for a curvature that is known by its products alone, "file" where the file cannot be written
 */
export async function saveLaplace(path: string, posterior: LaplacePosterior): Promise<void> {
  checkPosterior("saveLaplace", posterior);
  const { matrix, risk, prior, indices, gradient } = posterior;
  if (!Array.isArray((matrix as Partial<StructuredOperator>).blocks)) {
    throw new CurvatureError(
      "unsupported",
      'saveLaplace: a curvature that is known by its products needs the rows it is of; take structure "kfac", "lowRank" or another that has blocks',
    );
  }
  const description: Description = {
    weights: posterior.weights,
    parameters: risk.parameters.map(({ name }) => name),
    structure: posterior.structure,
    of: posterior.of,
    likelihood: posterior.likelihood,
    fit: posterior.fit,
    by: prior.by,
    ...(!ArrayBuffer.isView(prior.given) && { given: prior.given }),
    stationarity: posterior.stationarity,
    decisions: posterior.decisions,
    dtype: risk.dtype,
    outputs: risk.outputs,
    inputs: risk.data.inputs,
    targets: risk.data.targets!,
    identity: await riskIdentity(risk),
  };
  await saveStructured(path, matrix as StructuredOperator, {
    identity: { format: FORMAT, laplace: JSON.stringify(description) },
    arrays: {
      priorPrecision: prior.precision,
      priorMean: prior.mean,
      gradient: Float64Array.from(gradient),
      ...(indices && { indices: Float64Array.from(indices) }),
    },
  });
}

/**
 * Reads a posterior that `saveLaplace` wrote, for predictions and other priors: no rows are needed. Dispose of it when done.
 *
 * @throws CurvatureError "file" for another or a damaged file; "argument" where it is of another model, other weights or another loss
 */
export async function loadLaplace(path: string, options: LoadLaplaceOptions): Promise<LaplacePosterior> {
  checkObject(options, "loadLaplace expects { model, loss }", ["model", "loss"]);
  checkOptions("loadLaplace", options, "model loss threads");
  const { threads } = options;
  const matrix = await loadStructured(path, { threads });
  const description = describedIn(path, matrix);
  const risk = await riskOf(path, description, options);
  try {
    await compare(path, { saved: description.identity, risk });
    return restored(path, { matrix, description, risk });
  } catch (error) {
    await risk.dispose();
    throw error;
  }
}

function describedIn(path: string, { identity }: LoadedStructured): Description {
  if (identity.format === FORMAT) return JSON.parse(identity.laplace) as Description;
  throw new CurvatureError(
    "file",
    `loadLaplace expects a posterior that saveLaplace wrote in ${path}, got ${identity.format ?? "a structured matrix alone"}; save it with this version`,
  );
}

/** The objective on rows of zeros: predictions bring their own rows. */
async function riskOf(path: string, description: Description, options: LoadLaplaceOptions): Promise<Risk> {
  const { model, loss, threads } = options;
  const { parameters, outputs, inputs, targets, dtype } = description;
  const names = model.parameters.map(({ name }) => name);
  const missing = parameters.find((name) => !names.includes(name));
  if (missing !== undefined) {
    throw new CurvatureError(
      "argument",
      `loadLaplace: the posterior in ${path} is of another model: it has a tensor ${missing}, ${model.name} has ${names.slice(0, 10).join(", ")}`,
    );
  }
  const two = Object.entries(inputs).map(([name, type]) => [name, zeroRows(type)] as const);
  const zeros = two.length === 1 && two[0][0] === "" ? two[0][1] : Object.fromEntries(two);
  try {
    return await empiricalRisk({
      model,
      loss: outputs.length > 1 ? { ...loss, outputNames: outputs } : loss,
      ...(outputs.length === 1 && { output: outputs[0] }),
      data: arrays({ inputs: zeros, targets: zeroRows(targets), description: `rows of the posterior in ${path}` }),
      dtype,
      parameters: parameters.map((name) => new RegExp(`^${name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`)),
      assumeLogits: true,
      ...(threads !== undefined && { threads }),
    });
  } catch (cause) {
    if (!(cause instanceof CurvatureError)) throw cause;
    throw new CurvatureError(
      "argument",
      `loadLaplace: the posterior in ${path} does not fit ${model.name} and ${loss.name}: ${cause.message}`,
      { cause },
    );
  }
}

function zeroRows({ dims, dtype }: RowType): Tensor {
  const size = 2 * sizeOf(dims);
  const data =
    dtype === "float64"
      ? new Float64Array(size)
      : dtype.startsWith("float")
        ? new Float32Array(size)
        : new Int32Array(size);
  return { data, dims: [2, ...dims] };
}

async function compare(
  path: string,
  { saved, risk }: { readonly saved: RiskIdentity; readonly risk: Risk },
): Promise<void> {
  const own = await riskIdentity(risk);
  const what: { readonly [part: string]: string } = {
    parameters: "other tensors",
    objective: "another model or loss",
    weights: "other weights",
  };
  const differing = Object.keys(what).find((part) => own[part] !== saved[part]);
  if (differing === undefined) return;
  throw new CurvatureError(
    "argument",
    `loadLaplace: the posterior in ${path} is of ${what[differing]} than ${risk.model.name}; load the model that it was made of, or make it again`,
  );
}

function restored(
  path: string,
  {
    matrix,
    description,
    risk,
  }: { readonly matrix: LoadedStructured; readonly description: Description; readonly risk: Risk },
): LaplacePosterior {
  const { priorPrecision: precision, priorMean: mean, gradient, indices } = matrix.arrays;
  const size = indices?.length ?? risk.size;
  if (precision?.length !== size || mean?.length !== size || gradient?.length !== size || matrix.shape[0] !== size) {
    throw new CurvatureError(
      "file",
      `loadLaplace: the posterior in ${path} is damaged: its arrays do not fit one another`,
    );
  }
  const { weights, structure, of, likelihood, fit, by, given, stationarity, decisions } = description;
  const own = indices && Int32Array.from(indices);
  return posteriorOf({
    risk,
    chosen: { indices: own, description: weights },
    groups: weightGroups(risk.parameters, own),
    structure,
    of,
    matrix,
    curvature: structuredCurvature(matrix),
    fit,
    prior: { precision, mean, by, given: given ?? precision },
    likelihood,
    gradient,
    stationarity,
    decisions,
    async dispose() {
      await matrix.dispose();
      await risk.dispose();
    },
  });
}
