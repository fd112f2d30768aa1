import { apply } from "./apply.ts";
import { isInput } from "./inputsAndConstants.ts";
import { topologicalOrder } from "./order.ts";
import type { Primitive, Value } from "./primitive.ts";

/**
 * The outputs with equal applications (same primitive, same parameters, same inputs) computed once. Rebuilding also
 * applies simplifications that became visible, and drops what no output needs.
 *
 * @param formOf a value that is to stand for an application on shared inputs, if another one is; it is shared in turn
 */
export function shareCommonSubexpressions(
  outputs: readonly Value[],
  formOf: (value: Value) => Value | undefined = () => undefined,
): Value[] {
  // Values that are computed, by number; of every value met, the number of the one that stands for it.
  const values: Value[] = [];
  const numbers = new Map<Value, number>();
  const applications = applicationTable();
  const register = (value: Value): number => {
    const number = values.push(value) - 1;
    numbers.set(value, number);
    return number;
  };
  const numberOf = (value: Value): number => {
    if (isInput(value)) return register(value);
    const entry = applications.entry(
      value,
      value.inputs.map((input) => numbers.get(input)!),
    );
    if (entry.number >= 0) return entry.number;
    const inputs = entry.operands.map((operand) => values[operand]);
    const rebuilt = sameValues(inputs, value.inputs) ? value : apply(value.primitive, inputs, value.params);
    const applied = rebuilt.primitive === value.primitive && sameValues(inputs, rebuilt.inputs);
    // Where something simpler came out, it may be made of values not seen before.
    const form = applied ? formOf(rebuilt) : rebuilt;
    entry.number = form === undefined ? register(rebuilt) : share([form])[0];
    return entry.number;
  };
  const share = (roots: readonly Value[]): number[] => {
    for (const value of topologicalOrder(roots, numbers)) {
      if (numbers.has(value)) continue;
      const number = numberOf(value);
      if (values[number] !== value) numbers.set(value, number);
    }
    return roots.map((root) => numbers.get(root)!);
  };
  return share(outputs).map((number) => values[number]);
}

function sameValues(a: readonly Value[], b: readonly Value[]): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return a.length === b.length;
}

/** One application, and the number of the value that stands for it, -1 until it is known. */
interface Entry {
  readonly kind: number;
  readonly operands: readonly number[];
  number: number;
  /** Another application of the same hash. */
  readonly next: Entry | undefined;
}

/** Applications by primitive, parameters and numbers of operands: a hash table, since strings as keys take several times as long. */
function applicationTable() {
  const entries = new Map<number, Entry>();
  const kindOf = kinds();
  return {
    /** The entry of an application, the same one for all that are equal; its operands are those of the first. */
    entry(value: Value, operands: readonly number[]): Entry {
      const kind = kindOf(value);
      const { commutative = false } = value.primitive;
      let hash = kind;
      // A sum does not depend on the order of the operands.
      for (const operand of operands)
        hash = commutative ? hash + Math.imul(operand, 31) : Math.imul(hash, 31) + operand;
      hash &= 0x3fffffff;
      const first = entries.get(hash);
      for (let entry = first; entry !== undefined; entry = entry.next) {
        if (entry.kind === kind && sameOperands(entry.operands, operands, commutative)) return entry;
      }
      const entry: Entry = { kind, operands, number: -1, next: first };
      entries.set(hash, entry);
      return entry;
    },
  };
}

function sameOperands(a: readonly number[], b: readonly number[], commutative: boolean): boolean {
  if (commutative && a.length === 2 && a[0] === b[1] && a[1] === b[0]) return true;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return a.length === b.length;
}

/** A function that numbers primitives with their parameters; primitives are told apart by identity, since names need not be unique. */
function kinds(): (value: Value) => number {
  const known = new Map<Primitive, { readonly params: Map<unknown, number>; readonly keys: Map<string, number> }>();
  let count = 0;
  return ({ primitive, params }) => {
    let own = known.get(primitive);
    if (own === undefined) {
      own = { params: new Map(), keys: new Map() };
      known.set(primitive, own);
    }
    let kind = own.params.get(params);
    if (kind === undefined) {
      const key = primitive.key?.(params) ?? JSON.stringify(params);
      kind = own.keys.get(key) ?? count++;
      own.keys.set(key, kind);
      own.params.set(params, kind);
    }
    return kind;
  };
}
