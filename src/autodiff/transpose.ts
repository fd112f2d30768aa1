import { CurvatureError } from "../errors/index.ts";
import { dependents, sameShape, topologicalOrder, type Value, withOrigin } from "../graph/index.ts";
import { add } from "../primitives/index.ts";
import { formatDims } from "../tensors/index.ts";

/**
 * Transpose of a linear map: cotangents of the variables for cotangents of the outputs, which must depend linearly on the
 * variables. `null` stands for zero on both sides.
 *
 * @throws CurvatureError "shape" for cotangents whose shape is not that of their output, "unsupported" if the outputs depend on the
 *   variables through an operation without a transpose, that is, not linearly
 */
export function transpose(
  outputs: readonly Value[],
  variables: readonly Value[],
  cotangents: readonly (Value | null)[],
): (Value | null)[] {
  const order = topologicalOrder(outputs, new Set(variables));
  const linear = dependents(order, variables);
  const collected = new Map<Value, Value>();
  const collect = (value: Value, cotangent: Value | null) => {
    if (cotangent === null || cotangent.uniform === 0) return;
    const before = collected.get(value);
    collected.set(value, before === undefined ? cotangent : add(before, cotangent));
  };
  outputs.forEach((output, i) => {
    const cotangent = cotangents[i];
    if (cotangent && !sameShape(cotangent.shape, output.shape)) {
      throw new CurvatureError(
        "shape",
        `transpose: an output of shape ${formatDims(output.shape)} needs a cotangent of that shape, got ${formatDims(cotangent.shape)}`,
      );
    }
    collect(output, cotangent);
  });
  const stop = new Set(variables);
  for (const value of order.reverse()) {
    const cotangent = collected.get(value);
    if (cotangent === undefined || stop.has(value) || !linear.has(value)) continue;
    cotangentsOfInputs(value, cotangent, linear).forEach((part, i) => {
      collect(value.inputs[i], part);
    });
  }
  return variables.map((variable) => collected.get(variable) ?? null);
}

function cotangentsOfInputs(value: Value, cotangent: Value, linear: ReadonlySet<Value>): readonly (Value | null)[] {
  const { primitive, inputs } = value;
  if (primitive.transpose === undefined) {
    throw new CurvatureError("unsupported", `internal: ${primitive.name} is not linear and cannot be transposed`);
  }
  const marked = inputs.map((input) => linear.has(input));
  const parts = withOrigin(value, () => primitive.transpose!(value, cotangent, marked));
  return parts.map((part, i) => (marked[i] ? part : null));
}
