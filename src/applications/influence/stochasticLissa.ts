import { CurvatureError } from "../../errors/index.ts";
import { type LinearOperator, matmat, type RunOptions } from "../../linalg/index.ts";
import { checkCount, checkPositive, checkSeed } from "../../linalg/operator/checks.ts";
import { norm } from "../../linalg/vectors/vector.ts";
import { ggn } from "../../operators/index.ts";
import { stream } from "../../random/index.ts";
import { column, type Matrix } from "../../tensors/index.ts";
import { chosenRows, collectedRows, type Rows } from "../chosenRows.ts";
import { scaleOf } from "./lissa.ts";
import type { LissaSolver, MethodSetup, Solve } from "./solverOptions.ts";

/** Times the right-hand side over the scale above which a series counts as divergent; with damping d its sum stays below s / d of it in expectation. */
const EXPLODED = 1e8;

/** Times the scale's own eigenvalue that a batch's largest one is allowed for. */
const BATCH_FACTOR = 4;

/**
 * LiSSA on random batches of rows (Agarwal, Bullins and Hazan, 2017, algorithm 1): `h <- b + h - (A_j + damping I) h / s` with A_j the matrix on the j-th batch, drawn
 * without replacement, and `x = h / s`. Since batches are independent, the expectation of x is the series that `lissa` sums, cut after as many terms; it converges to
 * `(A + damping I)^-1 b`. The mean over `repeats` series is the solution, their spread its standard error. A term costs a product with `batchRows` rows for each column.
 *
 * The training rows are held in memory.
 */
export function stochasticLissa(
  A: LinearOperator,
  setup: MethodSetup & LissaSolver & { readonly batchRows: number },
): Solve {
  const { name, terms = 1000, repeats = 4, scale, seed, batchRows, rows, count } = setup;
  for (const [option, value] of Object.entries({ terms, repeats, batchRows })) checkCount(name, option, value);
  checkSeed(name, seed);
  if (scale !== undefined) checkPositive(name, "scale", scale);
  if (batchRows > rows.risk.rows || rows.risk.summedRows !== rows.risk.rows) {
    throw new CurvatureError(
      "argument",
      `${name} expects batchRows up to the ${rows.risk.rows} rows of one process, got ${batchRows} of ${rows.risk.summedRows}`,
    );
  }
  let found = scale;
  let collected: Promise<readonly Rows[]> | undefined;
  return async (B, options) => {
    found ??= BATCH_FACTOR * (await scaleOf(A, { ...setup, seed: seed!, options }));
    collected ??= collectedRows(rows.risk.data);
    const solutions: Matrix[] = [];
    for (let repeat = 0; repeat < repeats; repeat++) {
      const own = { ...setup, terms, seed: seed!, scale: found, all: await collected, repeat, options };
      solutions.push(await series(B, own));
      count((terms * batchRows * B.columns) / rows.risk.rows);
      options.onProgress?.({ stage: "lissa", done: repeat + 1, total: repeats });
    }
    const { x, error } = meanOf(solutions);
    const known = repeats < 2 ? "unknown from one series" : error.toPrecision(2);
    return {
      x,
      status: "converged",
      happened: `${repeats} series of ${terms} batches of ${batchRows} rows at scale ${found.toPrecision(3)}, relative standard error ${known}`,
    };
  };
}

interface Series extends MethodSetup, Pick<LissaSolver, "batchMatrix"> {
  readonly batchRows: number;
  readonly terms: number;
  readonly seed: number;
  readonly scale: number;
  readonly all: readonly Rows[];
  readonly repeat: number;
  readonly options: RunOptions;
}

async function series(B: Matrix, setup: Series): Promise<Matrix> {
  const { name, damping, rows, batchMatrix = ggn, batchRows, terms, seed, scale, all, repeat, options } = setup;
  const { risk } = rows;
  const limit = EXPLODED * norm(Float64Array.from(B.data));
  let h = Float64Array.from(B.data);
  for (let term = 0; term < terms; term++) {
    const chosen = drawn(risk.rows, { count: batchRows, random: stream(seed, "lissa", repeat * terms + term) });
    const batch = await risk.on(chosenRows(all, { chosen, data: risk.data, what: "batch" }));
    try {
      const product = await matmat(rows.matrix(batch, batchMatrix), { ...B, data: h }, { signal: options.signal });
      h = h.map((entry, i) => B.data[i]! + entry - (product.data[i]! + damping * entry) / scale);
    } finally {
      await batch.dispose();
    }
    if (!(norm(h) <= limit)) {
      throw new CurvatureError(
        "numeric",
        `${name}: LiSSA on batches of ${batchRows} rows diverges at term ${term + 1} with scale ${scale.toPrecision(3)}: batches have eigenvalues above twice the scale; raise scale or batchRows`,
      );
    }
  }
  return { ...B, data: h.map((entry) => entry / scale) };
}

/** Different rows in rising order: the first places of a shuffle. */
function drawn(
  rows: number,
  { count, random }: { readonly count: number; readonly random: ReturnType<typeof stream> },
): readonly number[] {
  const order = Array.from({ length: rows }, (_, row) => row);
  for (let i = 0; i < count; i++) {
    const j = i + random.integer(rows - i);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order.slice(0, count).sort((a, b) => a - b);
}

/** The mean of some solutions, and the largest standard error of a column over its norm. */
function meanOf(solutions: readonly Matrix[]): { readonly x: Matrix; readonly error: number } {
  const [first] = solutions;
  const count = solutions.length;
  const data = Float64Array.from(
    first!.data,
    (_, i) => solutions.reduce((sum, { data: own }) => sum + own[i]!, 0) / count,
  );
  const x = { ...first!, data };
  if (count < 2) return { x, error: Number.NaN };
  const errors = Array.from({ length: x.columns }, (_, k) => {
    const mean = column(x, k);
    const squares = solutions.reduce(
      (sum, own) => sum + norm(Float64Array.from(mean, (entry, i) => column(own, k)[i]! - entry)) ** 2,
      0,
    );
    return Math.sqrt(squares / (count * (count - 1))) / (norm(mean) || 1);
  });
  return { x, error: Math.max(...errors) };
}
