import type { Vector } from "../tensors/index.ts";
import type { Communicator } from "./communicator.ts";

/**
 * The sum in float64 of the parts of all ranks, [length], added one by one in the order of the ranks. The bits depend on the parts and their order
 * alone, however many ranks hold them. Each rank adds its parts to the sum of those before and passes it on, so that n ranks take n exchanges.
 */
export async function orderedSum(
  communicator: Communicator,
  parts: readonly Vector[],
  { length }: { readonly length: number },
): Promise<Float64Array> {
  const sum = new Float64Array(length);
  for (let rank = 0; rank < communicator.size; rank++) {
    if (rank === communicator.rank) for (const part of parts) for (let i = 0; i < length; i++) sum[i]! += part[i]!;
    await communicator.broadcast(sum, rank);
  }
  return sum;
}
