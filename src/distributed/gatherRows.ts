import { type Vector, zeros } from "../tensors/index.ts";
import type { Communicator } from "./communicator.ts";
import { exclusively } from "./exclusively.ts";

/**
 * The results by row of all ranks, one after the other: a product with the Jacobian, predictions, influence scores. Each rank gives those of its
 * own rows, any number of them. Every rank receives all, so that this needs memory for them on each.
 */
export async function gatherRows(own: Vector, communicator: Communicator): Promise<Vector> {
  const { size } = communicator;
  return exclusively(communicator, async () => {
    const lengths = await communicator.allGather(Float64Array.of(own.length), new Float64Array(size));
    const dtype = own instanceof Float64Array ? "float64" : "float32";
    // Exchanges take arrays of one length: shorter ones are filled up.
    const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
    const filled = zeros(longest, dtype);
    filled.set(own);
    const gathered = await communicator.allGather(filled, zeros(longest * size, dtype));
    const result = zeros(
      lengths.reduce((sum, length) => sum + length, 0),
      dtype,
    );
    let at = 0;
    lengths.forEach((length, rank) => {
      result.set(gathered.subarray(rank * longest, rank * longest + length), at);
      at += length;
    });
    return result;
  });
}
