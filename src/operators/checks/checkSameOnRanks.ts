import { errorOnAllRanks, exchangeText, exclusively, hash, settled } from "../../distributed/index.ts";
import { CurvatureError } from "../../errors/index.ts";
import { constantTensor, printGraph, topologicalOrder } from "../../graph/index.ts";
import type { BatchShape } from "../engine/batchGraph.ts";
import type { BoundData } from "../engine/riskData.ts";
import type { Ranks, RiskFamily } from "../engine/riskFamily.ts";
import { summedLoss } from "../products/lossAndGradient.ts";

/** What must be the same on all ranks, by name, each as a hash. */
const PARTS = ["options", "weights", "model or loss"] as const;

/**
 * Checks that all ranks have one objective: the same options and chosen parameters, the same weights, and the same graph of the loss on a batch of
 * one shape, its constants included. Costs one reading of all weights and, at most, the graph of one more shape.
 *
 * @throws CurvatureError "argument" on all ranks, naming the rank that differs from rank 0 and in what
 */
export async function checkSameOnRanks(
  family: RiskFamily & { readonly ranks: Ranks },
  { bound }: { readonly bound: BoundData },
): Promise<void> {
  const { communicator } = family.ranks;
  const { rank, size } = communicator;
  if (size === 1) return;
  await exclusively(communicator, async () => {
    const rows = await communicator.allGather(Float64Array.of(bound.data.rows), new Float64Array(size));
    const root = rows.findIndex((count) => count > 0);
    const shape = await settled(communicator, "shape of a batch", () => (rank === root ? firstShape(bound) : none()));
    const common = JSON.parse(await exchangeText(communicator, JSON.stringify(shape), { root })) as BatchShape;
    const own = await settled(communicator, "hashes of model and loss", () => hashes(family, common));
    const all = await communicator.allGather(own, new Float64Array(own.length * size));
    for (let other = 1; other < size; other++) {
      const part = PARTS.find((_, i) => all[other * own.length + i] !== all[i]);
      if (part === undefined) continue;
      throw errorOnAllRanks(
        "argument",
        `expected the same model, loss and options on all ranks, but rank ${other} has other ${part} than rank 0; give all of them the same file and options`,
      );
    }
  });
}

async function none(): Promise<null> {
  return null;
}

async function firstShape({ data, bind }: BoundData): Promise<BatchShape> {
  for await (const batch of data.batches()) return bind(batch).shape;
  throw new CurvatureError("data", `${data.description}: no batches; a loss needs at least one row`);
}

/** Hashes of `PARTS`. */
async function hashes(family: RiskFamily, shape: BatchShape): Promise<Float64Array> {
  const { model, loss, dtype, outputs, parameters, coupledRows, engine } = family;
  const { reduction, splitBasis } = family.ranks!;
  const chosen = parameters.map(({ name, offset }) => [name, offset]);
  const options = hash().add(JSON.stringify({ dtype, outputs, chosen, coupledRows, reduction, splitBasis }));
  const weights = hash();
  for (const { name, dims, data } of model.parameters) weights.add(JSON.stringify([name, dims])).add(data);
  const graph = hash().add(JSON.stringify([loss.name, loss.reduction, loss.convex]));
  const sum = summedLoss(await engine.graph(shape));
  graph.add(printGraph([sum]));
  for (const value of topologicalOrder([sum])) {
    const data = constantTensor(value)?.data;
    if (data !== undefined) graph.add(ArrayBuffer.isView(data) ? data : data.join("\0"));
  }
  return Float64Array.of(options.value(), weights.value(), graph.value());
}
