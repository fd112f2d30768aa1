import { CurvatureError } from "../../errors/index.ts";
import { dot } from "../../linalg/vectors/vector.ts";
import type { Vector } from "../../tensors/index.ts";
import type { CurvatureModel, Entries } from "./curvatureModel.ts";
import { gathered } from "./denseBlocks.ts";
import type { PruningUnit } from "./pruningUnit.ts";

/** Measures of how much a weight matters. */
export type SaliencyMethod = "magnitude" | "firstOrder" | "obd" | "obs";

/** All methods, those that need a matrix last. */
export const SALIENCY_METHODS: readonly SaliencyMethod[] = ["magnitude", "firstOrder", "obd", "obs"];

/** Whether a method needs a curvature matrix. */
export function needsMatrix(method: SaliencyMethod): boolean {
  return method === "obd" || method === "obs";
}

/** What scores are computed from. */
export interface ScoreRequest {
  readonly name: string;
  readonly method: SaliencyMethod;
  readonly theta: Vector;
  /** Gradient of the loss; of "firstOrder", and of "obs" where the weights are no minimum. */
  readonly gradient?: Vector | undefined;
  /** Model of the matrix; of "obd" and "obs". */
  readonly model?: CurvatureModel | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: { stage: string; done: number; total?: number }) => void) | undefined;
}

/** Scores of single weights. */
export interface WeightScores extends Entries {
  /** Weights with no curvature at all, which the loss does not depend on to second order. */
  readonly free: Int32Array;
  /** Estimated entries of the inverse's diagonal that lay outside of their bounds and were moved there. */
  readonly clamped: number;
}

/** The score of each weight, `[size]`. */
export async function weightScores(request: ScoreRequest): Promise<WeightScores> {
  const { method, theta, gradient } = request;
  const none = { free: new Int32Array(0), clamped: 0 };
  if (method === "magnitude") return { values: Float64Array.from(theta, Math.abs), ...none };
  if (method === "firstOrder") return { values: Float64Array.from(theta, (w, i) => -gradient![i]! * w), ...none };
  const model = request.model!;
  const diagonal = await model.diagonal();
  // Of inputs that are always zero and units that are never active, products are zero exactly.
  const free = Int32Array.from(diagonal.values.keys()).filter((i) => diagonal.values[i] === 0);
  if (method === "obd") {
    const half = Float64Array.from(theta, (w) => (w * w) / 2);
    return {
      values: half.map((x, i) => x * diagonal.values[i]!),
      ...(diagonal.standardErrors && { standardErrors: half.map((x, i) => x * diagonal.standardErrors![i]!) }),
      free,
      clamped: 0,
    };
  }
  return { ...(await inverseScores(request, diagonal)), free };
}

// With u = A^-1 g the constrained minimum is (w_i - u_i)^2 / (2 (A^-1)_ii) - g'u / 2 (Hassibi and Stork, 1993, for g = 0).
async function inverseScores(
  { theta, gradient, model }: ScoreRequest,
  diagonal: Entries,
): Promise<Omit<WeightScores, "free">> {
  const { damping, inverseDiagonal, solve } = model!;
  const inverse = await inverseDiagonal();
  const { values: C, clamped } =
    inverse.standardErrors === undefined ? { ...inverse, clamped: 0 } : bounded(inverse, { diagonal, damping });
  const u = gradient && (await solve(gradient));
  const shift = u === undefined ? 0 : -dot(gradient!, u) / 2;
  const moved = Float64Array.from(theta, (w, i) => w - (u?.[i] ?? 0));
  const score = (x: number, c: number) => (c > 0 ? (x * x) / (2 * c) + shift : 0);
  return {
    values: moved.map((x, i) => score(x, C[i]!)),
    ...(inverse.standardErrors && {
      standardErrors: moved.map((x, i) => (C[i]! > 0 ? ((x * x) / (2 * C[i]! ** 2)) * inverse.standardErrors![i]! : 0)),
    }),
    clamped,
  };
}

/** Entries of the inverse of a positive definite matrix lie between `1 / (A_ii + damping)` and `1 / damping`. */
function bounded(
  { values }: Entries,
  { diagonal, damping }: { readonly diagonal: Entries; readonly damping: number },
): { readonly values: Float64Array; readonly clamped: number } {
  let clamped = 0;
  const within = values.map((c, i) => {
    if (c === 0) return c;
    const low = 1 / (Math.max(diagonal.values[i]!, 0) + damping || Number.POSITIVE_INFINITY);
    const high = damping > 0 ? Math.max(1 / damping, low) : Number.POSITIVE_INFINITY;
    if (c < low || c > high) clamped++;
    return Math.min(Math.max(c, low), high);
  });
  return { values: within, clamped };
}

/** The score of each unit: the root mean square of its weights, `-g_Q'w_Q`, `w_Q'A_QQ w_Q / 2`, or the least increase with all other weights adapted. */
export async function unitScores(request: ScoreRequest, units: readonly PruningUnit[]): Promise<Float64Array> {
  const { theta, method, name, signal, onProgress } = request;
  const values = new Float64Array(units.length);
  for (const [k, unit] of units.entries()) {
    if (signal?.aborted) throw new CurvatureError("aborted", `${name} was aborted after ${k} of ${units.length} units`);
    values[k] = await unitScore(request, { indices: unit.indices, w: gathered(theta, unit.indices) });
    if (needsMatrix(method)) onProgress?.({ stage: "saliencies of units", done: k + 1, total: units.length });
  }
  return values;
}

async function unitScore(
  { method, theta, gradient, model }: ScoreRequest,
  { indices, w }: { readonly indices: Int32Array; readonly w: Float64Array },
): Promise<number> {
  if (method === "magnitude") return Math.sqrt(dot(w, w) / Math.max(1, w.length));
  if (method === "firstOrder") return -dot(gathered(gradient!, indices), w);
  if (method === "obs") {
    return (await model!.constrained({ indices, targets: w.map((x) => -x), gradient })).increase;
  }
  const alone = new Float64Array(theta.length);
  indices.forEach((index, k) => {
    alone[index] = w[k]!;
  });
  return dot(alone, await model!.product(alone)) / 2;
}
