import { type Data, rebatch } from "../data/index.ts";
import { CurvatureError } from "../errors/index.ts";
import { constant } from "../graph/index.ts";
import type { RunOptions } from "../linalg/index.ts";
import type { BatchProduct, Risk, Tensors } from "../operators/index.ts";
import { zeros } from "../primitives/index.ts";
import type { Matrix, Tensor, TensorData } from "../tensors/index.ts";
import { identityColumns, selected } from "./passes/selectors.ts";
import { termPasses } from "./passes/termPasses.ts";
import { batchPieces } from "./plan/batchPieces.ts";
import { layerPlan } from "./plan/layerPlan.ts";
import type { OutputRoot } from "./roots/outputRoot.ts";
import { withTargets } from "./withTargets.ts";

/** Outputs, targets and Jacobians of the terms of some rows. */
export interface JacobianBatch {
  /** Index of the first row. */
  readonly start: number;
  readonly rows: number;
  /** Outputs of the terms, [T, C], row-major. */
  readonly f: Float64Array;
  /** Targets as the loss reads them. */
  readonly y: Tensor;
  /** Weights of the terms, [T]; undefined if all are one. */
  readonly weights: TensorData | undefined;
  /** Column t C + c is the gradient of output c of term t, [size, T C]. */
  readonly J: Matrix;
}

/** The root that leaves columns as they are: its pieces are rows of the Jacobian. */
const identityRoot: OutputRoot = {
  columns: ({ f }) => f.shape[1],
  apply: (_, u) => u,
};

/** Most bytes of the Jacobians that are in memory at once, and of those of one row. */
const CHUNK_BYTES = 2 ** 26;
const ROW_BYTES = 2 ** 31;

/** Entries of a Jacobian with respect to some of the weights. */
export interface JacobianOptions extends RunOptions {
  /** Indices of the weights; all if absent. */
  readonly indices?: Int32Array | undefined;
  /** In place of the outputs' unit vectors: the columns of this root. */
  readonly root?: OutputRoot | undefined;
}

/**
 * Jacobians of the outputs of rows with respect to the weights of a risk, some rows at a time: one forward and C reverse passes for each, by the pieces
 * of the layers, or row by row where a weight enters outside of layers.
 *
 * @throws CurvatureError "argument" where those of one row do not fit into memory
 */
export async function* rowJacobians(
  risk: Risk,
  data: Data,
  { indices, root = identityRoot, ...options }: JacobianOptions = {},
): AsyncGenerator<JacobianBatch> {
  const plan = await layerPlan(risk);
  const columns = root.columns(await risk.engine.graph());
  const passes = termPasses(risk, { columns, terms: "exact", seed: undefined });
  const rowBytes = 8 * risk.size * passes.count;
  checkRowBytes(risk, { rowBytes, columns: passes.count });
  const isAlone = plan.parameters.some(({ form }) => form === "outside");
  const atOnce = isAlone ? 1 : Math.max(2, Math.min(data.rows, Math.floor(CHUNK_BYTES / rowBytes)));
  const own = await risk.on(rebatch(withTargets(data, risk), Math.min(atOnce, data.rows)));
  try {
    await root.constants?.numbers.prepare(options);
    const constants = {
      of: (batch: { index: number; start: number; rows: number }) => root.constants?.numbers.of(batch) ?? {},
    };
    const product = jacobianProduct(risk, { root, columns });
    for await (const { batch, outputs } of own.engine.batches(product, { options, constants })) {
      const { f, y, weights } = outputs;
      const J = assembled(outputs, { risk, columns: passes.count, rows: batch.rows, indices });
      const { start, rows } = batch;
      yield { start, rows, f: Float64Array.from(f.data as Float64Array), y, weights: weights?.data, J };
    }
  } finally {
    await own.dispose();
  }
}

function checkRowBytes(
  { size, layout }: Risk,
  { rowBytes, columns }: { readonly rowBytes: number; readonly columns: number },
): void {
  if (rowBytes <= ROW_BYTES) return;
  throw new CurvatureError(
    "argument",
    `the Jacobian of one row has ${columns} outputs (${layout.positions} terms) times ${size} weights, ${(rowBytes / 1e9).toFixed(1)} GB; take fewer weights, such as weights: "lastLayer" or a subnetwork`,
  );
}

/** Products of a family by root, so that programs are compiled once for all views of a risk. */
const products = new WeakMap<object, WeakMap<OutputRoot, BatchProduct>>();

function jacobianProduct(
  risk: Risk,
  { root, columns }: { readonly root: OutputRoot; readonly columns: number },
): BatchProduct {
  const known = products.get(risk.engine.family) ?? new WeakMap<OutputRoot, BatchProduct>();
  products.set(risk.engine.family, known);
  const product = known.get(root) ?? made(risk, { root, columns });
  known.set(root, product);
  return product;
}

function made(risk: Risk, { root, columns }: { readonly root: OutputRoot; readonly columns: number }): BatchProduct {
  const passes = termPasses(risk, { columns, terms: "exact", seed: undefined });
  const all = passes.selection(0, passes.count);
  return {
    build(batch) {
      const constants = root.constants?.of(batch) ?? {};
      const u =
        passes.positions === 1
          ? identityColumns(batch.f.shape[0], columns)
          : selected(
              { columns: constant(all.columns), positions: constant(all.positions), signs: undefined },
              batch.rows,
            );
      const pieces = batchPieces({ batch, root, constants, passes: u });
      const parts = risk.parameters.map(({ size }, index) => [
        `J ${index}`,
        pieces.parameter(index) ?? zeros([passes.count, batch.rows, size]),
      ]);
      const { f, y, weights } = batch;
      return { constants, outputs: { f, y, ...(weights !== undefined && { weights }), ...Object.fromEntries(parts) } };
    },
  };
}

/** The pieces [K, rows, size] of all parameters as columns, the passes of a row one after the other. */
function assembled(
  outputs: Tensors,
  {
    risk,
    columns,
    rows,
    indices,
  }: { readonly risk: Risk; readonly columns: number; readonly rows: number; readonly indices: Int32Array | undefined },
): Matrix {
  const { size, parameters } = risk;
  const whole = new Float64Array(size * columns * rows);
  parameters.forEach(({ offset, size: own }, index) => {
    const data = outputs[`J ${index}`].data as Float64Array;
    for (let k = 0; k < columns; k++) {
      for (let row = 0; row < rows; row++) {
        const from = (k * rows + row) * own;
        whole.set(data.subarray(from, from + own), (row * columns + k) * size + offset);
      }
    }
  });
  if (indices === undefined) return { rows: size, columns: rows * columns, data: whole };
  const length = indices.length;
  const picked = new Float64Array(length * columns * rows);
  for (let k = 0; k < columns * rows; k++) {
    for (let i = 0; i < length; i++) picked[k * length + i] = whole[k * size + indices[i]];
  }
  return { rows: length, columns: rows * columns, data: picked };
}
