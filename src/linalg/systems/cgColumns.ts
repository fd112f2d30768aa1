import { CurvatureError } from "../../errors/index.ts";
import { column, type Matrix, toPrecision, type Vector, zeros } from "../../tensors/index.ts";
import { callMatmat, callMatvec } from "../operator/callOperator.ts";
import { checkArgument, checkCount, checkDeclaredSymmetric, checkState, precision } from "../operator/checks.ts";
import type { LinearOperator, RunOptions } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { checkInputs } from "../operator/structure.ts";
import { type Outcome, outcome, type Status } from "../runs/result.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import { type CgOptions, type CgResult, type CgState, cgSteps } from "./cg.ts";

/** Options of `cgColumns`. */
export interface CgColumnsOptions extends Omit<CgOptions, "x0" | "state"> {
  /** Most products of all right-hand sides together, each of which has an equal share; 1000 for each by default. */
  readonly matvecs?: number | undefined;
  /** `[n, k]`, where to start; zero by default. */
  readonly x0?: Matrix | undefined;
  /** Where an earlier run with the same A, B and options stopped. */
  readonly state?: CgColumnsState | undefined;
}

/** The states of the single runs, absent before their first step. */
export interface CgColumnsState {
  readonly method: "cgColumns";
  readonly columns: number;
  readonly states: readonly (CgState | undefined)[];
}

/** Solutions of `A X = B`. */
export interface CgColumnsResult extends Outcome {
  /** `[n, k]` */
  readonly x: Matrix;
  /** `[k]`, `||b - A x||` of each column, as `cg` gives it. */
  readonly residualNorms: Float64Array;
  /** Result of each column, with the direction of negative curvature where one was found. */
  readonly results: readonly CgResult[];
}

const NAME = "cgColumns";

/**
 * Solutions of `A X = B` for several right-hand sides by conjugate gradients, each with its own recurrence, as `cg` has it, and all their products
 * of a step made at once through `matmat`. A column that has ended no longer takes products. Products count for each column.
 *
 * @throws CurvatureError "argument", "shape" or "numeric" for options, operators or matrices it cannot take; whatever the operator throws,
 * with `state`
 */
export async function cgColumns(
  A: LinearOperator,
  B: Matrix,
  options: CgColumnsOptions = {},
): Promise<CgColumnsResult> {
  return runToEnd(cgColumnsSteps(A, B, options));
}

/** The run of `cgColumns` step by step of all columns; yields a state after each, from which `state` resumes it. */
export async function* cgColumnsSteps(
  A: LinearOperator,
  B: Matrix,
  options: CgColumnsOptions = {},
): AsyncGenerator<CgColumnsState, CgColumnsResult, void> {
  checkOptions(NAME, options, "matvecs x0 state tolerance preconditioner recompute signal onProgress");
  checkDeclaredSymmetric(NAME, A);
  checkInputs("the operator of cgColumns", B, A.shape);
  const { matvecs = 1000 * B.columns, x0, state, onProgress, ...rest } = options;
  checkCount(NAME, "matvecs", matvecs);
  const message = `${NAME} expects matvecs to be at least the number of right-hand sides, ${B.columns}, got ${matvecs}`;
  checkArgument(matvecs >= B.columns, message);
  const columns = A.shape[1];
  if (state) checkState(NAME, state, { method: NAME, columns });
  const gathering = gathered(A);
  const states: (CgState | undefined)[] = Array.from({ length: B.columns }, (_, k) => state?.states[k]);
  const runs = states.map((from, k) => {
    const share = Math.floor(matvecs / B.columns);
    return cgSteps(gathering.operator, column(B, k), { ...rest, x0: x0 && column(x0, k), state: from, matvecs: share });
  });
  const results: (CgResult | undefined)[] = states.map(() => undefined);
  while (results.includes(undefined)) {
    const waiting = runs.map((run, k) => ({ run, k })).filter(({ k }) => results[k] === undefined);
    const settled = await gathering.round(waiting.map(({ run }) => run));
    const failure = settled.find((next) => next.status === "rejected");
    settled.forEach((next, i) => {
      const { k } = waiting[i];
      if (next.status === "rejected") return;
      if (next.value.done) results[k] = next.value.value;
      else states[k] = next.value.value;
    });
    if (failure?.status === "rejected") throw withState(failure.reason, { method: NAME, columns, states: [...states] });
    const done = states.reduce((so, each) => so + (each?.matvecs ?? 0), 0);
    onProgress?.({ stage: NAME, done, total: matvecs });
    if (results.includes(undefined)) yield { method: NAME, columns, states: [...states] };
  }
  return joined(A, results as CgResult[]);
}

/** The operator whose products, asked for by several runs at once, are made together. */
function gathered(A: LinearOperator) {
  let requests: Request[] = [];
  let awaited = 0;
  const flush = () => {
    if (requests.length === 0 || requests.length < awaited) return;
    const batch = requests;
    requests = [];
    void settle(A, batch);
  };
  const { matmat: _, ...single } = A;
  const operator: LinearOperator = {
    ...single,
    matvec: (x, run = {}) =>
      new Promise((resolve, reject) => {
        requests.push({ x, run, resolve, reject });
        flush();
      }),
  };
  /** Runs the steps at the same time; whenever all that have not ended wait for a product, theirs are made. */
  const round = <T>(runs: readonly { next(): Promise<T> }[]): Promise<PromiseSettledResult<T>[]> => {
    awaited = runs.length;
    const ended = () => {
      awaited--;
      flush();
    };
    return Promise.allSettled(runs.map((run) => run.next().finally(ended)));
  };
  return { operator, round };
}

/** A product that a run waits for. */
interface Request {
  readonly x: Vector;
  readonly run: RunOptions;
  readonly resolve: (y: Vector) => void;
  readonly reject: (reason: unknown) => void;
}

async function settle(A: LinearOperator, batch: readonly Request[]): Promise<void> {
  try {
    const vectors = batch.map(({ x }) => x);
    const columns = await together(A, vectors, batch[0].run);
    for (const [i, { resolve }] of batch.entries()) resolve(columns[i]);
  } catch (reason) {
    for (const { reject } of batch) reject(reason);
  }
}

async function together(A: LinearOperator, vectors: readonly Vector[], run: RunOptions): Promise<readonly Vector[]> {
  if (vectors.length === 1) return [await callMatvec(A, vectors[0], { name: NAME, options: run })];
  const rows = A.shape[1];
  const data = zeros(rows * vectors.length, precision(A));
  vectors.forEach((x, k) => {
    data.set(x, k * rows);
  });
  const Y = await callMatmat(A, { rows, columns: vectors.length, data }, { name: NAME, options: run });
  return vectors.map((_, k) => column(Y, k).slice());
}

/** The failure of one column, with the states of all. */
function withState(reason: unknown, state: CgColumnsState): unknown {
  if (!(reason instanceof CurvatureError)) return reason;
  return new CurvatureError(reason.code, reason.message, { cause: reason.cause, state });
}

/** The worst ending of a column is that of all. */
const SEVERITY: readonly Status[] = [
  "converged",
  "budget",
  "stagnated",
  "breakdown",
  "indefinite",
  "nonfinite",
  "aborted",
];

function joined(A: LinearOperator, results: readonly CgResult[]): CgColumnsResult {
  const rows = A.shape[1];
  const data = zeros(rows * results.length, precision(A));
  results.forEach(({ x }, k) => {
    data.set(toPrecision(x, precision(A)), k * rows);
  });
  const worst = results.reduce((so, next) => (SEVERITY.indexOf(next.status) > SEVERITY.indexOf(so.status) ? next : so));
  const good = results.filter(({ status }) => status === "converged").length;
  const counts = `${good} of ${results.length} right-hand sides are solved`;
  const happened = good === results.length ? counts : `${counts}; of another: ${worst.message}`;
  const matvecs = results.reduce((so, result) => so + result.matvecs, 0);
  return {
    x: { rows, columns: results.length, data },
    residualNorms: Float64Array.from(results, ({ residualNorm }) => residualNorm),
    results,
    ...outcome(worst.status, { happened, matvecs, advice: "" }),
  };
}
