import { CurvatureError } from "../errors/index.ts";
import type { Value } from "../graph/index.ts";
import { addCompensated } from "../linalg/vector.ts";
import { concat, reshape } from "../primitives/index.ts";
import { type Precision, sizeOf, type Tensor, toPrecision, type Vector, zeros } from "../tensors/index.ts";
import type { RiskParameter } from "./risk.ts";

/** Values one after the other as one flat value, each row-major. */
export function flattened(values: readonly Value[]): Value {
  return concat(
    values.map((value) => reshape(value, [sizeOf(value.shape)])),
    0,
  );
}

/**
 * A sum of flat vectors, as accurate as one in twice their precision: the first one becomes the sum, and what rounding takes from
 * it is kept beside it, which needs no third array where the sum is rounded at the end.
 */
export function flatSum(dtype: Precision): { add(part: Tensor): void; result(): Vector } {
  let sum: Vector | undefined;
  let rest: Vector | undefined;
  return {
    add({ data }) {
      const part = data as Vector;
      if (sum === undefined) sum = part;
      else {
        rest ??= zeros(part.length, dtype);
        addCompensated(part, { sum, rest });
      }
    },
    result: () => toPrecision(sum!, dtype),
  };
}

/**
 * Checks the length of a vector that a user passed.
 *
 * @throws CurvatureError "shape"
 */
export function checkLength(vector: Vector, size: number): void {
  if (vector.length !== size) {
    throw new CurvatureError("shape", `the risk has ${size} parameter entries, got a vector of ${vector.length}`);
  }
}

/** The parts of a flat vector as feeds `v.<parameter>`, views. */
export function vectorFeeds(vector: Vector, parameters: readonly RiskParameter[]): { readonly [name: string]: Tensor } {
  return Object.fromEntries(
    parameters.map(({ name, dims, offset, size }) => [
      vectorName(name),
      { data: vector.subarray(offset, offset + size), dims },
    ]),
  );
}

/** Name of the input for a parameter's part of the vector that a matrix is multiplied with. */
export function vectorName(parameter: string): string {
  return `v.${parameter}`;
}
