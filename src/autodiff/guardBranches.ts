import { apply, sameShape, scalar, topologicalOrder, type Value, withOrigin } from "../graph/index.ts";
import { and, broadcast, greater, indicator, not, or, sumTo, where } from "../primitives/index.ts";

/**
 * Keeps the inactive branches of `where` finite. If an element of a quotient, a logarithm, a root or another function of limited range is
 * in an inactive branch, its operand is replaced by a harmless number. Otherwise the derivative of such an element would be 0 times
 * infinity, which is NaN, although the true derivative is 0. Active elements are unchanged to the bit.
 *
 * Active elements are tracked from each `where` through elementwise functions, sums and movements of elements. Conditions and other values
 * without derivatives are computed from the original operands. A graph without such branches is returned unchanged.
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
    const safe = mask ? withOrigin(value, () => withHarmless(value, inputs, mask.holds)) : inputs;
    if (safe.every((input, i) => input === value.inputs[i])) continue;
    guarded.set(
      value,
      withOrigin(value, () => apply(value.primitive, safe, value.params)),
    );
  }
  return outputs.map((output) => guarded.get(output) ?? output);
}

function isFloatChoice({ primitive, type }: Value): boolean {
  return primitive.selects === true && type === "float";
}

/** The active elements of a value. */
interface Mask {
  /** Booleans that broadcast to the shape of the value; created on first use, since few masks are needed. */
  readonly holds: () => Value;
  /** Number of nested masks. */
  readonly depth: number;
  /** The `where` of which these elements are one branch, and the mask of its result. */
  readonly branch?: { readonly outer: Mask | null; readonly condition: Value; readonly operand: number };
}

/** Largest depth of nested `where`. Beyond it all elements count as active, so that the recursion ends. */
const DEEPEST = 100;

/** The active elements of each value on which a float result depends through floats; null if all are active. */
function countingElements(order: readonly Value[], outputs: readonly Value[]): ReadonlyMap<Value, Mask | null> {
  const masks = new Map<Value, Mask | null>(outputs.map((output) => [output, null]));
  for (const value of [...order].reverse()) {
    const own = masks.get(value);
    // Values that only conditions read are left unchanged.
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

function maskOf(holds: () => Value, parts: readonly (Mask | null)[], branch?: Mask["branch"]): Mask | null {
  let made: Value | undefined;
  const depth = 1 + Math.max(...parts.map((part) => part?.depth ?? 0));
  if (depth > DEEPEST) return null;
  const once = () => {
    made ??= holds();
    return made;
  };
  return { holds: once, depth, ...(branch && { branch }) };
}

/** The union of two masks. The union of both branches of one `where` is the mask of its result. */
function union(a: Mask | null, b: Mask | null): Mask | null {
  if (a === null || b === null) return null;
  if (a === b) return a;
  const [first, second] = [a.branch, b.branch];
  const isWhole =
    first !== undefined &&
    first.outer === second?.outer &&
    first.condition === second.condition &&
    first.operand !== second.operand;
  return isWhole ? first.outer : maskOf(() => or(a.holds(), b.holds()), [a, b]);
}

/** The active elements of an operand, given the active elements of the result; null for all. */
function operandMask(value: Value, operand: number, mask: Mask | null): Mask | null {
  const { primitive, inputs, shape } = value;
  const x = inputs[operand];
  if (primitive.selects) return alongOperand(branchOf(value, operand, mask), value, x);
  if (mask === null) return null;
  if (primitive.elementwise) return alongOperand(mask, value, x);
  const { transpose } = primitive;
  if (!primitive.sums || transpose === undefined) return null;
  const linear = inputs.map((_, i) => i === operand);
  return maskOf(
    () => greater(transpose(value, indicator(broadcast(mask.holds(), shape)), linear)[operand]!, scalar(0)),
    [mask],
  );
}

function branchOf({ inputs: [condition] }: Value, operand: number, outer: Mask | null): Mask | null {
  const chosen = () => (operand === 1 ? condition : not(condition));
  return maskOf(() => (outer === null ? chosen() : and(outer.holds(), chosen())), [outer], {
    outer,
    condition,
    operand,
  });
}

/** Converts a mask of the result to one of an operand that may be broadcast: an element is active if any of its repetitions is. */
function alongOperand(mask: Mask | null, { shape }: Value, x: Value): Mask | null {
  if (mask === null || sameShape(x.shape, shape)) return mask;
  return maskOf(() => greater(sumTo(indicator(broadcast(mask.holds(), shape)), x.shape), scalar(0)), [mask]);
}

/** The operands of an operation. The operand that could make the result infinite or NaN is replaced in inactive elements. */
function withHarmless({ primitive }: Value, inputs: readonly Value[], holds: () => Value): readonly Value[] {
  const { harmless } = primitive;
  if (harmless === undefined) return inputs;
  const x = inputs[harmless.operand];
  if (x.uniform !== undefined) return inputs;
  const mask = holds();
  if (x.primitive.selects && x.inputs[0] === mask) return inputs;
  return inputs.map((input, i) => (i === harmless.operand ? where(mask, x, scalar(harmless.value)) : input));
}
