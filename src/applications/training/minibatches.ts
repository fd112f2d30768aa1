import { arrays, type Batch, type Data } from "../../data/index.ts";
import { CurvatureError } from "../../errors/index.ts";
import type { Risk } from "../../operators/index.ts";
import { stream } from "../../random/index.ts";
import { sizeOf, type Tensor, type TensorData } from "../../tensors/index.ts";

/** Risks on parts of the rows, in which a pass over the data is split. */
export interface Minibatches {
  /** The risk of a step, counted from 0; the order of the parts is drawn anew for each pass. */
  at(step: number): Risk;
  dispose(): Promise<void>;
}

/**
 * Splits the rows of a risk at random into parts of `rows`, the last one smaller, and makes a risk on each, once; all data are copied into memory. Drawing the
 * order anew for each pass, but not the parts, saves the checks of new data at each step.
 *
 * @throws CurvatureError "unsupported" for rows that influence one another and for a loss that is a sum
 */
export async function minibatches(
  risk: Risk,
  { rows, seed }: { readonly rows: number; readonly seed: number },
): Promise<Minibatches> {
  if (risk.coupledRows || risk.lossFunction.reduction === "sum") {
    const why = risk.coupledRows ? "rows that influence one another" : 'a loss with reduction "sum"';
    throw new CurvatureError("unsupported", `batchRows: ${why} cannot be trained on in parts; leave batchRows out`);
  }
  const all = await collected(risk.data);
  const order = shuffled(risk.rows, seed, "rows", 0);
  const parts: Risk[] = [];
  for (let start = 0; start < order.length; start += rows) {
    parts.push(await risk.on(chosenRows(all, { chosen: order.slice(start, start + rows), data: risk.data })));
  }
  return {
    at: (step) => parts[shuffled(parts.length, seed, "pass", Math.floor(step / parts.length))[step % parts.length]!]!,
    async dispose() {
      for (const part of parts) await part.dispose();
    },
  };
}

/** A random order of 0, ..., count - 1 (Fisher and Yates). */
function shuffled(count: number, seed: number, name: string, index: number): number[] {
  const random = stream(seed, name, index);
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

type Rows = Omit<Batch, "start">;

async function collected(data: Data): Promise<readonly Rows[]> {
  const batches: Rows[] = [];
  for await (const batch of data.batches()) batches.push(batch);
  return batches;
}

function chosenRows(
  batches: readonly Rows[],
  { chosen, data }: { readonly chosen: readonly number[]; readonly data: Data },
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
    description: `${data.description}, ${chosen.length} rows at random`,
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
