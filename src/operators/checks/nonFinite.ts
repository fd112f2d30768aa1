import { CurvatureError } from "../../errors/index.ts";
import type { Vector } from "../../tensors/index.ts";
import { vectorFeeds } from "../engine/flatVectors.ts";
import { allColumns } from "../engine/productPrograms.ts";
import type { BatchProduct, PassOptions, Tensors } from "../engine/risk.ts";
import { gradientProduct, lossProduct } from "../products/lossAndGradient.ts";
import { nonFiniteOrigin } from "./nonFiniteOrigin.ts";
import { reasonOf } from "./nonFiniteReason.ts";
import { badRows, type NonFiniteCall, type NonFiniteSource } from "./nonFiniteRows.ts";

/** A product that is not finite. */
export interface FailedProduct {
  readonly product: BatchProduct;
  /** Whether it returns a flat vector instead of outputs by name. */
  readonly flat: boolean;
  readonly call: PassOptions;
  /** Index of the column that is not finite, if several columns were computed at once. */
  readonly column?: number;
}

/**
 * Explains why a product is not finite: an error that names the rows, the node of the file and the cause. It examines first the loss, then
 * the gradient, then the product itself. Undefined if the product's own vectors are the cause, because they are not finite or so large that
 * the product overflows; also undefined if the product has constants that belong to whole batches.
 *
 * Costs nothing until a number is not finite. Then each of the three takes up to one pass for the batch and one for its rows, and one
 * evaluation of all intermediate values of a row follows.
 *
 */
export async function nonFiniteError(
  source: NonFiniteSource,
  { product, flat, call, column = 0 }: FailedProduct,
): Promise<CurvatureError | undefined> {
  const loss: NonFiniteCall = { what: "the loss", product: lossProduct, flat: false };
  const gradient: NonFiniteCall = { what: "the gradient", product: gradientProduct, flat: true };
  for (const each of product === lossProduct ? [loss] : [loss, gradient]) {
    const error = await explained(source, each);
    if (error !== undefined) return error;
  }
  if (product === lossProduct || product === gradientProduct) return overflow(source, product);
  const vectors = await moderateVectors(source, call, column);
  return vectors && explained(source, { what: "a product", product, flat, vectors });
}

async function explained(source: NonFiniteSource, call: NonFiniteCall): Promise<CurvatureError | undefined> {
  const rows = await badRows(source, call);
  if (rows === undefined) return undefined;
  const { model, dtype } = source.family;
  const origin = await nonFiniteOrigin(source, { bound: rows.bound, call });
  const last = rows.first + rows.count - 1;
  const where = rows.count === 1 ? `row ${rows.first}` : `rows ${rows.first} to ${last}`;
  const reason = origin === undefined ? "" : `: ${reasonOf(origin, dtype)}`;
  return new CurvatureError("numeric", `${model.name}: ${call.what} is not finite for ${where}${reason}`);
}

/** The error for batches whose contributions are finite while their sum is not. */
function overflow({ family }: NonFiniteSource, product: BatchProduct): CurvatureError {
  const what = product === lossProduct ? "the loss" : "the gradient";
  const remedy = family.dtype === "float32" ? 'use dtype: "float64" (--dtype float64)' : "scale the loss down";
  return new CurvatureError(
    "numeric",
    `${family.model.name}: ${what} is finite for each batch, but the sum over batches overflows ${family.dtype}; ${remedy}`,
  );
}

/** The vectors of a call, scaled to at most 1; undefined if they are not finite, or if the call has constants of its batches. */
async function moderateVectors(
  { family }: NonFiniteSource,
  { feed, constants }: PassOptions,
  column: number,
): Promise<Tensors | undefined> {
  if (feed === undefined || constants !== undefined) return undefined;
  const given = await feed({ index: 0, start: 0, rows: 1 });
  const size = family.engine.theta.length;
  const all = Object.hasOwn(given, allColumns) ? (given[allColumns].data as Vector) : undefined;
  const single = all ? vectorFeeds(all.subarray(column * size, (column + 1) * size), family.parameters) : given;
  const largest = Object.values(single).reduce((most, { data }) => Math.max(most, magnitude(data as Vector)), 0);
  if (!(largest > 0 && largest < Number.POSITIVE_INFINITY)) return undefined;
  const scaled = Object.entries(single).map(([name, tensor]) => {
    return [name, { ...tensor, data: (tensor.data as Float64Array).map((value) => value / largest) }] as const;
  });
  return Object.fromEntries(scaled);
}

/** Largest magnitude; NaN if one entry is NaN. */
function magnitude(vector: Vector): number {
  let most = 0;
  for (const value of vector) if (!(Math.abs(value) <= most)) most = Math.abs(value);
  return most;
}
