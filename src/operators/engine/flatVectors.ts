import { unwrittenVector } from "#runtime";
import { CurvatureError } from "../../errors/index.ts";
import { addCompensated } from "../../linalg/vectors/vector.ts";
import {
  type Matrix,
  type Precision,
  sizeOf,
  type Tensor,
  toPrecision,
  type Vector,
  zeros,
} from "../../tensors/index.ts";
import type { RiskParameter } from "./risk.ts";

/** Place of a value's entries in a flat vector. */
export interface FlatRange {
  readonly offset: number;
  readonly size: number;
}

/** The ranges of values of these shapes in their concatenation. */
export function flatRanges(shapes: readonly (readonly number[])[]): FlatRange[] {
  let offset = 0;
  return shapes.map((shape) => {
    const range = { offset, size: sizeOf(shape) };
    offset += range.size;
    return range;
  });
}

/** Entries of a flat vector from `offset` on. */
export interface FlatPart {
  readonly offset: number;
  readonly entries: Vector;
}

/** A sum of flat vectors. */
export interface FlatSum {
  /** Adds a vector given in parts, which together are the whole vector. */
  add(parts: readonly FlatPart[]): void;
  /** The sum; zeros if nothing was added. */
  result(): Vector;
}

/**
 * A compensated sum of vectors of this length, as accurate as a sum in twice their precision. The first vector's array becomes the sum, and
 * a second array holds the rounding errors. Rounding the sum at the end needs no third array.
 */
export function flatSum(length: number, dtype: Precision): FlatSum {
  let sum: Vector | undefined;
  let rest: Vector | undefined;
  return {
    add(parts) {
      if (sum === undefined) {
        sum = joinedParts(parts, length, dtype);
        return;
      }
      rest ??= zeros(length, dtype);
      for (const { offset, entries } of parts) {
        const range = [offset, offset + entries.length] as const;
        addCompensated(entries, { sum: sum.subarray(...range), rest: rest.subarray(...range) });
      }
    },
    result: () => (sum === undefined ? zeros(length, dtype) : toPrecision(sum, dtype)),
  };
}

function joinedParts(parts: readonly FlatPart[], length: number, dtype: Precision): Vector {
  if (parts.length === 1) return parts[0].entries;
  const vector = unwrittenVector(length, dtype);
  for (const { offset, entries } of parts) vector.set(entries, offset);
  return vector;
}

/**
 * Checks the length of a vector that a user passed.
 *
 * @throws CurvatureError "shape"
 */
export function checkLength(vector: Vector, size: number): void {
  checkVectorLength(vector, size, `the risk has ${size} parameter entries`);
}

/**
 * Checks a vector of a product; `expected` describes its expected length in the message.
 *
 * @throws CurvatureError "shape"
 */
export function checkVectorLength(vector: Vector, length: number, expected: string): void {
  const isVector = vector instanceof Float32Array || vector instanceof Float64Array;
  if (isVector && vector.length === length) return;
  const got = isVector ? `a vector of ${vector.length}` : `${typeof vector}; pass a Float32Array or Float64Array`;
  throw new CurvatureError("shape", `${expected}, got ${got}`);
}

/**
 * Checks the columns that a user passed.
 *
 * @throws CurvatureError "shape"
 */
export function checkColumns(matrix: Matrix, size: number): void {
  const { rows, columns, data } = matrix ?? {};
  const isVector = data instanceof Float32Array || data instanceof Float64Array;
  if (isVector && rows === size && data.length === rows * columns) return;
  const entries = isVector ? data.length : "no";
  throw new CurvatureError(
    "shape",
    `the risk has ${size} parameter entries, got a matrix of ${rows} rows and ${columns} columns with ${entries} numbers`,
  );
}

/** The parts of a flat vector as feeds of the product's vectors; views. */
export function vectorFeeds(vector: Vector, parameters: readonly RiskParameter[]): { readonly [name: string]: Tensor } {
  return Object.fromEntries(
    parameters.map(({ dims, offset, size }, i) => [
      vectorName(i),
      { data: vector.subarray(offset, offset + size), dims },
    ]),
  );
}

/** Name of the feed with a parameter's part of the vector, by the parameter's index in the risk. */
export function vectorName(parameter: number): string {
  return `v${parameter}`;
}
