import { CurvatureError } from "../errors/index.ts";
import { type Precision, type Tensor, type Vector, zeros } from "../tensors/index.ts";
import type { RiskParameter } from "./risk.ts";

/** Adds the outputs of a batch, one a parameter, to a flat sum. */
export function addInto(
  sum: Float64Array,
  {
    results,
    parameters,
  }: { readonly results: { readonly [name: string]: Tensor }; readonly parameters: readonly RiskParameter[] },
): void {
  for (const { name, offset, size } of parameters) {
    const part = results[name].data as Vector;
    for (let i = 0; i < size; i++) sum[offset + i] += part[i];
  }
}

/** A float64 sum times a number, in the precision of results. */
export function scaledTo(
  sum: Float64Array,
  { scale, dtype }: { readonly scale: number; readonly dtype: Precision },
): Vector {
  const result = zeros(sum.length, dtype);
  for (let i = 0; i < sum.length; i++) result[i] = scale * sum[i];
  return result;
}

/** Checks the length of a vector that a user passed. */
export function checkLength(vector: Vector, size: number): void {
  if (vector.length !== size)
    throw new CurvatureError("shape", `the risk has ${size} parameter entries, got a vector of ${vector.length}`);
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

/** The columns of a matrix as feeds `v.<parameter>` of shape [columns, ...dims]. */
export function columnFeeds(
  columns: readonly Vector[],
  { parameters, dtype }: { readonly parameters: readonly RiskParameter[]; readonly dtype: Precision },
): { readonly [name: string]: Tensor } {
  return Object.fromEntries(
    parameters.map(({ name, dims, offset, size }) => {
      const data = zeros(columns.length * size, dtype);
      columns.forEach((column, k) => {
        data.set(column.subarray(offset, offset + size), k * size);
      });
      return [vectorName(name), { data, dims: [columns.length, ...dims] }];
    }),
  );
}

/** Name of the input for a parameter's part of the vector that a matrix is multiplied with. */
export function vectorName(parameter: string): string {
  return `v.${parameter}`;
}
