import { arrays, type Batch, type Data } from "../data/index.ts";
import { sizeOf, type Tensor, type TensorData } from "../tensors/index.ts";

/** Rows of a data set, batch by batch. */
export type Rows = Omit<Batch, "start">;

/** All batches of a data set, in memory. */
export async function collectedRows(data: Data): Promise<readonly Rows[]> {
  const batches: Rows[] = [];
  for await (const batch of data.batches()) batches.push(batch);
  return batches;
}

/** Some rows of a data set as one of its own, in the order of their indices; `what` tells which, in its description. */
export function chosenRows(
  batches: readonly Rows[],
  { chosen, data, what }: { readonly chosen: readonly number[]; readonly data: Data; readonly what: string },
): Data {
  const places = chosen.map((row) => [Math.floor(row / data.batchSize), row % data.batchSize] as const);
  const gathered = (of: (batch: Rows) => Tensor): Tensor => {
    const { dims, dtype } = of(batches[0]!);
    const size = sizeOf(dims.slice(1));
    const parts = places.map(([batch, row]) => of(batches[batch]!).data.slice(row * size, (row + 1) * size));
    return { data: joined(parts), dims: [chosen.length, ...dims.slice(1)], ...(dtype !== undefined && { dtype }) };
  };
  const { inputs, targets, weights } = batches[0]!;
  const names = Object.keys(inputs);
  const byName = Object.fromEntries(names.map((name) => [name, gathered((batch) => batch.inputs[name]!)]));
  return arrays({
    inputs: names.length === 1 && names[0] === "" ? byName[""]! : byName,
    ...(targets && { targets: gathered((batch) => batch.targets!) }),
    ...(weights && { weights: places.map(([batch, row]) => batches[batch]!.weights![row]!) }),
    batchSize: Math.min(data.batchSize, chosen.length),
    description: `${data.description}, ${what}`,
  });
}

function joined(parts: readonly TensorData[]): TensorData {
  const [first] = parts;
  if (!ArrayBuffer.isView(first)) return (parts as readonly (readonly string[])[]).flat();
  const total = parts.reduce((sum, { length }) => sum + length, 0);
  const whole = new (first.constructor as new (length: number) => Float64Array)(total);
  let at = 0;
  for (const part of parts as readonly Float64Array[]) {
    whole.set(part, at);
    at += part.length;
  }
  return whole as TensorData;
}
