import { CurvatureError } from "../../errors/index.ts";
import type { RunOptions, Status } from "../../linalg/index.ts";
import { checkCount } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { runToEnd } from "../../linalg/runs/runToEnd.ts";
import { dot } from "../../linalg/vectors/vector.ts";
import { ggn, type Risk, rowGradientBlocks, rowLosses } from "../../operators/index.ts";
import { column, type Matrix } from "../../tensors/index.ts";
import { chosenRows, collectedRows } from "../chosenRows.ts";
import { checkIndices } from "./checkIndices.ts";
import { influenceWarnings } from "./influenceWarnings.ts";
import {
  defaultBlock,
  type InverseOptions,
  type PreparedInverse,
  preparedInverse,
  signalOf,
  worstEnding,
} from "./inverseOptions.ts";
import { checkRows } from "./queryRisk.ts";
import { solvedSystems } from "./solvedSystems.ts";
import type { InfluenceSolver } from "./solverOptions.ts";

/** Options of `selfInfluence`. */
export interface SelfInfluenceOptions extends InverseOptions, RunOptions {
  /** Indices of the rows, from 0; default all. */
  readonly rows?: readonly number[];
  /** Rows that are solved for at once; default: as many as fit into 128 MiB, at most 128. */
  readonly rowsAtOnce?: number;
  /** Where an earlier run with the same risk and options stopped. */
  readonly state?: SelfInfluenceState;
}

/** State of a run of `selfInfluence`, from which it can go on. */
export interface SelfInfluenceState {
  readonly method: "selfInfluence";
  readonly columns: number;
  readonly rows: number;
  readonly scores: Float64Array;
  readonly shares: Float64Array;
  /** Largest residual of the rows whose solutions were checked, or that the solver checks itself. */
  readonly residual: number;
  readonly endings: readonly (readonly [Status, string])[];
  readonly matvecs: number;
}

/** Influence of rows on themselves. */
export interface SelfInfluence {
  /** Indices of the rows, in the order of the scores. */
  readonly rows: readonly number[];
  /** `g_z'(A + damping I)^-1 g_z`; over N, the predicted rise of the row's own loss if it is removed. */
  readonly scores: Float64Array;
  readonly losses: Float64Array;
  /** The rows by falling score: wrong labels first, if there are any. */
  readonly ranking: readonly number[];
  /** The rows by falling loss, to compare. */
  readonly lossRanking: readonly number[];
  readonly damping: number;
  readonly weightDecay?: number;
  readonly solver: { readonly method: string; readonly why: string };
  readonly status: Status;
  readonly message: string;
  /** Largest relative residual among the solutions that were checked: all of iterative solvers, else those of the first 16 rows. */
  readonly residual: number;
  /** Median share of the damping in the scores. */
  readonly dampingShare: number;
  readonly matvecs: number;
  readonly warnings: readonly string[];
}

const NAME = "selfInfluence";

/** Rows whose solutions in closed form are checked by products. */
const CHECKED = 16;

/** Weights up to which the matrix is formed if it has no inverse, since there are many systems. */
const DENSE_SIZE = 4096;

/**
 * Self-influence `g_z'(A + damping I)^-1 g_z` of each row (Koh and Liang, 2017, section 5.4): by how much the row carries itself. A row with a wrong label agrees with no
 * other and stands out, since the model would not predict the label without it.
 *
 * Costs the gradient of each row alone and the solution of one system a row: cheap with a matrix that has an inverse (`kfac`, `ekfac`, `diagonal`); a matrix without
 * one is formed once where it has at most 4,096 weights, unless `solver` says otherwise.
 *
 * @throws as `influence`
 */
export function selfInfluence(risk: Risk, options: SelfInfluenceOptions): Promise<SelfInfluence> {
  return runToEnd(selfInfluenceSteps(risk, options));
}

/** The run of `selfInfluence` block of rows by block; yields a state after each, from which `state` resumes it. */
export async function* selfInfluenceSteps(
  risk: Risk,
  options: SelfInfluenceOptions,
): AsyncGenerator<SelfInfluenceState, SelfInfluence, void> {
  const { rows, rowsAtOnce, prepared, initial } = checkedRun(risk, options);
  let state = initial;
  const chosen = options.rows === undefined ? risk : await ofRows(risk, rows);
  try {
    const losses = Float64Array.from(await rowLosses(chosen, signalOf(options)));
    const from = state.scores.length;
    if (from < rows.length) {
      for await (const { gradients } of rowGradientBlocks(chosen, {
        columns: rowsAtOnce,
        from,
        ...signalOf(options),
      })) {
        state = await advanced(state, { gradients, prepared, options, earlier: initial.matvecs });
        options.onProgress?.({ stage: NAME, done: state.scores.length, total: rows.length });
        yield state;
      }
    }
    return resultOf(state, { rows, losses, prepared, options });
  } finally {
    if (chosen !== risk) await chosen.dispose();
  }
}

function checkedRun(risk: Risk, options: SelfInfluenceOptions) {
  checkRows(NAME, risk);
  checkOptions(NAME, options, "matrix damping weightDecay solver rows rowsAtOnce state signal onProgress");
  const { rowsAtOnce = defaultBlock(risk), matrix = ggn(risk) } = options;
  checkCount(NAME, "rowsAtOnce", rowsAtOnce);
  const rows = options.rows ?? Array.from({ length: risk.rows }, (_, row) => row);
  checkIndices(NAME, rows, risk.rows);
  const many = matrix.inverse === undefined && risk.size <= DENSE_SIZE && 10 * rows.length > risk.size;
  const solver: InfluenceSolver | undefined = options.solver ?? (many ? "dense" : undefined);
  const prepared = preparedInverse(NAME, risk, { ...options, ...(solver !== undefined && { solver }) });
  const why = `${rows.length} systems of only ${risk.size} weights`;
  const explained = options.solver === undefined && many ? { ...prepared.solver, why } : prepared.solver;
  const initial: SelfInfluenceState = options.state ?? {
    method: NAME,
    columns: risk.size,
    rows: rows.length,
    scores: new Float64Array(0),
    shares: new Float64Array(0),
    residual: 0,
    endings: [],
    matvecs: 0,
  };
  if (initial.method !== NAME || initial.columns !== risk.size || initial.rows !== rows.length) {
    throw new CurvatureError(
      "argument",
      `${NAME} expects the state of a run of its own with ${risk.size} weights and ${rows.length} rows, got one of ${String(initial.method)} with ${initial.columns} and ${initial.rows}`,
    );
  }
  return { rows, rowsAtOnce, prepared: { ...prepared, solver: explained }, initial };
}

/** The risk on some rows, whose gradients stay those of the whole. */
async function ofRows(risk: Risk, rows: readonly number[]): Promise<Risk> {
  const what = `${rows.length} chosen rows`;
  const data = chosenRows(await collectedRows(risk.data), { chosen: rows, data: risk.data, what });
  return risk.on(data, { shard: { ...risk.shard, firstRow: 0 } });
}

async function advanced(
  state: SelfInfluenceState,
  {
    gradients,
    prepared,
    options,
    earlier,
  }: {
    readonly gradients: Matrix;
    readonly prepared: PreparedInverse;
    readonly options: SelfInfluenceOptions;
    readonly earlier: number;
  },
): Promise<SelfInfluenceState> {
  const { systems, solver } = prepared;
  const checked = Math.max(0, Math.min(gradients.columns, CHECKED - state.scores.length));
  const iterative = solver.method === "cg" || solver.method === "minres";
  let { residual } = state;
  const endings = [...state.endings];
  const scores: number[] = [];
  const shares: number[] = [];
  const take = (B: Matrix, x: Matrix) => {
    for (let k = 0; k < B.columns; k++) {
      const [g, own] = [column(B, k), column(x, k)];
      const score = dot(g, own);
      scores.push(score);
      shares.push(score === 0 ? 0 : (systems.damping * dot(own, own)) / Math.abs(score));
    }
  };
  if (iterative || checked > 0) {
    const B = columnsOf(gradients, 0, iterative ? gradients.columns : checked);
    const { x, checks, status, happened } = await solvedSystems(B, systems, signalOf(options));
    for (const { residual: own } of checks) residual = Math.max(residual, own);
    endings.push([status, happened]);
    take(B, x);
  }
  if (!iterative && checked < gradients.columns) {
    const B = columnsOf(gradients, checked, gradients.columns);
    const { x, status, happened } = await solver.solve(B, signalOf(options));
    endings.push([status, happened]);
    take(B, x);
  }
  return {
    ...state,
    scores: joined(state.scores, scores),
    shares: joined(state.shares, shares),
    residual,
    endings: [worstEnding(endings)],
    matvecs: earlier + solver.matvecs(),
  };
}

function columnsOf({ rows, data }: Matrix, from: number, to: number): Matrix {
  return { rows, columns: to - from, data: data.subarray(from * rows, to * rows) };
}

interface Ending {
  readonly rows: readonly number[];
  readonly losses: Float64Array;
  readonly prepared: PreparedInverse;
  readonly options: SelfInfluenceOptions;
}

function resultOf(state: SelfInfluenceState, { rows, losses, prepared, options }: Ending): SelfInfluence {
  const { systems, solver } = prepared;
  const { scores, residual, matvecs } = state;
  const [status, message] = worstEnding(state.endings);
  const shares = [...state.shares].sort((a, b) => a - b);
  const { weightDecay = 0 } = options;
  const falling = (values: Float64Array) =>
    rows
      .map((row, i) => ({ row, value: values[i]! }))
      .sort((a, b) => b.value - a.value)
      .map(({ row }) => row);
  const facts = { damping: systems.damping, residual, dampingShare: shares[Math.floor(shares.length / 2)]! };
  const negative = scores.filter((score) => score < 0).length;
  const warnings = [
    ...influenceWarnings([], { ...facts, gradientNorm: 0, status, message, method: solver.method, rows: rows.length }),
    ...(negative > 0
      ? [
          `${negative} rows have a negative self-influence: the matrix has negative curvature along them. Take ggn, or more damping.`,
        ]
      : []),
  ];
  return {
    rows,
    scores,
    losses,
    ranking: falling(scores),
    lossRanking: falling(losses),
    ...(typeof weightDecay === "number" && { weightDecay }),
    solver: { method: solver.method, why: solver.why },
    status,
    message,
    ...facts,
    matvecs,
    warnings,
  };
}

function joined(first: Float64Array, second: readonly number[]): Float64Array {
  const whole = new Float64Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  return whole;
}
