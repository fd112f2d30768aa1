import type { Interruption } from "./interruption.ts";

/** Arrays that ranks exchange. Exchanges copy bits, so that any bytes can travel in them. */
export type Numbers = Float32Array | Float64Array;

/**
 * Processes that run the same program on parts of the same data (SPMD, as MPI has it), and exchange arrays. Every rank makes the same calls in
 * the same order. Calls run one after the other, also where they are not awaited.
 *
 * `allReduce`, `allGather`, `broadcast` and `barrier` reject with a CurvatureError "runtime" if the exchange fails.
 */
export interface Communicator {
  /** Number of this process, from 0. */
  readonly rank: number;
  /** Number of processes. */
  readonly size: number;
  /** Entrywise sum or maximum over the ranks, written over `values`; the same bits on all ranks. */
  allReduce<A extends Numbers>(values: A, operation?: "sum" | "max"): Promise<A>;
  /** The arrays of all ranks, which have one length, one after the other in `into`, of `size` times that length. */
  allGather<A extends Numbers>(own: A, into: A): Promise<A>;
  /** The values of rank `root` (0 by default), written over those of the other ranks. */
  broadcast<A extends Numbers>(values: A, root?: number): Promise<A>;
  /** Resolves when every rank has called it. */
  barrier(): Promise<void>;
  /** A wish to stop, on which ranks agree; a communicator without it stops a run on its own rank only. */
  readonly interruption?: Interruption;
  /** Ends all ranks at once with this exit code, for states in which they cannot end together. The reason is written on standard error. */
  abort(code: number, reason?: string): never;
  /** Ends the exchange, once every rank has called it. */
  close(): Promise<void>;
}
