import { CurvatureError } from "../../errors/index.ts";
import type { Model } from "../../models/index.ts";
import { formatDims, type Precision, type Vector } from "../../tensors/index.ts";
import type { BatchShape, FedBatchGraph } from "../engine/batchGraph.ts";
import { forwardProgram } from "../engine/forwardProgram.ts";
import { joinRows, pickRows, rowsEqual } from "../engine/pickRows.ts";
import type { Tensors } from "../engine/risk.ts";
import type { BoundData } from "../engine/riskData.ts";
import type { SharedEngine } from "../engine/riskEngine.ts";
import type { RiskFamily } from "../engine/riskFamily.ts";
import { couplingNode } from "./couplingNode.ts";
import { firstDifference, type RowDifference } from "./rowDifference.ts";

/** Rows of the second batch, if the file allows any number of rows. */
const FEW_ROWS = 4;

/**
 * Rejects a model whose rows influence one another (statistics or means over the batch, time on the axis of rows, a graph whose nodes are
 * the rows): its loss would not be a sum over rows, and results would depend on the batch size. Some rows of the first batch are computed a
 * second time, with fewer other rows and in another order. The second batch has the same size. If the model may compute with the number of
 * rows, it has the size of the data's last batch or a few rows instead. An output counts as different if it
 * differs by more than `tolerances` in the precision of the risk and also in float64, since float32 noise can be large in deep networks.
 *
 * A coupling that changes the outputs of these rows by no more than rounding is not detected. Costs two forward passes over one batch, and
 * a graph for a few rows if one is needed.
 *
 * The check runs once for all risks of a family, on the first data set that has two different rows.
 *
 * @throws CurvatureError "model", naming row, outputs and the first node that couples rows
 */
export async function checkRowCoupling(family: RiskFamily, bound: BoundData): Promise<void> {
  if (family.coupledRows || family.model.fixedRows === 1 || compared.has(family.engine)) return;
  const sample = await sampleOf(bound);
  if (sample === undefined) return;
  const difference = await differenceIn(family, { bound, sample });
  if (difference === undefined) {
    compared.add(family.engine);
    return;
  }
  const node = await couplingNode(family, sample.pool);
  throw refusal(family, { difference, sample, node });
}

/** Engines whose models have passed. */
const compared = new WeakSet<SharedEngine>();

/** Rows to compare. */
interface Sample {
  /** Inputs of these rows. */
  readonly pool: Tensors;
  readonly poolRows: number;
  /** The first rows of the pool, which are a batch of the data set. */
  readonly shape: BatchShape;
  /** Index in the data set of the first row. */
  readonly start: number;
}

/** The first batch in which two rows differ. For batches of one row, the first two batches that differ. */
async function sampleOf({ data, bind }: BoundData): Promise<Sample | undefined> {
  let single: { readonly inputs: Tensors; readonly shape: BatchShape; readonly start: number } | undefined;
  for await (const batch of data.batches()) {
    const { inputs, shape } = bind(batch);
    if (shape.rows > 1) {
      const differs = Array.from({ length: shape.rows - 1 }, (_, i) => i + 1).some((i) => !rowsEqual(inputs, 0, i));
      if (differs) return { pool: inputs, poolRows: shape.rows, shape, start: batch.start };
    } else if (single === undefined) {
      single = { inputs, shape, start: batch.start };
    } else {
      const pool = twoRows(single.inputs, inputs);
      if (pool !== undefined && !rowsEqual(pool, 0, 1)) return { ...single, pool, poolRows: 2 };
    }
  }
  return undefined;
}

/** Two batches of one row as one batch; undefined where rows have different shapes. */
function twoRows(first: Tensors, second: Tensors): Tensors | undefined {
  const names = Object.keys(first);
  const differ = names.some((name) => formatDims(first[name].dims) !== formatDims(second[name].dims));
  return differ ? undefined : joinRows(first, second);
}

async function differenceIn(
  family: RiskFamily,
  { bound, sample }: { readonly bound: BoundData; readonly sample: Sample },
): Promise<RowDifference | undefined> {
  const graph = await family.engine.graph(sample.shape);
  const { rows } = sample.shape;
  for (const size of sizesToCompare(family, { bound, graph })) {
    const order = orderOf(rows, size);
    try {
      const other = size === rows ? graph : await family.engine.graph(resized(sample.shape, size));
      return await compare(family, { sample, graph, other, order });
    } catch (error) {
      // A file may declare any number of rows and still accept only one; that number is then compared with itself.
      if (!(error instanceof CurvatureError) || size === rows || error.code === "aborted") throw error;
    }
  }
  return undefined;
}

/**
 * Candidates for the number of rows of the second batch, tried in order until a graph can be built. The same number needs no second program.
 * A model that may compute with the number of rows gets another one: that of the last batch, whose graph is needed anyway, or a few rows. A
 * batch of one row needs a second row.
 */
function sizesToCompare(
  { model }: RiskFamily,
  { bound, graph }: { readonly bound: BoundData; readonly graph: FedBatchGraph },
): readonly number[] {
  const { rows, countsSizes } = graph;
  if (model.fixedRows !== undefined || (!countsSizes && rows > 1)) return [rows];
  const rest = bound.data.rows > bound.data.batchSize ? bound.data.rows % bound.data.batchSize : 0;
  return [rest || otherSize(rows), rows];
}

/** A small number of rows that differs from the batch's. */
function otherSize(rows: number): number {
  if (rows > FEW_ROWS) return FEW_ROWS;
  return rows === 1 ? 2 : rows === 2 ? 3 : rows - 1;
}

function resized(shape: BatchShape, rows: number): BatchShape {
  const at = (dims: readonly number[]) => [rows, ...dims.slice(1)];
  const inputs = Object.fromEntries(Object.entries(shape.inputs).map(([name, dims]) => [name, at(dims)]));
  return { ...shape, rows, inputs, targets: { ...shape.targets, dims: at(shape.targets.dims) } };
}

/**
 * Indices in the pool of the rows of the second batch. The last row comes first and most often, and up to half of the others appear once.
 * This changes the number of rows before a row, behind it and in total.
 */
function orderOf(rows: number, size: number): readonly number[] {
  if (rows === 1) return Array.from({ length: size }, (_, i) => (i + 1) % 2);
  if (size === 1) return [rows >> 1];
  const count = Math.min(FEW_ROWS, rows >> 1);
  const chosen = Array.from({ length: count }, (_, i) => rows - 1 - Math.floor((i * (rows - 1)) / count));
  return Array.from({ length: size }, (_, i) => chosen[i % 2 === 0 ? 0 : (i + 1) / 2] ?? chosen[0]);
}

interface Comparison {
  readonly sample: Sample;
  /** The original batch. */
  readonly graph: FedBatchGraph;
  /** The second batch, with the rows `order`. */
  readonly other: FedBatchGraph;
  readonly order: readonly number[];
}

async function compare(family: RiskFamily, comparison: Comparison): Promise<RowDifference | undefined> {
  const found = await compareIn(family.dtype, family, comparison);
  if (found === undefined || family.dtype === "float64") return found;
  return compareIn("float64", family, comparison);
}

/** The largest difference beyond rounding. */
async function compareIn(
  precision: Precision,
  { model }: RiskFamily,
  { sample, graph, other, order }: Comparison,
): Promise<RowDifference | undefined> {
  const { rows } = sample.shape;
  const base = Array.from({ length: rows }, (_, i) => i);
  const inputs = rows === sample.poolRows ? sample.pool : pickRows(sample.pool, base);
  const others = pickRows(sample.pool, order);
  const settings = { model, precision };
  if (graph === other) {
    const [whole, part] = await outputsOf(graph, [inputs, others], settings);
    return firstDifference({ whole, part, rows, order, precision });
  }
  const [whole] = await outputsOf(graph, [inputs], settings);
  const [part] = await outputsOf(other, [others], settings);
  return firstDifference({ whole, part, rows, order, precision });
}

/** The outputs for some batches of one shape. */
async function outputsOf(
  graph: FedBatchGraph,
  batches: readonly Tensors[],
  settings: { readonly precision: Precision; readonly model: Model },
): Promise<readonly Vector[]> {
  const program = await forwardProgram([graph.output], { graph, ...settings });
  try {
    const outputs: Vector[] = [];
    for (const inputs of batches) outputs.push((await program.run(inputs))[0].data as Vector);
    return outputs;
  } finally {
    await program.release();
  }
}

function refusal(
  { model, outputs }: RiskFamily,
  found: { readonly difference: RowDifference; readonly sample: Sample; readonly node: string | undefined },
): CurvatureError {
  const { difference, sample, node } = found;
  const { row, entry, whole, part, partRows } = difference;
  const names = outputs.map((name) => `"${name}"`).join(" and ");
  const { rows } = sample.shape;
  const among = partRows === rows ? "among other rows" : `in a batch of ${partRows}`;
  const where = node === undefined ? "" : `, first at ${node}`;
  const fixed = model.fixedRows === undefined ? "" : ` of the ${model.fixedRows} that the file computes at once`;
  return new CurvatureError(
    "model",
    `${model.name}: rows of a batch${fixed} influence one another${where}: number ${entry} of output ${names} of row ${sample.start + row} is ${shown(whole)} in a batch of ${rows} and ${shown(part)} ${among}, so the loss is not a sum over rows and results would depend on the batch size. Export the model in evaluation mode, with stored statistics; if its rows lie on another axis (time first), export it with the rows first; or pass coupledRows: true (--coupled-rows) to take ${model.fixedRows === undefined ? "the whole data set as one batch" : "each group of rows as one"}, whose loss is a function of all its rows`,
  );
}

function shown(value: number): string {
  return String(Number(value.toPrecision(6)));
}
