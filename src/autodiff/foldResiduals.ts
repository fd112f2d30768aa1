import { apply, countUses, dependents, sameShape, topologicalOrder, type Value } from "../graph/index.ts";
import { add, arithmeticPrimitives, mul, neg, sub } from "../primitives/arithmetic.ts";
import { reciprocal } from "../primitives/index.ts";

/**
 * Collects factors that do not depend on `variables`: `(v r) s` becomes `v (r s)` and `v r + v s` becomes `v (r + s)`; signs and divisors
 * are collected too. Results differ only by rounding. The collected factors are then computed once per batch instead of in every product.
 */
export function foldResiduals(outputs: readonly Value[], variables: readonly Value[]): Value[] {
  const order = topologicalOrder(outputs);
  const moving = dependents(order, variables);
  const uses = countUses(order, outputs);
  const folded = new Map<Value, Value>();
  const isMoving = new Set(variables);
  const once = new Set<Value>();
  for (const value of order) {
    const inputs = value.inputs.map((input) => folded.get(input)!);
    const same = inputs.every((input, i) => input === value.inputs[i]);
    const rebuilt = same ? value : apply(value.primitive, inputs, value.params);
    const result = moving.has(value) ? (gather(rebuilt, { isMoving, once }) ?? rebuilt) : rebuilt;
    folded.set(value, result);
    if (moving.has(value)) isMoving.add(result);
    if (uses.get(value) === 1) once.add(result);
  }
  return outputs.map((output) => folded.get(output)!);
}

interface Facts {
  /** Folded values that depend on the variables. */
  readonly isMoving: ReadonlySet<Value>;
  /** Folded values that are read only once, so that splitting them duplicates no computation. */
  readonly once: ReadonlySet<Value>;
}

/** A moving value (one that depends on the variables), written as a moving value times a value that does not depend on them. */
interface Factored {
  readonly moving: Value;
  readonly factor: Value;
}

function gather(value: Value, facts: Facts): Value | undefined {
  const [a, b] = value.inputs;
  switch (value.primitive) {
    case arithmeticPrimitives.mul:
      return facts.isMoving.has(a)
        ? gatherProduct(value, { moving: a, factor: b }, facts)
        : gatherProduct(value, { moving: b, factor: a }, facts);
    case arithmeticPrimitives.div:
      return facts.isMoving.has(b) ? undefined : gatherProduct(value, { moving: a, factor: reciprocal(b) }, facts);
    case arithmeticPrimitives.neg: {
      const inner = facts.once.has(a) ? factored(a, facts) : undefined;
      return inner && keepingShape(value, () => mul(inner.moving, neg(inner.factor)));
    }
    case arithmeticPrimitives.add:
    case arithmeticPrimitives.sub:
      return gatherSum(value, facts);
    default:
      return undefined;
  }
}

/** Rewrites (v r) s as v (r s), where `moving` is v r or v. */
function gatherProduct(
  value: Value,
  { moving, factor }: { readonly moving: Value; readonly factor: Value },
  facts: Facts,
): Value | undefined {
  if (facts.isMoving.has(factor)) return undefined;
  const inner = facts.once.has(moving) ? factored(moving, facts) : undefined;
  return keepingShape(value, () => (inner ? mul(inner.moving, mul(inner.factor, factor)) : mul(moving, factor)));
}

/** Rewrites v r + v s as v (r + s). */
function gatherSum(value: Value, facts: Facts): Value | undefined {
  const [a, b] = value.inputs;
  if (!facts.isMoving.has(a) || !facts.isMoving.has(b) || !facts.once.has(a) || !facts.once.has(b)) return undefined;
  const left = factored(a, facts);
  const right = factored(b, facts);
  if (left === undefined || right === undefined || left.moving !== right.moving) return undefined;
  const combine = value.primitive === arithmeticPrimitives.add ? add : sub;
  return keepingShape(value, () => mul(left.moving, combine(left.factor, right.factor)));
}

function factored(value: Value, { isMoving }: Facts): Factored | undefined {
  if (value.primitive !== arithmeticPrimitives.mul) return undefined;
  const [a, b] = value.inputs;
  if (isMoving.has(a) && !isMoving.has(b)) return { moving: a, factor: b };
  if (isMoving.has(b) && !isMoving.has(a)) return { moving: b, factor: a };
  return undefined;
}

/** The replacement, if it has the shape of the value without an explicit broadcast. */
function keepingShape(value: Value, make: () => Value): Value | undefined {
  const replacement = make();
  return sameShape(replacement.shape, value.shape) ? replacement : undefined;
}
