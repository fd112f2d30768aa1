import { CurvatureError } from "../errors/index.ts";
import type { Value } from "../graph/index.ts";
import { axpy } from "../linalg/vector.ts";
import { concat, reshape } from "../primitives/index.ts";
import { type Precision, sizeOf, type Tensor, toPrecision, type Vector } from "../tensors/index.ts";
import type { RiskParameter } from "./risk.ts";

/** Values one after the other as one flat value, each row-major. */
export function flattened(values: readonly Value[]): Value {
  return concat(
    values.map((value) => reshape(value, [sizeOf(value.shape)])),
    0,
  );
}

/** A sum of flat vectors in float64; a single one is passed on as it is, without a copy. */
export function flatSum(dtype: Precision): { add(part: Tensor): void; result(): Vector } {
  let only: Vector | undefined;
  let sum: Float64Array | undefined;
  return {
    add({ data }) {
      const part = data as Vector;
      if (only === undefined) {
        only = part;
        return;
      }
      sum ??= Float64Array.from(only);
      axpy(1, part, sum);
    },
    result: () => toPrecision(sum ?? only!, dtype),
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
