import type { Data } from "../data/index.ts";
import type { Risk } from "../operators/index.ts";
import { sizeOf, type Tensor } from "../tensors/index.ts";

/** The rows of a data set with targets: its own, or zeros in the form of those of a risk, which predictions do not depend on. */
export function withTargets(data: Data, { data: { targets } }: Risk): Data {
  if (data.targets !== undefined || targets === undefined) return data;
  const { dims, dtype } = targets;
  const zeros = (rows: number): Tensor => {
    const size = rows * sizeOf(dims);
    return { data: dtype.startsWith("float") ? new Float32Array(size) : new Int32Array(size), dims: [rows, ...dims] };
  };
  const type = dtype.startsWith("float") ? "float32" : "int32";
  return {
    ...data,
    targets: { dims, dtype: type },
    async *batches(options) {
      for await (const batch of data.batches(options)) yield { ...batch, targets: zeros(batch.rows) };
    },
  };
}
