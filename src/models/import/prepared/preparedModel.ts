import type { FileNode, ValueInfo } from "../../../onnx/index.ts";
import type { Dtype, Tensor } from "../../../tensors/index.ts";

/** A constant tensor of a file: an initializer or the value of a Constant node. */
export interface StoredConstant {
  readonly name: string;
  readonly dims: readonly number[];
  /** float16 and bfloat16 count as float32, integers of less than eight bits as those of eight. */
  readonly dtype: Dtype;
  /** There where the file has integers of less than eight bits. */
  readonly packed?: true;
  /** "bound": an input that the user gave a fixed value. */
  readonly origin: "initializer" | "Constant node" | "bound";
  load(): Promise<Tensor>;
}

/**
 * A model file made uniform: nodes in an order in which they can be computed, Constant nodes among the constants, half
 * precision widened to float32.
 */
export interface PreparedModel {
  readonly file: string;
  readonly producer: string;
  /** Version of each operator set by domain. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly nodes: readonly FileNode[];
  /** By name, initializers in the order of the file first, then Constant nodes in the order of nodes. */
  readonly constants: ReadonlyMap<string, StoredConstant>;
  /** Serialized local functions. */
  readonly functions: readonly Uint8Array[];
  readonly metadata: Readonly<Record<string, string>>;
  /**
   * By the name of a constant that the exporter computed, the names of the constants it was computed from, intermediate ones
   * included; empty where the exporter does not note it. Values that the file still computes are left out: only their shapes counted.
   */
  readonly foldedFrom: ReadonlyMap<string, readonly string[]>;
  readonly notices: readonly string[];
  /** Bytes that the values of a run of the model may take at once. */
  readonly memoryLimit: number;
}
