import type { Dtype } from "../tensors/index.ts";
import type { Primitive } from "./primitive.ts";

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
}

let count = 0;

/**
 * The result of a primitive on these inputs: its shape rule is checked, and where the primitive declares a simpler value
 * with the same result (`x * 1`), that one is returned.
 *
 * @throws CurvatureError "shape" from the primitive's shape rule
 */
export function apply<P>(primitive: Primitive<P>, inputs: readonly Value[], params: P): Value {
  const output = primitive.output(inputs, params);
  const simpler = primitive.simplify?.(inputs, params, output);
  if (simpler !== undefined) return simpler;
  const uniform = primitive.uniform?.(inputs, params);
  return makeValue(primitive, inputs, params, output, uniform);
}

function makeValue<P>(
  primitive: Primitive<P>,
  inputs: readonly Value[],
  params: P,
  output: { readonly shape: Shape; readonly type: ElementType },
  uniform: number | undefined,
): Value {
  const value = { id: count++, primitive, inputs, params, shape: output.shape, type: output.type };
  // Rules of a primitive only ever see values of that primitive, which makes forgetting the type of its parameters safe.
  return (uniform === undefined ? value : { ...value, uniform }) as Value;
}
