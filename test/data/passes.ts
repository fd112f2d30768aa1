import type { Batch, Data } from "../../src/data/index.ts";

/** All batches of one pass. */
export async function batchesOf(data: Data, signal?: AbortSignal): Promise<Batch[]> {
  const batches: Batch[] = [];
  for await (const batch of data.batches(signal === undefined ? {} : { signal })) batches.push(batch);
  return batches;
}

/** Elements of all rows of one pass: of each input, the targets and the weights. */
export async function rowsOf(data: Data) {
  const batches = await batchesOf(data);
  const inputs = Object.keys(data.inputs).map((name) => [
    name,
    batches.flatMap((batch) => Array.from(batch.inputs[name]!.data as ArrayLike<number>, Number)),
  ]);
  return {
    starts: batches.map((batch) => batch.start),
    sizes: batches.map((batch) => batch.rows),
    inputs: Object.fromEntries(inputs) as { readonly [name: string]: number[] },
    targets: batches.flatMap((batch) => Array.from((batch.targets?.data ?? []) as ArrayLike<number>, Number)),
    weights: batches.flatMap((batch) => Array.from(batch.weights ?? [])),
  };
}

export function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
