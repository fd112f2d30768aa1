import { isInput, topologicalOrder, type Value } from "../graph/index.ts";
import { bytesOf, type Dtype, type Precision, sizeOf } from "../tensors/index.ts";

/** The most that a run of a graph holds at once. */
export interface LiveBytes {
  readonly bytes: number;
  /** The value at which it is reached; undefined where nothing is computed. */
  readonly at?: Value;
}

/**
 * Bytes of the values that are alive at once while the outputs are computed one value after the other: each from when it is computed
 * until its last reader has run, outputs until the end. Inputs belong to the caller and do not count, nor does what is one number
 * everywhere, which is written as a number. An estimate: the engine may write a result over an operand, and kernels may take
 * memory of their own.
 */
export function liveBytes(outputs: readonly Value[], precision: Precision): LiveBytes {
  const order = topologicalOrder(outputs);
  const lastUse = new Map<Value, number>();
  for (const [step, { inputs }] of order.entries()) for (const value of inputs) lastUse.set(value, step);
  for (const value of outputs) lastUse.set(value, order.length);
  const freed = new Map<number, number>();
  let alive = 0;
  let most: LiveBytes = { bytes: 0 };
  for (const [step, value] of order.entries()) {
    const bytes = valueBytes(value, precision);
    const end = lastUse.get(value)!;
    alive += bytes;
    freed.set(end, (freed.get(end) ?? 0) + bytes);
    if (alive > most.bytes) most = { bytes: alive, at: value };
    alive -= freed.get(step) ?? 0;
  }
  return most;
}

/** Bytes of a value's own memory. */
function valueBytes(value: Value, precision: Precision): number {
  if (isInput(value) || value.uniform !== undefined || value.primitive.view) return 0;
  const type: Dtype = value.type === "float" ? precision : value.type;
  return sizeOf(value.shape) * bytesOf(type);
}
