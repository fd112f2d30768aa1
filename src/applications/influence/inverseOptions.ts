import { CurvatureError } from "../../errors/index.ts";
import type { LinearOperator, RunOptions, Status } from "../../linalg/index.ts";
import { checkNonnegative } from "../../linalg/operator/checks.ts";
import { ggn, type Risk } from "../../operators/index.ts";
import type { Vector } from "../../tensors/index.ts";
import { decayOf, penalizedMatrix } from "../penalizedMatrix.ts";
import { influenceSolver, type PreparedSolver } from "./influenceSolver.ts";
import type { Systems } from "./solvedSystems.ts";
import type { InfluenceSolver } from "./solverOptions.ts";

/** What the inverse is of, and how systems with it are solved. */
export interface InverseOptions {
  /** The matrix of the loss alone, [size, size]: any operator, structured or not; default `ggn(risk)`, which is positive semidefinite for every convex loss. */
  readonly matrix?: LinearOperator;
  /** Added to the matrix, 0 or positive. It has no default, since every score depends on it. A structured matrix may bring dampings of its own beside it. */
  readonly damping: number;
  /** Strength w of the penalty `w / 2 |theta|^2` that the weights were trained with, part of A: one number, or one for each weight; default 0. */
  readonly weightDecay?: number | Vector;
  /** Default: what the matrix declares speaks for. */
  readonly solver?: InfluenceSolver;
}

/** The inverse of a checked request. */
export interface PreparedInverse {
  readonly systems: Systems;
  readonly solver: PreparedSolver;
  readonly decay: (i: number) => number;
}

/**
 * Checks what the inverse is of and prepares its solver.
 *
 * @throws CurvatureError "argument" or "shape"
 */
export function preparedInverse(name: string, risk: Risk, options: InverseOptions): PreparedInverse {
  const { matrix = ggn(risk), damping, weightDecay = 0, solver: wanted } = options;
  checkNonnegative(name, "damping", damping);
  checkMatrix(name, matrix, risk.size);
  const decay = decayOf(name, { weightDecay, size: risk.size });
  const A = penalizedMatrix(matrix, weightDecay);
  const sampled = (batch: Risk, of: (risk: Risk) => LinearOperator) => penalizedMatrix(of(batch), weightDecay);
  const solver = influenceSolver(A, { name, damping, solver: wanted, rows: { risk, matrix: sampled } });
  return { systems: { A, damping, solver, tolerance: A.dtype === "float32" ? 1e-3 : 1e-8 }, solver, decay };
}

/** Refuses a matrix of other weights. */
function checkMatrix(name: string, matrix: LinearOperator, size: number): void {
  if (matrix?.shape?.[0] === size && matrix.shape[1] === size) return;
  throw new CurvatureError(
    "shape",
    `${name} expects a matrix of ${size} weights, got one of ${matrix?.shape?.join(" x ")}; it belongs to another network or other parameters`,
  );
}

/** Memory for gradients of rows that are solved for at once. */
const BLOCK_BYTES = 2 ** 27;

/** Columns of a block whose gradients, and whose scores of all rows, fit into memory. */
export function defaultBlock({ size, rows, dtype }: Risk): number {
  const bytes = Math.max(size, rows) * (dtype === "float64" ? 8 : 4);
  return Math.max(1, Math.min(128, Math.floor(BLOCK_BYTES / bytes)));
}

/** The signal alone, for work whose progress is not that of the whole. */
export function signalOf({ signal }: RunOptions): RunOptions {
  return signal ? { signal } : {};
}

/** Endings from the best to the worst. */
const SEVERITY: readonly Status[] = ["converged", "budget", "stagnated", "breakdown", "indefinite", "nonfinite"];

/** The worst of some endings. */
export function worstEnding(endings: readonly (readonly [Status, string])[]): readonly [Status, string] {
  return endings.reduce((so, next) => (SEVERITY.indexOf(next[0]) > SEVERITY.indexOf(so[0]) ? next : so));
}
