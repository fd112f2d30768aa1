import { apply, sameShape, scalar, topologicalOrder, type Value } from "../graph/index.ts";
import { and, broadcast, greater, indicator, not, or, sumTo, where } from "../primitives/index.ts";

/**
 * The outputs with the branches that no `where` takes kept within the finite numbers: where an element of a quotient, a logarithm, a root or
 * another function of limited range does not count, its operand is replaced by a harmless one. Without that, the derivative of such an element
 * would be 0 times infinity, which is not a number, though the true one is 0. Numbers that count stay as they are, to the bit.
 *
 * Which elements count is followed from each `where` through elementwise functions and through sums and movements of elements. Conditions and
 * other values without derivatives are computed from what they were. A graph without such branches is returned as it is.
 */
export function guardBranches(outputs: readonly Value[]): Value[] {
  const order = topologicalOrder(outputs);
  if (!order.some(isFloatChoice)) return [...outputs];
  const counting = countingElements(order, outputs);
  const guarded = new Map<Value, Value>();
  for (const value of order) {
    if (value.type !== "float") continue;
    const inputs = value.inputs.map((input, i) =>
      value.primitive.selects && i === 0 ? input : (guarded.get(input) ?? input),
    );
    const mask = counting.get(value);
    const safe = mask ? withHarmless(value, inputs, mask) : inputs;
    if (safe.every((input, i) => input === value.inputs[i])) continue;
    guarded.set(value, apply(value.primitive, safe, value.params));
  }
  return outputs.map((output) => guarded.get(output) ?? output);
}

function isFloatChoice({ primitive, type }: Value): boolean {
  return primitive.selects === true && type === "float";
}

/** For each value of which only some elements count, in float results, a mask of these that broadcasts to its shape; null where all do. */
function countingElements(order: readonly Value[], outputs: readonly Value[]): ReadonlyMap<Value, Value | null> {
  const masks = new Map<Value, Value | null>(outputs.map((output) => [output, null]));
  for (const value of [...order].reverse()) {
    const own = masks.get(value);
    // What only conditions read is left as it is.
    if (own === undefined || value.type !== "float") continue;
    value.inputs.forEach((input, i) => {
      if (input.type !== "float") return;
      const mask = operandMask(value, i, own);
      const before = masks.get(input);
      masks.set(input, before === undefined ? mask : union(before, mask));
    });
  }
  return masks;
}

function union(a: Value | null, b: Value | null): Value | null {
  if (a === null || b === null) return null;
  return a === b ? a : or(a, b);
}

/** The elements of an operand that count where those of the mask do in the result; null for all. */
function operandMask(value: Value, operand: number, mask: Value | null): Value | null {
  const { primitive, inputs, shape } = value;
  const x = inputs[operand];
  if (primitive.selects) {
    const chosen = operand === 1 ? inputs[0] : not(inputs[0]);
    return alongOperand(mask === null ? chosen : and(mask, chosen), value, x);
  }
  if (mask === null) return null;
  if (primitive.elementwise) return alongOperand(mask, value, x);
  if (!primitive.sums || primitive.transpose === undefined) return null;
  const counts = indicator(broadcast(mask, shape));
  const linear = inputs.map((_, i) => i === operand);
  const part = primitive.transpose(value, counts, linear)[operand];
  return part && greater(part, scalar(0));
}

/** A mask of the result as one of an operand that may be repeated: its elements count where any repetition does. */
function alongOperand(mask: Value, { shape }: Value, x: Value): Value {
  return sameShape(x.shape, shape) ? mask : greater(sumTo(indicator(broadcast(mask, shape)), x.shape), scalar(0));
}

/** The operands, with the one that could leave the finite numbers replaced where its element does not count. */
function withHarmless({ primitive }: Value, inputs: readonly Value[], mask: Value): readonly Value[] {
  const { harmless } = primitive;
  if (harmless === undefined) return inputs;
  const { operand, value } = harmless;
  const x = inputs[operand];
  const isGuarded = x.primitive.selects === true && x.inputs[0] === mask;
  if (x.uniform !== undefined || isGuarded) return inputs;
  return inputs.map((input, i) => (i === operand ? where(mask, x, scalar(value)) : input));
}
