import type { Communicator } from "./communicator.ts";

const BYTES = Float64Array.BYTES_PER_ELEMENT;

/** The text of rank `root`, on all ranks. */
export async function exchangeText(
  communicator: Communicator,
  text: string,
  { root }: { readonly root: number },
): Promise<string> {
  const own = communicator.rank === root ? new TextEncoder().encode(text) : new Uint8Array(0);
  const [length] = await communicator.broadcast(Float64Array.of(own.length), root);
  const numbers = new Float64Array(Math.ceil(length! / BYTES));
  const bytes = new Uint8Array(numbers.buffer, 0, length!);
  bytes.set(own.subarray(0, length!));
  await communicator.broadcast(numbers, root);
  return new TextDecoder().decode(bytes);
}
