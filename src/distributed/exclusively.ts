import { makeQueue } from "../concurrency/index.ts";
import type { Communicator } from "./communicator.ts";

const queues = new WeakMap<Communicator, ReturnType<typeof makeQueue>>();

/**
 * Runs work that belongs together, with exchanges in it, after all such work that was asked for before. Ranks then make their exchanges in
 * the order in which the program asks for work, however long each takes. Work must not ask for exclusive work itself.
 */
export function exclusively<T>(communicator: Communicator, work: () => Promise<T>): Promise<T> {
  const queue = queues.get(communicator) ?? makeQueue();
  queues.set(communicator, queue);
  return queue(work);
}
