import { CurvatureError } from "../errors/index.ts";
import { dependents, sameShape, topologicalOrder, type Value } from "../graph/index.ts";
import { broadcast } from "../primitives/index.ts";
import { formatDims } from "../tensors/index.ts";

/**
 * The outputs for K values of each variable at once. `replacements` have a leading axis of size K before the shape of their variable, and
 * so have the results. Values that do not depend on a variable are computed once.
 *
 * @throws CurvatureError "unsupported" if an operation between variables and outputs cannot be vectorized
 */
export function vectorize(
  outputs: readonly Value[],
  variables: readonly Value[],
  { replacements, size }: { readonly replacements: readonly Value[]; readonly size: number },
): Value[] {
  const batched = new Map<Value, Value>();
  variables.forEach((variable, i) => {
    if (!sameShape(replacements[i].shape, [size, ...variable.shape])) {
      throw new CurvatureError(
        "shape",
        `vectorize: ${size} values of shape ${formatDims(variable.shape)} have shape ${formatDims([size, ...variable.shape])}, got ${formatDims(replacements[i].shape)}`,
      );
    }
    batched.set(variable, replacements[i]);
  });
  const order = topologicalOrder(outputs, new Set(variables));
  const moving = dependents(order, variables);
  for (const value of order) {
    if (batched.has(value) || !moving.has(value)) continue;
    const { primitive, inputs } = value;
    if (primitive.vectorize === undefined) {
      throw new CurvatureError(
        "unsupported",
        `${primitive.format?.(value.params) ?? primitive.name} cannot be computed for several values at once`,
      );
    }
    const marked = inputs.map((input) => batched.has(input));
    const operands = inputs.map((input) => batched.get(input) ?? input);
    batched.set(value, primitive.vectorize(value, operands, marked, size));
  }
  return outputs.map((output) => batched.get(output) ?? broadcast(output, [size, ...output.shape]));
}
