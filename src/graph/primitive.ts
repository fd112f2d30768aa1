import type { Precision } from "../tensors/index.ts";
import type { Lowering } from "./lowering.ts";
import type { ElementType, Shape, Value } from "./value.ts";

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
  form?(node: Value<P>, precision: Precision): Value | undefined;
  /** Emits ONNX nodes that compute the value and returns the name of the result. Needed where `form` gives nothing. */
  lower?(node: Value<P>, context: Lowering): string;
  /** Parameters as they are printed; default: as JSON. */
  format?(params: P): string;
  /** String that is equal for parameters that mean the same; default: as JSON. */
  key?(params: P): string;
}
