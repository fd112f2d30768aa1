import { CurvatureError } from "../errors/index.ts";
import { dtypeOf, type Tensor } from "../tensors/index.ts";
import type { Data } from "./data.ts";
import { describePosition } from "./describePosition.ts";

/**
 * Makes one pass over a data set and rejects at the first input or target that is NaN or infinite, naming its row and
 * column: one such number would make every product NaN. Time is linear in the size of the data.
 */
export async function checkFinite(data: Data): Promise<void> {
  for await (const { start, inputs, targets } of data.batches()) {
    for (const [name, tensor] of Object.entries(inputs)) {
      checkTensor(tensor, { start, where: `${data.description}: ${name === "" ? "the input" : `input "${name}"`}` });
    }
    if (targets !== undefined) checkTensor(targets, { start, where: `${data.description}: the target` });
  }
}

function checkTensor(tensor: Tensor, { start, where }: { readonly start: number; readonly where: string }): void {
  const index = firstNotFinite(tensor);
  if (index < 0) return;
  const dims = tensor.dims.slice(1);
  const rowSize = tensor.data.length / tensor.dims[0]!;
  const value = dtypeOf(tensor) === "float16" ? "NaN or infinite" : String(tensor.data[index]);
  throw new CurvatureError(
    "data",
    `${where} at ${describePosition(start * rowSize + index, dims)} is ${value}, expected a finite number; ` +
      "repair or leave out such rows",
  );
}

function firstNotFinite(tensor: Tensor): number {
  const { data } = tensor;
  if (data instanceof Float32Array || data instanceof Float64Array) {
    for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i])) return i;
  } else if (dtypeOf(tensor) === "float16") {
    // All exponent bits set: infinity or NaN.
    for (let i = 0; i < data.length; i++) if ((Number(data[i]) & 0x7c00) === 0x7c00) return i;
  }
  return -1;
}
