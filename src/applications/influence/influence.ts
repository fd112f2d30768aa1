import { CurvatureError } from "../../errors/index.ts";
import type { RunOptions, Status } from "../../linalg/index.ts";
import { checkChoice, checkCount } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { runToEnd } from "../../linalg/runs/runToEnd.ts";
import { norm, scal } from "../../linalg/vectors/vector.ts";
import { type Risk, rowGradientBlocks, rowGradients, rowLosses } from "../../operators/index.ts";
import { column, type Matrix, type Vector } from "../../tensors/index.ts";
import { influenceWarnings } from "./influenceWarnings.ts";
import {
  defaultBlock,
  type InverseOptions,
  type PreparedInverse,
  preparedInverse,
  signalOf,
  worstEnding,
} from "./inverseOptions.ts";
import type { QueryInfluence } from "./queryInfluence.ts";
import { checkRows, type QueryRisk, queryRisk } from "./queryRisk.ts";
import { rankedRows } from "./rankedRows.ts";
import { penalizedGradient } from "./retraining.ts";
import { solvedSystems } from "./solvedSystems.ts";

/** Options of `influence`. */
export interface InfluenceOptions extends InverseOptions, RunOptions {
  /** Rows told for each query as most helpful and most harmful; 10 by default. */
  readonly top?: number;
  /** "all" (default) keeps the scores of all pairs, 16 bytes a pair; "top" those of the most helpful and harmful rows only. */
  readonly keep?: "all" | "top";
  /** Whether a lower (default, a loss) or a higher value of a query (a logit, a margin) is better: which rows count as helpful. */
  readonly better?: "lower" | "higher";
  /** Queries that are solved for at once; default: as many as fit into 128 MiB with their scores, at most 128. Results depend on it to rounding alone. */
  readonly queriesAtOnce?: number;
  /** Where an earlier run with the same risk, queries and options stopped. */
  readonly state?: InfluenceState;
}

/** State of a run of `influence`, from which it can go on. */
export interface InfluenceState {
  readonly method: "influence";
  readonly columns: number;
  readonly rows: number;
  readonly results: readonly QueryInfluence[];
  readonly statuses: readonly (readonly [Status, string])[];
  readonly matvecs: number;
}

/** Influence of training rows on queries. */
export interface Influence {
  readonly queries: readonly QueryInfluence[];
  /** Training rows N; with a communicator those of all ranks. */
  readonly rows: number;
  /** Name of the loss that the queries are measured with. */
  readonly measurement: string;
  readonly better: "lower" | "higher";
  readonly damping: number;
  /** Strength of the penalty, if it is one number. */
  readonly weightDecay?: number;
  readonly solver: { readonly method: string; readonly why: string };
  /** Worst ending of a solution. */
  readonly status: Status;
  readonly message: string;
  /** Largest residual of a query over its gradient. */
  readonly residual: number;
  /** Median over the queries. */
  readonly dampingShare: number;
  /** Norm of the gradient of the training objective. */
  readonly gradientNorm: number;
  readonly matvecs: number;
  /** What a reader should know before trusting the numbers. */
  readonly warnings: readonly string[];
}

const NAME = "influence";

/**
 * Influence of each training row z on each query t (Koh and Liang, 2017) in the plus form `score = g_t'(A + damping I)^-1 g_z`, with the gradients g of single
 * rows' losses and A a curvature matrix of the mean training objective. If z is removed, the query's value changes by about `+ score / N`; if z counts twice, by `- score
 * / N`. A positive score on a loss means that z helps. Units: those of the query's value.
 *
 * Costs the solution of one system a query, then one pass over the training rows for all queries that are solved for at once: `rowGradients` takes the products,
 * so that no gradient of a training row is ever stored.
 *
 * With a communicator each rank gives the scores of its own rows, and tells the most helpful and harmful of these by their index in its own data; all else is the same on
 * all ranks. `gatherRows` brings the scores together. The queries are the same on all ranks, a risk without the communicator.
 *
 * @param queries the risk on other rows, as `risk.on(data)` gives it, or another measurement of them: a risk of the same model with a loss of its own
 * @throws CurvatureError "argument", "shape" or "unsupported" for risks and options it cannot take, "numeric" where conjugate gradients meet negative curvature,
 *   "aborted" when the signal fires
 */
export function influence(risk: Risk, queries: Risk, options: InfluenceOptions): Promise<Influence> {
  return runToEnd(influenceSteps(risk, queries, options));
}

/** The run of `influence` block of queries by block; yields a state after each, from which `state` resumes it. */
export async function* influenceSteps(
  risk: Risk,
  queries: Risk,
  options: InfluenceOptions,
): AsyncGenerator<InfluenceState, Influence, void> {
  const run = checkedRun(risk, queries, options);
  let { state } = run;
  try {
    const values = await rowLosses(run.queries.risk, signalOf(options));
    const gradient = await penalizedGradient(risk, options.weightDecay ?? 0);
    const from = state.results.length;
    const blocks = { columns: run.queriesAtOnce, from, ...signalOf(options) };
    if (from < queries.rows) {
      for await (const { start, gradients } of rowGradientBlocks(run.queries.risk, blocks)) {
        scal(run.queries.factor, gradients.data);
        const more = await blockInfluence(gradients, { run, values, start, options });
        const results = [...state.results, ...more.results];
        const statuses = [...state.statuses, more.ending];
        state = { ...state, results, statuses, matvecs: run.earlier + run.solver.matvecs() };
        options.onProgress?.({ stage: NAME, done: results.length, total: queries.rows });
        yield state;
      }
    }
    return resultOf(run, { state, gradientNorm: norm(gradient) });
  } finally {
    await run.queries.dispose();
  }
}

interface Run extends PreparedInverse {
  readonly risk: Risk;
  readonly queries: QueryRisk;
  readonly theta: Vector;
  readonly queriesAtOnce: number;
  readonly state: InfluenceState;
  /** Products of the run that this one goes on from. */
  readonly earlier: number;
  readonly options: InfluenceOptions;
}

function checkedRun(risk: Risk, queries: Risk, options: InfluenceOptions): Run {
  checkRows(NAME, risk, { ranks: true });
  checkOptions(
    NAME,
    options,
    "matrix damping weightDecay solver top keep better queriesAtOnce state signal onProgress",
  );
  const { top = 10, keep = "all", better = "lower", queriesAtOnce = defaultBlock(risk) } = options;
  for (const [option, value] of Object.entries({ top, queriesAtOnce })) checkCount(NAME, option, value);
  checkChoice(NAME, "keep", keep, ["all", "top"]);
  checkChoice(NAME, "better", better, ["lower", "higher"]);
  const state = options.state ?? initialState(risk);
  if (state.method !== NAME || state.columns !== risk.size || state.rows !== risk.rows) {
    throw new CurvatureError(
      "argument",
      `${NAME} expects the state of a run of its own with ${risk.size} weights and ${risk.rows} rows, got one of ${String(state.method)} with ${state.columns} and ${state.rows}`,
    );
  }
  return {
    risk,
    ...preparedInverse(NAME, risk, options),
    queries: queryRisk(NAME, risk, queries),
    theta: risk.theta(),
    queriesAtOnce,
    state,
    earlier: state.matvecs,
    options,
  };
}

function initialState({ size, rows }: Risk): InfluenceState {
  return { method: NAME, columns: size, rows, results: [], statuses: [], matvecs: 0 };
}

async function blockInfluence(
  gradients: Matrix,
  {
    run,
    values,
    start,
    options,
  }: { readonly run: Run; readonly values: Vector; readonly start: number; readonly options: InfluenceOptions },
): Promise<{ readonly results: readonly QueryInfluence[]; readonly ending: readonly [Status, string] }> {
  const { risk, queries, systems, theta, decay } = run;
  const { x, checks, status, happened } = await solvedSystems(gradients, systems, options);
  const { top = 10, keep = "all", better = "lower" } = options;
  const scores = await rowGradients(risk).matmat!(x, signalOf(options));
  const moments = await momentsOf(scores, risk);
  const { rows } = risk.shard;
  const results = checks.map((check, k): QueryInfluence => {
    const own = Float64Array.from(column(scores, k));
    const [mean, deviation] = [moments.means[k]!, moments.deviations[k]!];
    const { largest, smallest } = rankedRows(own, { count: Math.min(top, risk.rows), rows });
    const solution = column(x, k);
    let pull = 0;
    for (let i = 0; i < solution.length; i++) pull += decay(i) * theta[i]! * solution[i]!;
    const kept = { scores: own, removalEffects: own.map((score) => score / rows) };
    return {
      value: queries.factor * values[start + k]!,
      gradientNorm: norm(column(gradients, k)),
      ...(keep === "all" && kept),
      helpful: better === "lower" ? largest : smallest,
      harmful: better === "lower" ? smallest : largest,
      ...check,
      meanScore: mean,
      scoreDeviation: deviation,
      distanceFromMinimum: mean + pull,
    };
  });
  return { results, ending: [status, happened] };
}

/** Mean and standard deviation of the scores of each query over the rows of all ranks. */
async function momentsOf(scores: Matrix, { engine, shard }: Risk) {
  const sums = (of: (score: number, k: number) => number) => {
    const own = new Float64Array(scores.columns);
    for (let k = 0; k < scores.columns; k++) for (const score of column(scores, k)) own[k]! += of(score, k);
    return engine.sumOverRanks(own);
  };
  const means = (await sums((score) => score)).map((sum) => sum / shard.rows);
  const squares = await sums((score, k) => (score - means[k]!) ** 2);
  return { means, deviations: squares.map((sum) => Math.sqrt(sum / shard.rows)) };
}

function resultOf(
  { risk, queries, solver, systems, options }: Run,
  { state, gradientNorm }: { readonly state: InfluenceState; readonly gradientNorm: number },
): Influence {
  const { results, statuses, matvecs } = state;
  const [status, message] = worstEnding(statuses);
  const shares = results.map(({ dampingShare }) => dampingShare).sort((a, b) => a - b);
  const { weightDecay = 0, better = "lower" } = options;
  const facts = {
    damping: systems.damping,
    residual: results.reduce((so, { residual }) => Math.max(so, residual), 0),
    dampingShare: shares[Math.floor(shares.length / 2)]!,
    gradientNorm,
  };
  return {
    queries: results,
    rows: risk.shard.rows,
    measurement: queries.risk.lossFunction.name,
    better,
    ...(typeof weightDecay === "number" && { weightDecay }),
    solver: { method: solver.method, why: solver.why },
    status,
    message,
    ...facts,
    matvecs,
    warnings: influenceWarnings(results, { ...facts, status, message, method: solver.method, rows: risk.shard.rows }),
  };
}
