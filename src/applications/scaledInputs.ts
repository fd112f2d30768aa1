import type { Batch, Data } from "../data/index.ts";
import { dtypeOf, type Tensor } from "../tensors/index.ts";

/** The same rows with all inputs divided by a number, computed batch by batch. Inputs become float32, float64 ones stay float64. */
export function scaledInputs(data: Data, divisor: number): Data {
  const inputs = Object.fromEntries(
    Object.entries(data.inputs).map(([name, type]) => [
      name,
      { ...type, dtype: type.dtype === "float64" ? ("float64" as const) : ("float32" as const) },
    ]),
  );
  return {
    ...data,
    inputs,
    description: `${data.description}, inputs divided by ${divisor}`,
    async *batches(options) {
      for await (const batch of data.batches(options)) yield scaledBatch(batch, divisor);
    },
  };
}

function scaledBatch(batch: Batch, divisor: number): Batch {
  const inputs = Object.entries(batch.inputs).map(([name, tensor]) => [name, divided(tensor, divisor)] as const);
  return { ...batch, inputs: Object.fromEntries(inputs) };
}

function divided(tensor: Tensor, divisor: number): Tensor {
  const { data, dims } = tensor;
  const length = data.length;
  const quotients = dtypeOf(tensor) === "float64" ? new Float64Array(length) : new Float32Array(length);
  for (let i = 0; i < length; i++) quotients[i] = Number(data[i]) / divisor;
  return { data: quotients, dims };
}
