import type { Dtype, Precision, Tensor, Vector } from "../tensors/index.ts";

/** A compiled ONNX graph in an execution engine. */
export interface Session {
  /** Element types of the outputs. */
  readonly outputTypes: { readonly [name: string]: Dtype };
  /** Shapes of the outputs as the engine infers them; undefined for a size, or a number of axes, that depends on the data. */
  readonly outputShapes: { readonly [name: string]: readonly (number | undefined)[] | undefined };
  /** Computes the named outputs; inputs are read without being kept, outputs are fresh arrays. */
  run(
    feeds: { readonly [name: string]: Tensor },
    fetches: readonly string[],
  ): Promise<{ readonly [name: string]: Tensor }>;
  release(): Promise<void>;
}

/** Options of an execution engine for a graph. */
export interface SessionOptions {
  /** "basic" leaves out fusions that are missing or wrong in float64. */
  readonly optimization: "none" | "basic" | "all";
  /** Threads within one operation; the engine's choice if absent. */
  readonly threads?: number;
  /** Bytes of the largest value that a run computes, where known. The engine chooses by it how to hold memory. */
  readonly largestValue?: number;
}

/** Functions of a platform: `#runtime` is one file for each, chosen by the package's conditions. */
export interface Runtime {
  readonly openSession: OpenSession;
  /** A vector of undefined content, which the caller must overwrite. */
  unwrittenVector(length: number, dtype: Precision): Vector;
  /** Bytes of memory of the machine, as far as this process may use it. */
  machineMemory(): number;
  /** Bytes of memory that are free. */
  freeMemory(): number;
}

/** An execution engine: ONNX bytes in, session out. */
export type OpenSession = (bytes: Uint8Array, options: SessionOptions) => Promise<Session>;
