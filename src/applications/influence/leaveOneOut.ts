import { CurvatureError } from "../../errors/index.ts";
import type { LinearOperator, RunOptions } from "../../linalg/index.ts";
import { add, cg, damped, scale } from "../../linalg/index.ts";
import { checkChoice, checkNonnegative } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { norm, scaled } from "../../linalg/vectors/vector.ts";
import { hessian, type Risk, rowLosses } from "../../operators/index.ts";
import type { Vector } from "../../tensors/index.ts";
import { chosenRows, collectedRows } from "../chosenRows.ts";
import { decayOf, penalizedMatrix } from "../penalizedMatrix.ts";
import { checkIndices } from "./checkIndices.ts";
import { signalOf } from "./inverseOptions.ts";
import { checkRows, queryRisk } from "./queryRisk.ts";
import { newton, penalizedGradient, type Retraining } from "./retraining.ts";

/** Options of `leaveOneOut`. */
export interface LeaveOneOutOptions extends RunOptions {
  /** What is measured: the risk on other rows, or another measurement of them, as in `influence`. */
  readonly queries: Risk;
  /**
   * - "retrain" (default): trains on from the minimum without the row;
   * - "newton": one Newton step, `theta + (A - h_z / N + damping)^-1 g_z / N`, with the row's own curvature h_z taken out;
   * - "firstOrder": the same without that, `theta + (A + damping)^-1 g_z / N`, what `influence` predicts before it is linearized in the query.
   */
  readonly method?: "retrain" | "newton" | "firstOrder";
  /** Strength of the penalty that the weights were trained with; default 0. */
  readonly weightDecay?: number | Vector;
  /** Added to the matrix of a step; default 0. Not used in retraining. */
  readonly damping?: number;
  /** The matrix of the loss for a risk, for steps; default `hessian`. */
  readonly matrix?: (risk: Risk) => LinearOperator;
  /** Relative residual of the steps; 1e-10 by default, 1e-5 for float32. */
  readonly tolerance?: number;
  /** How to train; default `newtonCg` to a gradient of 1e-10 of that at the start, 1e-4 for float32. */
  readonly retrain?: Retraining;
}

/** What removing one row, or a group of rows, does. */
export interface LeftOut {
  readonly rows: readonly number[];
  /** Change of each query's value, [queries]. */
  readonly changes: Float64Array;
  /** Change of the weights, [size]. */
  readonly shift: Vector;
  /** Norm of the gradient of the objective without the rows at the new weights: how far from its minimum they are. */
  readonly gradientNorm: number;
}

/** Removals one after the other. */
export interface LeaveOneOut {
  readonly removals: readonly LeftOut[];
  /** Values of the queries with all rows. */
  readonly values: Float64Array;
  readonly method: "retrain" | "newton" | "firstOrder";
  /** Norm of the gradient of the whole objective: all methods begin at its minimum. */
  readonly gradientNorm: number;
  readonly message: string;
}

const NAME = "leaveOneOut";

/**
 * Change of the queries' values when rows are removed, one at a time or group by group: the check of `influence`. The objective without the rows keeps the denominator
 * N, `1/N sum over the others + penalty`, so that removing a row is to give it the weight 0.
 *
 * Costs for each removal a training run from the minimum, or one solution and one pass; and one pass over the queries.
 *
 * @param groups rows by index, or lists of rows that are removed together
 * @throws CurvatureError "argument" for indices or options it cannot take, "numeric" where a step meets negative curvature or is not solved
 */
export async function leaveOneOut(
  risk: Risk,
  groups: readonly (number | readonly number[])[],
  options: LeaveOneOutOptions,
): Promise<LeaveOneOut> {
  checkRows(NAME, risk);
  checkOptions(NAME, options, "queries method weightDecay damping matrix tolerance retrain signal onProgress");
  const { method = "retrain", damping = 0, weightDecay = 0 } = options;
  checkChoice(NAME, "method", method, ["retrain", "newton", "firstOrder"]);
  checkNonnegative(NAME, "damping", damping);
  decayOf(NAME, { weightDecay, size: risk.size });
  const lists = groups.map((group) => (typeof group === "number" ? [group] : group));
  for (const rows of lists) {
    checkIndices(NAME, rows, risk.rows);
    if (rows.length === risk.rows) throw new CurvatureError("argument", `${NAME} cannot remove all ${risk.rows} rows`);
  }
  const queries = queryRisk(NAME, risk, options.queries);
  try {
    const values = await queryValues(queries, risk.theta());
    const gradient = await penalizedGradient(risk, weightDecay);
    const all = await collectedRows(risk.data);
    const removals: LeftOut[] = [];
    for (const rows of lists) {
      const theta = await without(risk, { rows, all, options });
      const after = await queryValues(queries, theta.theta);
      removals.push({
        rows,
        changes: after.map((value, t) => value - values[t]!),
        shift: theta.theta.map((entry, i) => entry - theta.start[i]!),
        gradientNorm: theta.gradientNorm,
      });
      options.onProgress?.({ stage: NAME, done: removals.length, total: lists.length });
    }
    const worst = removals.reduce((so, each) => Math.max(so, each.gradientNorm), 0);
    return {
      removals,
      values,
      method,
      gradientNorm: norm(gradient),
      message: `the gradient of the objective has norm ${norm(gradient).toPrecision(2)} with all rows, and at most ${worst.toPrecision(2)} after a removal`,
    };
  } finally {
    await queries.dispose();
  }
}

interface Removal {
  readonly rows: readonly number[];
  readonly all: Awaited<ReturnType<typeof collectedRows>>;
  readonly options: LeaveOneOutOptions;
}

interface NewWeights {
  readonly theta: Vector;
  readonly start: Vector;
  readonly gradientNorm: number;
}

async function without(risk: Risk, { rows, all, options }: Removal): Promise<NewWeights> {
  const { method = "retrain", weightDecay = 0, retrain = newton } = options;
  const gone = new Set(rows);
  const kept = Array.from({ length: risk.rows }, (_, row) => row).filter((row) => !gone.has(row));
  const part = async (chosen: readonly number[], what: string) =>
    risk.on(chosenRows(all, { chosen, data: risk.data, what }), { shard: { ...risk.shard, firstRow: 0 } });
  const rest = await part(kept, `without ${rows.length} rows`);
  try {
    const start = risk.theta();
    if (method === "retrain") {
      const { theta, gradientNorm } = await retrain(rest, { weightDecay, ...signalOf(options) });
      return { theta, start, gradientNorm };
    }
    const removed = await part(rows, `${rows.length} rows`);
    try {
      const step = await stepWithout(risk, { removed, options });
      const theta = start.map((entry, i) => entry + step[i]!);
      const moved = rest.at(theta);
      const gradient = await penalizedGradient(moved, weightDecay);
      await moved.dispose();
      return { theta, start, gradientNorm: norm(gradient) };
    } finally {
      await removed.dispose();
    }
  } finally {
    await rest.dispose();
  }
}

/** `(A - h / N + damping)^-1 g / N` with gradient and curvature of the rows' share, which are g / N and h / N already. */
async function stepWithout(
  risk: Risk,
  { removed, options }: { readonly removed: Risk; readonly options: LeaveOneOutOptions },
): Promise<Vector> {
  const { method, weightDecay = 0, damping = 0, matrix = hessian } = options;
  const { tolerance = risk.dtype === "float32" ? 1e-5 : 1e-10 } = options;
  const g = await removed.gradient(signalOf(options));
  const whole = penalizedMatrix(matrix(risk), weightDecay);
  const A = damped(method === "newton" ? add(whole, scale(matrix(removed), -1)) : whole, damping);
  const solved = await cg({ ...A, symmetric: true }, g, { tolerance, ...signalOf(options) });
  if (solved.status === "aborted") throw new CurvatureError("aborted", solved.message);
  if (solved.status === "converged" || solved.status === "stagnated") return solved.x;
  const advice =
    solved.status === "indefinite"
      ? "without the rows there is no minimum nearby; take matrix: ggn, or raise damping"
      : "raise damping";
  throw new CurvatureError(
    "numeric",
    `${NAME} cannot solve for the step at damping ${damping}: ${solved.message}; ${advice}`,
  );
}

async function queryValues(
  { risk, factor }: { readonly risk: Risk; readonly factor: number },
  theta: Vector,
): Promise<Float64Array> {
  const moved = risk.at(theta);
  try {
    return Float64Array.from(scaled(factor, await rowLosses(moved)));
  } finally {
    await moved.dispose();
  }
}
