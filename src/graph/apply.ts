import type { ElementType, Primitive, Shape, Value } from "./primitive.ts";

let count = 0;
let origin: Value | undefined;

/** Runs a rule for a value: what it makes has that value as origin, or the origin of that value. */
export function withOrigin<T>(value: Value, rule: () => T): T {
  const before = origin;
  origin = value.origin ?? value;
  try {
    return rule();
  } finally {
    origin = before;
  }
}

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

/** The application on other inputs of the same shapes and types, without looking for anything simpler. */
export function withInputs(value: Value, inputs: readonly Value[]): Value {
  return makeValue(value.primitive, inputs, value.params, value, value.uniform);
}

function makeValue<P>(
  primitive: Primitive<P>,
  inputs: readonly Value[],
  params: P,
  output: { readonly shape: Shape; readonly type: ElementType },
  uniform: number | undefined,
): Value {
  // Values all have the same fields, which engines of JavaScript read faster. Rules of a primitive only ever see values of that primitive,
  // which makes forgetting the type of its parameters safe.
  return { id: count++, primitive, inputs, params, shape: output.shape, type: output.type, uniform, origin } as Value;
}
