import { isFiniteVector } from "../../linalg/vectors/vector.ts";
import type { Vector } from "../../tensors/index.ts";
import { pickRows } from "../engine/pickRows.ts";
import type { BatchProduct, Tensors } from "../engine/risk.ts";
import type { BoundBatch, BoundData } from "../engine/riskData.ts";
import type { ViewSettings } from "../engine/riskEngine.ts";
import type { RiskFamily } from "../engine/riskFamily.ts";

/** An objective with a product that is not finite. */
export interface NonFiniteSource extends ViewSettings {
  readonly family: RiskFamily;
}

/** The product to examine. */
export interface NonFiniteCall {
  /** Its name in the message. */
  readonly what: string;
  readonly product: BatchProduct;
  /** Whether it returns a flat vector instead of outputs by name. */
  readonly flat: boolean;
  /** Its vectors, the same for all batches. */
  readonly vectors?: Tensors;
}

/** Consecutive rows for which a product is not finite, as few as can be computed separately. */
export interface BadRows {
  readonly first: number;
  readonly count: number;
  readonly bound: BoundData;
}

/** Finds the first rows for which a product is not finite. Undefined if it is finite for each batch. */
export async function badRows(source: NonFiniteSource, call: NonFiniteCall): Promise<BadRows | undefined> {
  const { bound, family } = source;
  for await (const { start, rows, ...batch } of bound.data.batches()) {
    const whole = bound.bind({ start, rows, ...batch });
    const all = rowsAlone(bound, { batch: whole, start });
    if (await isFinite(source, all, call)) continue;
    const group = family.model.fixedRows ?? (family.coupledRows ? rows : 1);
    for (let first = 0; first < rows && group < rows; first += group) {
      const indices = Array.from({ length: group }, (_, i) => first + i);
      const some = rowsAlone(bound, { batch: picked(whole, indices), start: start + first });
      if (await isFinite(source, some, call)) continue;
      return { first: start + first, count: group, bound: some };
    }
    return { first: start, count: rows, bound: all };
  }
  return undefined;
}

/** One batch as a data set. */
function rowsAlone(
  { data, integerTargets }: BoundData,
  { batch, start }: { readonly batch: BoundBatch; readonly start: number },
): BoundData {
  const { rows } = batch.shape;
  return {
    data: {
      ...data,
      rows,
      batchSize: rows,
      async *batches() {
        yield { start, rows, inputs: batch.inputs };
      },
    },
    integerTargets,
    bind: () => batch,
  };
}

function picked({ shape, inputs, targets, weights }: BoundBatch, indices: readonly number[]): BoundBatch {
  const rows = indices.length;
  const at = (dims: readonly number[]) => [rows, ...dims.slice(1)];
  const some = pickRows({ targets, ...(weights && { weights }) }, indices);
  return {
    shape: {
      ...shape,
      rows,
      inputs: Object.fromEntries(Object.entries(shape.inputs).map(([name, dims]) => [name, at(dims)])),
      targets: { ...shape.targets, dims: at(shape.targets.dims) },
    },
    inputs: pickRows(inputs, indices),
    targets: some.targets,
    weights: weights && some.weights,
  };
}

/** Whether a product of some rows is finite; true if these rows cannot be computed separately. */
async function isFinite(source: NonFiniteSource, bound: BoundData, { product, flat, vectors }: NonFiniteCall) {
  const view = source.family.engine.view({ ...source, bound });
  const pass = vectors === undefined ? {} : { feed: () => vectors };
  try {
    if (flat) return isFiniteVector(await view.sum(product, pass));
    return Object.values(await view.total(product, pass)).every(({ data }) => isFiniteVector(data as Vector));
  } catch {
    return true;
  } finally {
    await view.release();
  }
}
