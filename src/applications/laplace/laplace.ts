import { CurvatureError, checkObject } from "../../errors/index.ts";
import type { LinearOperator, RunOptions } from "../../linalg/index.ts";
import { checkCount, checkNonnegative, checkPositive } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import type { Risk } from "../../operators/index.ts";
import type { ApproximatedMatrix, StructuredOperator } from "../../structured/index.ts";
import type { Vector } from "../../tensors/index.ts";
import { fitSummary } from "./fitSummary.ts";
import { laplaceCurvature, type Structure } from "./laplaceCurvature.ts";
import { type LaplacePosterior, posteriorOf } from "./laplacePosterior.ts";
import { familyOf } from "./likelihood.ts";
import { type EstimationOptions, matrixFreeCurvature } from "./matrixFreeCurvature.ts";
import { type PriorMean, type PriorPrecision, priorOf, weightGroups } from "./prior.ts";
import { stationarityOf } from "./stationarity.ts";
import { structuredCurvature } from "./structuredCurvature.ts";
import { type ChosenWeights, chosenWeights, type WeightChoice } from "./weightChoice.ts";

/** Options of `laplace`. */
export interface LaplaceOptions extends RunOptions {
  /** The weights that the posterior is about; default "all". */
  readonly weights?: WeightChoice | undefined;
  /** The form of the precision; default "kfac". */
  readonly structure?: Structure | undefined;
  /**
   * The matrix: default "ggn", or the Fisher matrix of type 2 for a loss that is not convex. Of a matrix that you give as `structure`, say "empiricalFisher" if it is
   * one: its factors differ.
   */
  readonly of?: ApproximatedMatrix | undefined;
  /** Default 1. */
  readonly priorPrecision?: PriorPrecision | undefined;
  /** Default 0. */
  readonly priorMean?: PriorMean | undefined;
  /** Standard deviation of the noise for squared errors; default 1. */
  readonly sigmaNoise?: number | undefined;
  /** T of the likelihood to the power 1 / T; default 1. */
  readonly temperature?: number | undefined;
  /** Eigenpairs of "lowRank"; default 20. */
  readonly rank?: number | undefined;
  /** Seed of signs for rows of many terms, and of "lowRank". */
  readonly seed?: number | undefined;
  /** Work of estimates and solutions with a matrix that is known by products alone. */
  readonly estimation?: EstimationOptions | undefined;
}

const NAME = "laplace";

/**
 * Laplace approximation of the posterior of trained weights (MacKay, 1992): the Gaussian `N(theta, P^-1)` with `P = (1 / T) S + diag(delta)`, S the curvature of
 * the *negative log-likelihood summed over rows* and delta the precisions of the prior. A loss that is a mean is multiplied by its denominator; squared errors are halved and
 * divided by sigma^2. It describes a posterior where theta is a maximum of likelihood and prior together: `stationarity` says how far it is from one.
 *
 * Costs one pass for the likelihood, one gradient, and what the structure costs: `kfac` one or two passes, "full" a product a weight and 9 size^3 operations. Dispose of the result when done;
 * the risk stays the caller's.
 *
 * @throws CurvatureError "unsupported" for a loss without a known likelihood or rows that influence one another; "argument" for options out of range and for a matrix of negative
 *   curvature; "shape" for a matrix of other weights
 */
export async function laplace(risk: Risk, options: LaplaceOptions = {}): Promise<LaplacePosterior> {
  const settings = checkedSettings(risk, options);
  const { weights = "all", priorPrecision = 1 } = options;
  const base = typeof priorPrecision === "number" ? priorPrecision : 1;
  const chosen = await chosenWeights(NAME, risk, { weights, priorPrecision: base });
  const owned: (() => Promise<void>)[] = chosen.owned ? [() => chosen.risk.dispose()] : [];
  const dispose = async () => {
    for (const free of owned) await free();
  };
  try {
    return await posteriorIn(chosen, { settings, options, decided: risk, owned, dispose });
  } catch (error) {
    await dispose();
    throw refusal(error);
  }
}

interface Request {
  readonly settings: ReturnType<typeof checkedSettings>;
  readonly options: LaplaceOptions;
  /** The objective that was given, about which decisions were made. */
  readonly decided: Risk;
  /** Frees what was made for the posterior; what is made next is added in front. */
  readonly owned: (() => Promise<void>)[];
  dispose(): Promise<void>;
}

async function posteriorIn(
  chosen: ChosenWeights,
  { settings, options, decided, owned, dispose }: Request,
): Promise<LaplacePosterior> {
  const { family, of, sigmaNoise, temperature, run } = settings;
  const { structure = "kfac", priorPrecision = 1, priorMean = 0, rank = 20, seed } = options;
  const { risk, indices } = chosen;
  const size = indices?.length ?? risk.size;
  const groups = weightGroups(risk.parameters, indices);
  const prior = priorOf(NAME, { precision: priorPrecision, mean: priorMean, size, groups });
  const { matrix, owned: isOwn } = await laplaceCurvature(NAME, risk, { structure, of, indices, rank, seed, ...run });
  if (isOwn) owned.unshift(async () => (matrix as Partial<StructuredOperator>).dispose?.());
  const structured = structuredPart(matrix);
  const state = {
    risk,
    chosen,
    groups,
    structure: structureText(structure, structured),
    of,
    matrix,
    curvature:
      structured === undefined
        ? matrixFreeCurvature(matrix, options.estimation ?? {})
        : structuredCurvature(structured),
    fit: await fitSummary(risk, family, run),
    prior,
    likelihood: { family, sigmaNoise, temperature },
    gradient: await gradientOf(risk, indices, run),
    decisions: decisionsOf(decided, { of: options.of, chosen: of }),
    dispose,
  };
  return posteriorOf({ ...state, stationarity: await stationarityOf(state, run) });
}

function checkedSettings(risk: Risk, options: LaplaceOptions) {
  checkObject(risk, `${NAME} expects a risk made by empiricalRisk`, ["model", "parameters", "engine"]);
  checkOptions(
    NAME,
    options,
    "weights structure of priorPrecision priorMean sigmaNoise temperature rank seed estimation signal onProgress",
  );
  if (risk.coupledRows) {
    throw new CurvatureError("unsupported", `${NAME} needs rows that are independent, but this risk has coupledRows`);
  }
  const family = familyOf(NAME, risk);
  const { of = risk.lossFunction.convex ? "ggn" : { type: 2 }, sigmaNoise = 1, temperature = 1, rank } = options;
  checkPositive(NAME, "sigmaNoise", sigmaNoise);
  checkPositive(NAME, "temperature", temperature);
  if (rank !== undefined) checkCount(NAME, "rank", rank);
  if (family !== "gaussian" && options.sigmaNoise !== undefined) {
    throw new CurvatureError(
      "argument",
      `${NAME}: sigmaNoise is the noise of squared errors, but the loss is ${risk.lossFunction.name}; leave it out`,
    );
  }
  checkNonnegative(NAME, "estimation.tolerance", options.estimation?.tolerance ?? 0);
  const { signal, onProgress } = options;
  const run = { ...(signal && { signal }), ...(onProgress && { onProgress }) };
  return { family, of: of as ApproximatedMatrix, sigmaNoise, temperature, run };
}

/** The operator as a structured matrix, if it is one. A damped one is refused: the prior is the damping. */
function structuredPart(matrix: LinearOperator): StructuredOperator | undefined {
  const { blocks, functions } = matrix as Partial<StructuredOperator>;
  if (!Array.isArray(blocks) || functions === undefined) return undefined;
  if (functions.every(({ damping, power }) => damping.value === 0 && power === 1)) return matrix as StructuredOperator;
  throw new CurvatureError(
    "argument",
    `${NAME} expects the curvature matrix itself, got a function of one with damping or a power; the prior precision is the damping`,
  );
}

function structureText(structure: Structure, structured: StructuredOperator | undefined): string {
  if (typeof structure === "string") return structure;
  if (structured === undefined) return "matrix by products";
  return `matrix of ${[...new Set(structured.blocks.map(({ block }) => block.kind))].join(" and ")} blocks`;
}

async function gradientOf(risk: Risk, indices: Int32Array | undefined, run: RunOptions): Promise<Vector> {
  const gradient = await risk.gradient(run);
  return indices === undefined ? gradient : Float64Array.from(indices, (at) => gradient[at]);
}

function decisionsOf(
  risk: Risk,
  { of, chosen }: { readonly of: ApproximatedMatrix | undefined; readonly chosen: ApproximatedMatrix },
): readonly string[] {
  const { lossFunction: loss, data } = risk;
  const decisions: string[] = [];
  if (of === undefined && chosen !== "ggn") {
    decisions.push(
      `the Gauss-Newton matrix of ${loss.name} may be indefinite, so its Fisher matrix (type 2) was taken`,
    );
  }
  if (loss.name === "meanSquaredError") {
    decisions.push("squared errors were halved and divided by sigma^2, as the likelihood N(f, sigma^2 I) has them");
  }
  if (data.weighted) decisions.push("row weights count as repetitions of rows in likelihood and curvature");
  return decisions;
}

/** Says of a matrix that is not positive semidefinite what that means here. */
function refusal(error: unknown): unknown {
  if (!(error instanceof CurvatureError) || !/positive semidefinite, got an eigenvalue/.test(error.message))
    return error;
  return new CurvatureError(
    error.code,
    `${NAME} expects curvature that is nowhere negative: ${error.message}; or train to a minimum first`,
    { cause: error },
  );
}
