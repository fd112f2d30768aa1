import { CurvatureError } from "../../errors/index.ts";
import { addCompensated } from "../../linalg/vectors/vector.ts";
import { formatDims, type Tensor, type Vector } from "../../tensors/index.ts";
import type { Tensors } from "./risk.ts";

/** Sums of tensors by name. */
export interface TensorSum {
  /**
   * @throws CurvatureError "shape" for another shape than before, "unsupported" for tensors that are not floats
   */
  add(tensors: Tensors): void;
  /** The sums, in float64. */
  result(): Tensors;
}

interface Sum {
  readonly dims: readonly number[];
  readonly sum: Float64Array;
  /** Rounding errors of the sum. Absent for sums of float32 numbers, which need no compensation. */
  readonly rest: Float64Array | undefined;
}

/** Sums in float64, compensated for float64 tensors. float32 tensors need no compensation: float64 has 29 more bits. */
export function tensorSum(): TensorSum {
  const sums = new Map<string, Sum>();
  return {
    add(tensors) {
      for (const [name, tensor] of Object.entries(tensors)) {
        const values = floats(name, tensor);
        const known = sums.get(name);
        if (known === undefined) sums.set(name, firstTerm(tensor, values));
        else addTerm(known, { name, tensor, values });
      }
    },
    result: () => Object.fromEntries([...sums].map(([name, { dims, sum }]) => [name, { data: sum, dims }])),
  };
}

function floats(name: string, { data }: Tensor): Vector {
  if (data instanceof Float32Array || data instanceof Float64Array) return data;
  throw new CurvatureError(
    "unsupported",
    `output "${name}" does not hold floats, so it has no total; cast it in the product`,
  );
}

function firstTerm({ dims }: Tensor, values: Vector): Sum {
  const rest = values instanceof Float64Array ? new Float64Array(values.length) : undefined;
  return { dims, sum: new Float64Array(values), rest };
}

function addTerm(
  { dims, sum, rest }: Sum,
  { name, tensor, values }: { readonly name: string; readonly tensor: Tensor; readonly values: Vector },
): void {
  if (formatDims(dims) !== formatDims(tensor.dims)) {
    throw new CurvatureError(
      "shape",
      `output "${name}" has shape ${formatDims(dims)} in one batch and ${formatDims(tensor.dims)} in another, so it has no total; sum over the rows in the product, or use batches`,
    );
  }
  if (rest !== undefined) addCompensated(values, { sum, rest });
  else for (let i = 0; i < sum.length; i++) sum[i] += values[i];
}
