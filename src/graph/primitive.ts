import type { AttributeValue, Dtype, Precision, Tensor } from "../tensors/index.ts";

/** Sizes of a value's axes; `[]` is a scalar. Always concrete: a graph is built for one batch size. */
export type Shape = readonly number[];

/** Element type of a value. "float" is the precision the graph is compiled in, float32 or float64. */
export type ElementType = "float" | Exclude<Dtype, "float32" | "float64" | "float16">;

/**
 * A node of a graph together with its only output: one application of a primitive. Values are immutable and point at what
 * they are computed from, so a graph is known by its outputs.
 */
export interface Value<P = unknown> {
  /** Order of creation; inputs have smaller numbers than what is computed from them. */
  readonly id: number;
  readonly primitive: Primitive<P>;
  readonly inputs: readonly Value[];
  readonly params: P;
  readonly shape: Shape;
  readonly type: ElementType;
  /** The number that all elements are known to equal, for constants and what is moved or repeated from them. */
  readonly uniform?: number;
  /** The value of a function whose derivative this one is a part of, or which this one stands for after a rearrangement. */
  readonly origin?: Value;
}

/**
 * One operation of a graph, with all its rules. A rule is written with other primitives, so derivatives of any order are
 * the same few passes applied again. Rules that a primitive does not need are left out: a nonlinear one has no
 * `transpose`, one whose result is not a float has no `jvp`.
 */
export interface Primitive<P = unknown> {
  readonly name: string;
  /** True where the result is better computed anew than kept between products: no work, or larger than its operands. */
  readonly recompute?: boolean;
  /** True where the order of the operands does not matter. */
  readonly commutative?: boolean;
  /** Whether each element of the result is an element of operand 0, none of them twice. */
  moves?(node: Value<P>): boolean;
  /** How the operation is affine in an operand, for those that layers of networks are made of. */
  affine?(node: Value<P>): AffineForm | undefined;
  /**
   * For each operand and each of its axes, the axis of the result that it becomes; null where it becomes none, because elements along it are
   * added up or mixed. Left out where operands broadcast, and where axes of equal size stay where they are.
   */
  axes?(node: Value<P>): readonly (readonly (number | null)[])[];
  /** True where operands broadcast, and an element of the result depends on one element of each. */
  readonly elementwise?: boolean;
  /** True where each element of the result is a sum of elements of the float operands: moved, repeated, left out or added. */
  readonly sums?: boolean;
  /** True where operand 0 chooses, element by element, which of operands 1 and 2 is the result. */
  readonly selects?: boolean;
  /** True where the result is operand 0 repeated along axes, as NumPy broadcasts it. */
  readonly broadcasts?: true;
  /** True where the result is another view of the memory of operand 0, which takes none of its own. */
  readonly view?: true;
  /** True where operands may be infinite by design, as masks are: what is infinite in them explains nothing. */
  readonly takesMasks?: true;
  /**
   * For an elementwise function that leaves the finite numbers, or whose derivatives do: the operand that decides, and a number at which
   * function and derivatives are finite.
   */
  readonly harmless?: { readonly operand: number; readonly value: number };
  /** Shape and type of the result; throws CurvatureError "shape" for inputs that do not fit. */
  output(inputs: readonly Value[], params: P): { readonly shape: Shape; readonly type: ElementType };
  /** An existing or cheaper value that equals this application, if there is one. */
  simplify?(
    inputs: readonly Value[],
    params: P,
    output: { readonly shape: Shape; readonly type: ElementType },
  ): Value | undefined;
  /** The number all elements of the result equal, if the inputs tell. */
  uniform?(inputs: readonly Value[], params: P): number | undefined;
  /**
   * Whether the result is nowhere negative and has derivative 0 where it is 0, as squares and their sums are, given which operands are so.
   */
  flatAtZero?(node: Value<P>, isFlat: (operand: Value) => boolean): boolean;
  /**
   * Tangent of the result for tangents of the inputs, `null` standing for zero. At least one is not null.
   * The returned value has the shape of the result.
   */
  jvp?(node: Value<P>, tangents: readonly (Value | null)[]): Value | null;
  /**
   * For a result that depends linearly on the inputs marked in `linear` (others held fixed): cotangents of those inputs
   * for a cotangent of the result, in the order of the inputs, `null` for the others or for zero.
   */
  transpose?(node: Value<P>, cotangent: Value, linear: readonly boolean[]): readonly (Value | null)[];
  /**
   * The result for K inputs at once: inputs marked in `batched` have a leading axis of size K, the others are shared.
   * Returns the K results along a leading axis.
   */
  vectorize?(node: Value<P>, inputs: readonly Value[], batched: readonly boolean[], size: number): Value;
  /**
   * The same value through other primitives, for a precision in which there is no kernel for this one or none that is
   * accurate; undefined where `lower` is to be used.
   */
  alternative?(node: Value<P>, precision: Precision): Value | undefined;
  /** Emits ONNX nodes that compute the value and returns the name of the result. Needed where `alternative` gives nothing. */
  lower?(node: Value<P>, context: Lowering): string;
  /**
   * Emits this value plus another one, their sum times `factor` (default 1), in a single operation, where there is one for these
   * shapes (a matrix product with a bias); undefined where there is not.
   */
  lowerSum?(node: Value<P>, addend: Addend, context: Lowering, factor?: number): string | undefined;
  /**
   * Emits this value times a number in a single operation, where there is one for these shapes (a matrix product); undefined
   * where there is not.
   */
  lowerScaled?(node: Value<P>, factor: number, context: Lowering): string | undefined;
  /** The logarithm of the result from the operands, which is finite where the result is rounded to 0. */
  logarithm?(node: Value<P>): Value;
  /** Parameters as they are printed; default: as JSON. */
  format?(params: P): string;
  /** String that is equal for parameters that mean the same; default: as JSON. */
  key?(params: P): string;
}

/**
 * An operation that is affine in each operand while the others are held: a product of matrices (with the operands that enter it
 * transposed), a convolution of operand 0 with weights [O, C / groups, ...kernel] or its transpose, rows of a table (operand 0, along its first
 * axis) by indices, a product or a sum of elements.
 */
export type AffineForm =
  | { readonly kind: "product"; readonly transposed: readonly [boolean, boolean] }
  | { readonly kind: "convolution"; readonly transposed: boolean; readonly geometry: ConvolutionGeometry }
  | { readonly kind: "table" }
  | { readonly kind: "scale" }
  | { readonly kind: "shift" };

/** Settings of a convolution; one number a spatial axis. */
export interface ConvolutionGeometry {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padsBefore: readonly number[];
  readonly padsAfter: readonly number[];
  readonly groups: number;
}

/** A value already written, by name. */
export interface Addend {
  readonly name: string;
  readonly shape: Shape;
}

/** Where a primitive writes its ONNX form. Names are those of the ONNX graph being written. */
export interface Lowering {
  /** Precision that "float" stands for in this graph. */
  readonly precision: Precision;
  /** Version of the standard operator set of the graph. */
  readonly opset: number;
  /** True where the result must run in any ONNX runtime: standard operators only. */
  readonly portable: boolean;
  /** Number of places that read a value: operands of other values, and outputs. */
  uses(value: Value): number;
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
