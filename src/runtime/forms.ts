import { apply, topologicalOrder, type Value } from "../graph/index.ts";
import type { Precision } from "../tensors/index.ts";

/**
 * The outputs with every primitive that has no good kernel in this precision replaced by the form that has, also within
 * such forms.
 */
export function withForms(outputs: readonly Value[], precision: Precision): Value[] {
  const replaced = new Map<Value, Value>();
  const resolve = (roots: readonly Value[]): Value[] => {
    for (const value of topologicalOrder(roots, replaced)) {
      if (replaced.has(value)) continue;
      const inputs = value.inputs.map((input) => replaced.get(input)!);
      const same = inputs.every((input, i) => input === value.inputs[i]);
      const rebuilt = same ? value : apply(value.primitive, inputs, value.params);
      const form = rebuilt.primitive.form?.(rebuilt, precision);
      replaced.set(value, form === undefined ? rebuilt : resolve([form])[0]);
    }
    return roots.map((root) => replaced.get(root)!);
  };
  return resolve(outputs);
}
