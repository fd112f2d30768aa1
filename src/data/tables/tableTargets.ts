import type { Tensor } from "../../tensors/index.ts";
import { convertTensor } from "../convertTensor.ts";
import type { TargetType } from "./labelCodes.ts";

/**
 * Targets of a table in the type of their kind: numbers in float32; one class label a row, and lists of whole numbers, in int32; several columns,
 * and lists with fractions, are probabilities of classes in float32.
 *
 * @param options `whole`: the targets are lists of whole numbers, in all rows
 */
export function tableTargets(
  targets: Tensor,
  { targetType, whole, where }: { readonly targetType: TargetType; readonly whole: boolean; readonly where: string },
): Tensor {
  const labels = targetType === "class" && (targets.dims.length === 1 || whole);
  return convertTensor(targets, { dtype: labels ? "int32" : "float32", where });
}

/** Whether all numbers are whole. */
export function isWhole({ data }: Tensor): boolean {
  return (data as Float64Array).every((value) => Number.isInteger(value));
}
