import type { Value } from "../graph/index.ts";
import type { Dtype, Precision, Tensor } from "../tensors/index.ts";

/** A tensor of weights that can be differentiated. */
export interface Parameter {
  readonly name: string;
  readonly dims: readonly number[];
  /** Role for the operator that uses it. */
  readonly role: ParameterRole;
  /** Layer it belongs to: its name without the last part, or the node that uses it. */
  readonly layer: string;
  /** Why it is taken for a parameter, in words. */
  readonly reason: string;
  /** The kind of evidence that decided; absent where nothing had to be decided. */
  readonly evidence?: EvidenceKind;
  /** Where false, it could be a constant: see the model's notices. */
  readonly certain?: boolean;
  /** float32 or float64 as stored (float16 and bfloat16 as float32), row-major. */
  readonly data: Float32Array | Float64Array;
}

/**
 * Kinds of evidence on whether a float tensor is a weight, strongest first: the caller's word, the exporter's word in the file,
 * how the exporter stores and names weights, the operator that uses the tensor, its numbers, and a rule for the rest.
 * "unused" is a tensor that no derivative of the outputs depends on.
 */
export type EvidenceKind = "user" | "unused" | "exporter" | "storage" | "role" | "content" | "default";

/** Roles of a parameter: weight matrix or kernel, bias, scale of a normalization, table of an embedding, ... */
export type ParameterRole = "weight" | "bias" | "scale" | "table" | "slope" | "offset" | "factor" | "token" | "other";

/** An input of a model; sizes that the file leaves open are null or symbolic. */
export interface ModelInput {
  readonly name: string;
  readonly dtype: Dtype;
  readonly dims: readonly (number | string | null)[];
}

/** An output of a model, with the operator that ends it. */
export interface ModelOutput {
  readonly name: string;
  /** Softmax, LogSoftmax or Sigmoid, where the output is one of something: what can be cut off to get logits. */
  readonly activation?: "Softmax" | "LogSoftmax" | "Sigmoid";
  /** Present where the file has the activation written out in several operators. */
  readonly written?: true;
}

/** A value of floats that a node of the model's file gives. */
export interface GraphStep {
  /** Operator and name of the node. */
  readonly node: string;
  readonly value: Value;
}

/** A model as a graph of primitives for given input shapes. */
export interface ModelGraph {
  /** Free values for the parameters, in the order of `Model.parameters`. */
  readonly parameters: readonly Value[];
  readonly inputs: { readonly [name: string]: Value };
  readonly outputs: { readonly [name: string]: Value };
  /** Results of the nodes of the file, each after those that it reads; absent where there is no file. */
  readonly steps?: readonly GraphStep[];
  /**
   * The outputs once more, of the same parameters and inputs, with operations kept apart: no rewrite has moved a parameter from the place where
   * the model has it. Absent where there is no other form than this one.
   */
  readonly operationsApart?: () => ModelGraph["outputs"];
  /** Whether floats in it are computed from the sizes of inputs, as the factor of a mean over rows is; absent where that is not known. */
  readonly countsSizes?: boolean;
}

/** Which form of a model is wanted. */
export interface GraphRequest {
  /** Full shapes of the inputs, the axis of rows included. */
  readonly shapes: { readonly [name: string]: readonly number[] };
  /** Outputs to compute. */
  readonly outputs: readonly string[];
  /** Activations to cut off the outputs' ends, so that they are logits. */
  readonly cut?: readonly string[];
  /** Precision in which what depends on constants alone is computed; default "float32", as the file has it. */
  readonly precision?: Precision;
}

/** A differentiable model: named parameters, and a graph from parameters and inputs to outputs. */
export interface Model {
  /** File name or title, for messages. */
  readonly name: string;
  readonly parameters: readonly Parameter[];
  readonly inputs: readonly ModelInput[];
  readonly outputs: readonly ModelOutput[];
  /** Rows that the model insists on computing at once; undefined if any number will do. */
  readonly fixedRows?: number;
  /** Inputs whose integers choose rows of a table of the file, such as token ids of an embedding, with the table and its number of rows. */
  readonly tokenInputs?: { readonly [input: string]: { readonly table: string; readonly rows: number } };
  /** Changes made to the file that a reader of results should know. */
  readonly notices: readonly string[];
  /** The model as a graph for inputs of these shapes. */
  graph(request: GraphRequest): Promise<ModelGraph>;
  /** The model's own outputs by name, for inputs by name. */
  run(inputs: { readonly [name: string]: Tensor }): Promise<{ readonly [name: string]: Tensor }>;
}
