import type { RunOptions } from "../../linalg/index.ts";
import { checkChoice } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import type { Pattern } from "../../models/matches.ts";
import type { Risk } from "../../operators/index.ts";
import { candidateTensors, entriesOf } from "./candidates.ts";
import { checkPrunedRisk } from "./checkPrunedRisk.ts";
import type { CurvatureModel, InverseOptions } from "./curvatureModel.ts";
import { matrixOf, type PruningMatrix } from "./matrixChoice.ts";
import { modelOfMatrix } from "./modelOfMatrix.ts";
import type { PruningUnit } from "./pruningUnit.ts";
import {
  needsMatrix,
  SALIENCY_METHODS,
  type SaliencyMethod,
  type ScoreRequest,
  unitScores,
  weightScores,
} from "./scores.ts";
import { matrixUnits } from "./units.ts";

/** Options of `saliency`. */
export interface SaliencyOptions extends InverseOptions, RunOptions {
  /** "magnitude", "firstOrder", "obd" (diagonal of the matrix) or "obs" (diagonal of its damped inverse); default "obs". */
  readonly method?: SaliencyMethod;
  /** Matrix of the mean loss; default `ggn(risk)`. */
  readonly matrix?: PruningMatrix;
  /** What is removed at once: single weights (default), rows or columns of weight matrices, "channels" (hidden units with all weights into and out of them), or lists of your own. */
  readonly units?: "weights" | "rows" | "columns" | "channels" | readonly PruningUnit[];
  /** Tensors whose weights may be removed: names, names with `*`, regular expressions; default: weight matrices, kernels and tables. */
  readonly tensors?: Pattern | readonly Pattern[];
  /** Whether "obs" takes the gradient of the loss into account, for weights that are no minimum; default false. */
  readonly gradient?: boolean;
}

/** How much the loss rises when something is removed, to second order. */
export interface Saliency {
  readonly method: SaliencyMethod;
  /** One a weight `[size]`, candidates or not; with units one a unit. In units of the loss, but for "magnitude". */
  readonly values: Float64Array;
  /** Standard errors, where a diagonal was estimated. */
  readonly standardErrors?: Float64Array;
  /** The units that values belong to; absent for single weights. */
  readonly units?: readonly PruningUnit[];
  /** Weights that may be removed, by position. */
  readonly candidates: Int32Array;
  /** Candidates without any curvature, such as weights of inputs that are always zero: removing them costs nothing, and what "obs" says of them is the damping's. Empty for methods without a matrix. */
  readonly free: Int32Array;
  /** How the diagonals are known; absent for methods without a matrix. */
  readonly route?: CurvatureModel["route"];
  readonly damping?: number;
  readonly matvecs: number;
  readonly message: string;
}

const NAME = "saliency";

/**
 * How much each weight matters to the loss, by its quadratic model `g'd + d'A d / 2`:
 *
 * - "magnitude": |w|;
 * - "firstOrder": `-g_i w_i`, the change of the loss to first order, of either sign;
 * - "obd": `A_ii w_i^2 / 2`, nothing else adapts (LeCun, Denker and Solla, 1990);
 * - "obs": `w_i^2 / (2 C_ii)`, C the inverse of A plus damping: all other weights adapt (Hassibi and Stork, 1993). With `gradient`, `(w_i - u_i)^2 / (2 C_ii) - g'u / 2`, u = C g.
 *
 * Units Q have the root mean square of their weights, `-g_Q'w_Q`, `w_Q'A_QQ w_Q / 2` and `w_Q' (C_QQ)^-1 w_Q / 2`. Diagonals are exact where the matrix knows them or is made dense (one product a
 * weight); else estimated with standard errors, one product or one solution a probe. Units by products take one product ("obd") or one solution ("obs") each.
 *
 * @throws CurvatureError "argument" or "shape" for options it cannot take, "numeric" for a matrix that is not positive definite with its damping, "aborted" when the signal fires
 */
export async function saliency(risk: Risk, options: SaliencyOptions = {}): Promise<Saliency> {
  checkPrunedRisk(NAME, risk);
  checkOptions(
    NAME,
    options,
    "method matrix units tensors gradient damping inverse denseLimit probes seed solveTolerance solveMatvecs signal onProgress",
  );
  const { method = "obs", units: kind = "weights", gradient = false, signal, onProgress } = options;
  checkChoice(NAME, "method", method, SALIENCY_METHODS);
  if (typeof kind === "string") checkChoice(NAME, "units", kind, ["weights", "rows", "columns", "channels"]);
  const tensors = candidateTensors(NAME, { risk, tensors: options.tensors });
  const run = signal ? { signal } : {};
  const g = method === "firstOrder" || (method === "obs" && gradient) ? await risk.gradient(run) : undefined;
  const base = { name: NAME, method, theta: risk.theta(), gradient: g, signal, onProgress };
  const candidates = entriesOf(tensors);
  const scored = async (model?: CurvatureModel) => {
    const request: ScoreRequest = { ...base, model };
    if (kind === "weights") return { ...(await weightScores(request)), request };
    const units = typeof kind === "string" ? await matrixUnits(risk, { kind, tensors }) : kind;
    return { values: await unitScores(request, units), units, free: new Int32Array(0), clamped: 0, request };
  };
  if (!needsMatrix(method)) {
    const { request: _, clamped: __, ...found } = await scored();
    return { method, ...found, candidates, matvecs: 0, message: "no matrix is needed" };
  }
  const { A, release } = await matrixOf(NAME, { risk, matrix: options.matrix });
  try {
    const model = await modelOfMatrix(A, { ...options, name: NAME });
    const { request: _, clamped, ...found } = await scored(model);
    const isCandidate = new Set(candidates);
    const free = found.free.filter((index) => isCandidate.has(index));
    const { route, damping, matvecs } = model;
    const message = described(found, { route, clamped, candidates, free });
    return { method, ...found, candidates, free, route, damping, matvecs: matvecs(), message };
  } finally {
    await release();
  }
}

const ROUTES: Readonly<Record<CurvatureModel["route"], string>> = {
  blocks: "exact for the blocks of the matrix",
  dense: "exact, from the dense matrix",
  "closed form": "exact for the matrix, by its closed inverse",
  estimate: "by products and solutions",
};

function described(
  { values, standardErrors }: { readonly values: Float64Array; readonly standardErrors?: Float64Array },
  {
    route,
    clamped,
    candidates,
    free,
  }: {
    readonly route: CurvatureModel["route"];
    readonly clamped: number;
    readonly candidates: Int32Array;
    readonly free: Int32Array;
  },
): string {
  const parts = [ROUTES[route]];
  if (standardErrors !== undefined) {
    const vague = candidates.filter((i) => standardErrors[i]! > Math.abs(values[i]!) / 2).length;
    parts.push(`estimated, ${vague} of ${candidates.length} with a standard error above half of the value`);
    if (clamped > 0) parts.push(`${clamped} estimates moved to the bounds of an inverse's diagonal; raise probes`);
  }
  if (free.length > 0) parts.push(`${free.length} weights have no curvature and can be removed free`);
  return parts.join("; ");
}
