import { rebatch } from "../../data/index.ts";
import { CurvatureError } from "../../errors/index.ts";
import { constant, type Value } from "../../graph/index.ts";
import type { RunOptions } from "../../linalg/operator/operator.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import type { BatchProduct, EvaluatedBatch, Risk, Tensors } from "../../operators/engine/risk.ts";
import { checkRisk } from "../../operators/products/checkRisk.ts";
import { reduceSum, reshape, square, zeros } from "../../primitives/index.ts";
import type { Matrix, Vector } from "../../tensors/index.ts";
import { identityColumns, selected } from "../passes/selectors.ts";
import { termPasses } from "../passes/termPasses.ts";
import { type BatchPieces, batchPieces } from "../plan/batchPieces.ts";
import { layerPlan } from "../plan/layerPlan.ts";
import { type ApproximatedMatrix, rootOf } from "../roots/rootOf.ts";
import { checkRowsApart } from "./rowGradientNorms.ts";

/** Options of diagonals of single rows. */
export interface RowDiagonalOptions extends RunOptions {
  /** The matrix; default "ggn". */
  readonly of?: ApproximatedMatrix | undefined;
}

/** The diagonals of single rows' matrices. */
export interface RowDiagonals {
  /** Index of the first row. */
  readonly start: number;
  /** [size, rows], column n the diagonal of G_n for row `start + n`. */
  readonly diagonals: Matrix;
  /** The trace of G_n by parameter, [rows] each, in the order of `Risk.parameters`. */
  readonly traces: readonly { readonly parameter: string; readonly values: Float64Array }[];
}

/** Most numbers of the pieces of a batch. */
const MOST_ENTRIES = 2 ** 24;

/**
 * The exact diagonal of each row's own Gauss-Newton or Fisher matrix, `G_n = sum_t w_t J_t' M_t J_t` over the terms of row n without the factor c, so that c times
 * their sum is that of the risk; with the traces by parameter. Some rows at a time, as many as fit; a row takes C reverse passes for each of its terms,
 * and C size numbers.
 *
 * @throws as `diagonal`
 */
export async function* rowDiagonals(
  risk: Risk,
  options: RowDiagonalOptions = {},
): AsyncGenerator<RowDiagonals, void, void> {
  checkRisk(risk, "rowDiagonals");
  checkOptions("rowDiagonals", options, "of signal onProgress");
  checkRowsApart(risk, "rowDiagonals");
  const { of = "ggn", ...run } = options;
  const columns = rootOf(risk, of).columns(await risk.engine.graph());
  const count = columns * risk.layout.positions;
  const isAlone = (await layerPlan(risk)).parameters.some(({ form }) => form === "outside");
  const fitting = Math.max(1, Math.floor(MOST_ENTRIES / (risk.size * count)));
  const rows = isAlone ? 1 : Math.min(risk.data.batchSize, fitting);
  checkSize(risk, count);
  const own = await risk.on(rebatch(risk.data, rows), { shard: risk.shard });
  try {
    // Numbers of a root belong to the batches of its risk.
    const root = rootOf(own, of);
    await root.constants?.numbers.prepare(run);
    const constants = { of: (batch: EvaluatedBatch) => root.constants?.numbers.of(batch) ?? {} };
    const product = diagonalsProduct(own, { root, columns });
    for await (const { batch, outputs } of own.engine.batches(product, { constants, options: run })) {
      yield assembled(own, { start: batch.start, rows: batch.rows, outputs });
    }
  } finally {
    await own.dispose();
  }
}

function checkSize({ size }: Risk, count: number): void {
  if (size * count <= 2 ** 28) return;
  throw new CurvatureError(
    "argument",
    `rowDiagonals: the pieces of one row have ${count} columns of ${size} weights, more than 2^28 numbers; take fewer parameters, or one sampled label with of: { type: 1, labels: 1, seed }`,
  );
}

function diagonalsProduct(
  risk: Risk,
  { root, columns }: { readonly root: ReturnType<typeof rootOf>; readonly columns: number },
): BatchProduct {
  const passes = termPasses(risk, { columns, terms: "exact", seed: undefined });
  const all = passes.selection(0, passes.count);
  return {
    build(batch) {
      const constants = root.constants?.of(batch) ?? {};
      const chosen = { columns: constant(all.columns), positions: constant(all.positions), signs: undefined };
      const u = passes.positions === 1 ? identityColumns(batch.f.shape[0], columns) : selected(chosen, batch.rows);
      const pieces = batchPieces({ batch, root, constants, passes: u });
      const parts = risk.parameters.map(({ size }, index) => [`${index}`, squares(pieces, { index, size })]);
      return { constants, outputs: Object.fromEntries(parts) as { [name: string]: Value } };
    },
  };
}

/** [rows, size] */
function squares(pieces: BatchPieces, { index, size }: { readonly index: number; readonly size: number }): Value {
  const P = pieces.parameter(index);
  const { rows } = pieces.layered;
  return P === undefined ? zeros([rows, size]) : reshape(reduceSum(square(P), [0]), [rows, size]);
}

function assembled(
  { size, parameters }: Risk,
  { start, rows, outputs }: { readonly start: number; readonly rows: number; readonly outputs: Tensors },
): RowDiagonals {
  const data = new Float64Array(size * rows);
  const traces = parameters.map(({ name, offset, size: own }, index) => {
    const values = outputs[`${index}`].data as Vector;
    const sums = new Float64Array(rows);
    for (let row = 0; row < rows; row++) {
      for (let i = 0; i < own; i++) {
        data[row * size + offset + i] = values[row * own + i];
        sums[row] += values[row * own + i];
      }
    }
    return { parameter: name, values: sums };
  });
  return { start, diagonals: { rows: size, columns: rows, data }, traces };
}
