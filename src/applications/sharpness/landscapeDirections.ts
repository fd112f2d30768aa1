import { CurvatureError } from "../../errors/index.ts";
import { eigsh, type LinearOperator, type RunOptions } from "../../linalg/index.ts";
import { checkCount, checkSeed } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { dot, norm, scaled } from "../../linalg/vectors/vector.ts";
import { hessian, type Risk } from "../../operators/index.ts";
import { stream } from "../../random/index.ts";
import { column, toPrecision, type Vector, zeros } from "../../tensors/index.ts";
import { weightMatrices } from "../weightMatrices.ts";
import { checkRiskFor } from "./sharpnessRun.ts";

/** An axis of a landscape. */
export interface LandscapeDirection {
  readonly name: string;
  /** `[size]`; a step of 1 along the axis adds it to the weights. */
  readonly vector: Vector;
  /** Eigenvalue of an eigenvector. */
  readonly eigenvalue?: number;
  /** `||A v - eigenvalue v||` */
  readonly residualNorm?: number;
  /** Distance of the eigenvalue to the nearest other one found. Where it is as small as the residual, the vector is an arbitrary one of a plane. */
  readonly gap?: number;
}

/** Options of `eigenvectorDirections`. */
export interface EigenvectorDirectionsOptions extends RunOptions {
  readonly seed: number;
  /** Number of directions; 2 by default. */
  readonly k?: number;
  /** The matrix; default: the Hessian. */
  readonly matrix?: LinearOperator;
}

/**
 * Eigenvectors of the largest eigenvalues, of length 1, with the sign that makes the entry of largest absolute value positive. One eigenpair more is computed
 * for the gap of the last. Products as `eigsh`.
 *
 * @throws CurvatureError "argument" for options it cannot take, "numeric" where the pairs do not converge, "aborted" when the signal fires
 */
export async function eigenvectorDirections(
  risk: Risk,
  options: EigenvectorDirectionsOptions,
): Promise<readonly LandscapeDirection[]> {
  const name = "eigenvectorDirections";
  checkRiskFor(name, risk);
  checkOptions(name, options, "seed k matrix signal onProgress");
  const { seed, k = 2, matrix = hessian(risk), signal, onProgress } = options;
  checkSeed(name, seed);
  checkCount(name, "k", k);
  const run = { ...(signal && { signal }), ...(onProgress && { onProgress }) };
  const pairs = await eigsh(matrix, { k: Math.min(k + 1, risk.size), which: "largest", copies: false, seed, ...run });
  if (pairs.status !== "converged") {
    const code = pairs.status === "aborted" ? "aborted" : "numeric";
    throw new CurvatureError(code, `${name}: the eigenpairs did not converge: ${pairs.message}`);
  }
  return Array.from({ length: Math.min(k, risk.size) }, (_, i) => {
    const value = pairs.values[i]!;
    const gaps = [...pairs.values].filter((_, j) => j !== i).map((other) => Math.abs(other - value));
    return {
      name: `eigenvector ${i + 1}`,
      vector: signFixed(column(pairs.vectors, i)),
      eigenvalue: value,
      residualNorm: pairs.residualNorms[i]!,
      ...(gaps.length > 0 && { gap: Math.min(...gaps) }),
    };
  });
}

/** The vector or its negative, with the entry of largest absolute value positive. */
function signFixed(vector: Vector): Vector {
  let largest = 0;
  for (const entry of vector) if (Math.abs(entry) > Math.abs(largest)) largest = entry;
  return scaled(largest < 0 ? -1 : 1, vector);
}

/**
 * The gradient, of length 1. One gradient.
 *
 * @throws CurvatureError "numeric" where the gradient is zero
 */
export async function gradientDirection(risk: Risk): Promise<LandscapeDirection> {
  checkRiskFor("gradientDirection", risk);
  const g = await risk.gradient();
  const length = norm(g);
  if (length > 0) return { name: "gradient", vector: scaled(1 / length, g) };
  throw new CurvatureError("numeric", "gradientDirection: the gradient is zero; choose another direction");
}

/** Options of `randomDirections`. */
export interface RandomDirectionsOptions {
  readonly seed: number;
  /** Number of directions; 2 by default. */
  readonly k?: number;
  /** "filter" (default) scales them as `filterNormalized` does; "none" leaves standard normal entries. */
  readonly normalize?: "filter" | "none";
}

/**
 * Random normal directions, by default filter-normalized (Li et al., 2018).
 *
 * @throws CurvatureError "argument" for options it cannot take
 */
export async function randomDirections(
  risk: Risk,
  options: RandomDirectionsOptions,
): Promise<readonly LandscapeDirection[]> {
  const name = "randomDirections";
  checkRiskFor(name, risk);
  checkOptions(name, options, "seed k normalize");
  const { seed, k = 2, normalize = "filter" } = options;
  checkSeed(name, seed);
  checkCount(name, "k", k);
  if (normalize !== "filter" && normalize !== "none") {
    throw new CurvatureError(
      "argument",
      `${name} expects normalize to be "filter" or "none", got ${String(normalize)}`,
    );
  }
  const directions = Array.from({ length: k }, (_, i): LandscapeDirection => {
    const random = stream(seed, "direction", i);
    const vector = zeros(risk.size, risk.dtype);
    for (let j = 0; j < vector.length; j++) vector[j] = random.normal();
    return { name: `random ${i + 1}`, vector };
  });
  return normalize === "none" ? directions : Promise.all(directions.map((each) => filterNormalized(risk, each)));
}

/** Options of `filterNormalized`. */
export interface FilterNormalizedOptions {
  /**
   * What happens to entries that are no weights of outputs: biases, scales and shifts of normalizations. "zero" (default) keeps them where they are;
   * "leave" leaves them in the direction as they are.
   */
  readonly vectors?: "zero" | "leave";
}

/**
 * A direction with the weights of each output of a layer (each filter) scaled to the norm that these weights have in the network (Li et al., 2018, section 4;
 * the norm of the direction plus 1e-10 in the denominator, as theirs). It is another direction: an eigenvector is none any more, and two directions that were
 * orthogonal are not.
 *
 * @throws CurvatureError "shape" for a direction of another length, "argument" for options it cannot take
 */
export async function filterNormalized(
  risk: Risk,
  { name, vector }: LandscapeDirection,
  options: FilterNormalizedOptions = {},
): Promise<LandscapeDirection> {
  checkRiskFor("filterNormalized", risk);
  checkOptions("filterNormalized", options, "vectors");
  checkDirection("filterNormalized", { risk, name, vector });
  const theta = risk.theta();
  const result = options.vectors === "leave" ? toPrecision(vector, risk.dtype).slice() : zeros(risk.size, risk.dtype);
  for (const { rows, columns, index } of await weightMatrices(risk)) {
    for (let row = 0; row < rows; row++) {
      const filter = index.subarray(row * columns, (row + 1) * columns);
      const length = (of: Vector) => Math.sqrt(filter.reduce((sum, i) => sum + of[i]! ** 2, 0));
      const factor = length(theta) / (length(vector) + 1e-10);
      for (const i of filter) result[i] = factor * vector[i]!;
    }
  }
  return { name: `${name}, filter-normalized`, vector: result };
}

/**
 * The direction from the weights of a risk to other weights of the same network: a step of 1 leads from one checkpoint to the other.
 *
 * @param to `[size]`
 * @throws CurvatureError "shape" for another length, "argument" where both are the same
 */
export function checkpointDirection(risk: Risk, to: Vector): LandscapeDirection {
  checkRiskFor("checkpointDirection", risk);
  checkDirection("checkpointDirection", { risk, name: "to", vector: to });
  const theta = risk.theta();
  const vector = toPrecision(to, risk.dtype).map((entry, i) => entry - theta[i]!);
  if (norm(vector) > 0) return { name: "to the other checkpoint", vector };
  throw new CurvatureError(
    "argument",
    "checkpointDirection: both checkpoints have the same weights; choose another direction",
  );
}

/** Refuses a direction of another length or with entries that are not finite. */
export function checkDirection(
  caller: string,
  { risk, name, vector }: { readonly risk: Risk; readonly name: string; readonly vector: Vector },
): void {
  if (!ArrayBuffer.isView(vector) || vector.length !== risk.size) {
    const got = ArrayBuffer.isView(vector) ? `${vector.length} entries` : typeof vector;
    throw new CurvatureError("shape", `${caller} expects "${name}" as a vector of ${risk.size} entries, got ${got}`);
  }
  if (Number.isFinite(dot(vector, vector))) return;
  throw new CurvatureError("argument", `${caller} expects "${name}" to have finite entries`);
}
