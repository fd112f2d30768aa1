import type { AttributeValue, Precision, Tensor } from "../tensors/index.ts";
import type { Value } from "./value.ts";

/** Where a primitive writes its ONNX form. Names are those of the ONNX graph being written. */
export interface Lowering {
  /** Precision that "float" stands for in this graph. */
  readonly precision: Precision;
  /** Version of the standard operator set of the graph. */
  readonly opset: number;
  /** True where the result must run in any ONNX runtime: standard operators only. */
  readonly portable: boolean;
  /** Name under which a value already written can be read. */
  name(value: Value): string;
  /** Writes a node with one output; returns the output's name. An empty input name stands for an absent input. */
  node(op: string, inputs: readonly string[], attributes?: Attributes, domain?: string): string;
  /** Writes a node with several outputs; returns their names. The same `key` twice writes one node. */
  nodes(key: string, node: LoweredNode): readonly string[];
  /** Makes a value readable under a fixed name, for subgraphs that refer to it. */
  alias(name: string, target: string): void;
  /** Name of a constant; equal small tensors share one. */
  constant(tensor: Tensor): string;
  /** Name of a constant 1-D int64 tensor. */
  integers(values: readonly number[]): string;
  /** Name of a scalar constant in the graph's precision. */
  float(value: number): string;
}

/** An ONNX node with its operands in place. */
export interface LoweredNode {
  readonly op: string;
  readonly domain?: string;
  readonly inputs: readonly string[];
  readonly attributes: Attributes;
  readonly outputs: number;
}

/** Attributes of an ONNX node by name. */
export type Attributes = { readonly [name: string]: AttributeValue };
