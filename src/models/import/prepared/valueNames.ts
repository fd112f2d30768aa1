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

/** A name that is not taken, and from now on is. */
export function freshName(wanted: string, taken: Set<string>): string {
  let name = wanted;
  for (let count = 1; taken.has(name); count++) name = `${wanted}_${count}`;
  taken.add(name);
  return name;
}
