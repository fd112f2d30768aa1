import type { PreparedModel } from "./preparedModel.ts";

/** Names of everything a model defines, with others that will be. */
export function takenNames({ constants, nodes, inputs }: PreparedModel, others: readonly string[] = []): Set<string> {
  return new Set([
    ...constants.keys(),
    ...inputs.map(({ name }) => name),
    ...nodes.flatMap(({ outputs }) => outputs),
    ...others,
  ]);
}

/** For each set of names: of a wanted one, the number that the next one after it gets, so that many of them take no quadratic time. */
const numbers = new WeakMap<Set<string>, Map<string, number>>();

/** A name that is not taken, and from now on is. */
export function freshName(wanted: string, taken: Set<string>): string {
  if (!taken.has(wanted)) {
    taken.add(wanted);
    return wanted;
  }
  const next = numbers.get(taken) ?? new Map<string, number>();
  numbers.set(taken, next);
  let count = next.get(wanted) ?? 1;
  while (taken.has(`${wanted}_${count}`)) count++;
  next.set(wanted, count + 1);
  taken.add(`${wanted}_${count}`);
  return `${wanted}_${count}`;
}
