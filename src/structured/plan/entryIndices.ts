import type { Value } from "../../graph/index.ts";
import { compile } from "../../runtime/index.ts";
import { sizeOf, type Vector } from "../../tensors/index.ts";

/** Entries that are taken from a parameter without arithmetic, as a value. */
export interface TakenEntries {
  readonly parameter: Value;
  readonly value: Value;
}

/** For each list of taken entries, the index of each within its parameter, row-major. Computed by moving the indices themselves. */
export async function entryIndices(taken: readonly TakenEntries[]): Promise<readonly Int32Array[]> {
  const parameters = [...new Set(taken.map(({ parameter }) => parameter))];
  const program = await compile(
    {
      inputs: Object.fromEntries(parameters.map((value, i) => [`parameter ${i}`, value])),
      outputs: Object.fromEntries(taken.map(({ value }, i) => [`entries ${i}`, value])),
    },
    { precision: "float64", optimized: false },
  );
  try {
    const feeds = parameters.map(({ shape }, i) => {
      const data = Float64Array.from({ length: sizeOf(shape) }, (_, entry) => entry);
      return [`parameter ${i}`, { data, dims: shape }] as const;
    });
    const results = await program.run(Object.fromEntries(feeds));
    return taken.map((_, i) => Int32Array.from(results[`entries ${i}`].data as Vector));
  } finally {
    await program.release();
  }
}
