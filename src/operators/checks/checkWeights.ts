import { CurvatureError } from "../../errors/index.ts";
import { isFiniteVector } from "../../linalg/vectors/vector.ts";
import type { Model } from "../../models/index.ts";
import { formatDims, type Precision } from "../../tensors/index.ts";

/**
 * Checks that all entries of the parameters to differentiate are finite in the requested precision. One entry that is not finite makes most
 * entries of a product NaN, far from the cause.
 *
 * @param chosen indices of the parameters among the model's
 * @throws CurvatureError "model"
 */
export function checkWeights(
  model: Model,
  { chosen, precision }: { readonly chosen: readonly number[]; readonly precision: Precision },
): void {
  for (const index of chosen) {
    const { name, dims, data } = model.parameters[index];
    const held = precision === "float64" || data instanceof Float32Array ? data : Float32Array.from(data);
    if (isFiniteVector(held)) continue;
    const at = held.findIndex((value) => !Number.isFinite(value));
    const overflows = Number.isFinite(data[at]);
    const value = overflows ? `${data[at]}, which float32 cannot hold,` : String(data[at]);
    const remedy = overflows
      ? 'use dtype: "float64" (--dtype float64)'
      : "export the model as it was before its training diverged, or leave the tensor out by parameters";
    throw new CurvatureError(
      "model",
      `the weights of ${model.name} must be finite, got ${value} at ${formatDims(indexOf(at, dims))} of "${name}" ${formatDims(dims)}; ${remedy}`,
    );
  }
}

/** Index along each axis of an entry by its row-major position. */
function indexOf(position: number, dims: readonly number[]): number[] {
  const index: number[] = [];
  let rest = position;
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    index.unshift(rest % dims[axis]);
    rest = Math.floor(rest / dims[axis]);
  }
  return index;
}
