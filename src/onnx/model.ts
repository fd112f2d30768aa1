import type { AttributeValue, StoredAs, Tensor } from "../tensors/index.ts";
import type { ElementType } from "./elementType.ts";

/** One node of an ONNX graph in plain values. */
export interface OnnxNode {
  /** Operator type, for example "Conv". */
  readonly op: string;
  /** Operator set; "" (the default) is ai.onnx. */
  readonly domain?: string;
  /** Name of the node; any text, made unique when written. */
  readonly name?: string;
  /** Names of values; "" stands for an optional input that is absent. */
  readonly inputs: readonly string[];
  /** Names of values; "" stands for an optional output that is not used. */
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

/** Name and type of a value: a size that is a string is symbolic, null is unknown; `dims` null is an unknown rank. */
export interface ValueInfo {
  readonly name: string;
  /** null: unknown, or a sequence, map or optional instead of a tensor. */
  readonly dtype: ElementType | null;
  readonly dims: readonly (number | string | null)[] | null;
}

/** A named constant tensor to be written; `storedAs` writes float32 data in sixteen bits. */
export interface Initializer {
  readonly name: string;
  readonly tensor: Tensor;
  readonly storedAs?: StoredAs;
}

/** A model to be written. */
export interface ModelDescription {
  /** Version of the file format; default: the version released with this version of ai.onnx. */
  readonly irVersion?: number;
  /** Version of each imported operator set by domain; "" is ai.onnx. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly graph: {
    readonly name: string;
    readonly nodes: readonly OnnxNode[];
    readonly inputs: readonly ValueInfo[];
    readonly outputs: readonly ValueInfo[];
    readonly initializers: readonly Initializer[];
  };
  /** Serialized FunctionProto messages, written unchanged. */
  readonly functions?: readonly Uint8Array[];
  readonly metadata?: Readonly<Record<string, string>>;
  readonly producer: string;
}
