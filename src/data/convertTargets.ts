import { dtypeOf, type Tensor } from "../tensors/index.ts";
import { convertTensor } from "./convertTensor.ts";
import type { NamedArray } from "./fitInputs.ts";
import type { TargetType } from "./tables/labelCodes.ts";

const REMEDY =
  'class labels are whole numbers; for numbers to regress on, pass targetType: "number" and a loss that takes them';

/**
 * Targets in the type of their kind: for "class", integers and floats `[rows]` become int32 labels, floats with further axes stay probabilities in
 * float32; for "number", all become float32.
 *
 * @param options `start` is the index in the file of the first row, for messages
 */
export function convertTargets(
  { tensor, name }: NamedArray,
  { targetType = "class", start }: { readonly targetType?: TargetType | undefined; readonly start: number },
): Tensor {
  const where = `${name}: targets`;
  if (targetType === "number") return convertTensor(tensor, { dtype: "float32", where, start });
  const dtype = dtypeOf(tensor);
  const isFloat = dtype === "float32" || dtype === "float64" || dtype === "float16";
  const [rows, ...rest] = tensor.dims;
  const perRow = rest.every((dim) => dim === 1); // [rows] or [rows, 1]: one target per row
  if (isFloat && !perRow) return convertTensor(tensor, { dtype: "float32", where, start });
  const labels = perRow ? { ...tensor, dims: [rows!] } : tensor;
  return convertTensor(labels, { dtype: "int32", where, start, remedy: REMEDY });
}
