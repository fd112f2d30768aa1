import type { DataRequest } from "./dataRequest.ts";

/** Names of arrays in an NPZ file for the only input, if no array has the input's own name. The first that exists is taken. */
const inputMembers = ["x", "X", "inputs", "input", "images", "features", "data"];
/** Names of arrays in an NPZ file for the targets, if `label` names none. The first that exists is taken. */
const targetMembers = ["y", "Y", "targets", "target", "labels", "label"];

/** The arrays of an NPZ file that a data set is made of. */
export interface NpzMembers {
  /** Name of an input, and of its array, which may be missing in the file. */
  readonly inputs: readonly (readonly [input: string, member: string])[];
  /** Absent if there are no targets in the file. */
  readonly target?: string;
}

/** Chooses arrays by their names. */
export function npzMembers(members: readonly string[], { wanted, label, targets }: DataRequest): NpzMembers {
  const names = Object.keys(wanted);
  const inputs = names.map((name) => {
    const candidates = [name, ...(names.length === 1 ? inputMembers : [])];
    return [name, candidates.find((candidate) => members.includes(candidate)) ?? name] as const;
  });
  if (targets !== undefined || label === false) return { inputs };
  const target = label === undefined ? targetMembers.find((member) => members.includes(member)) : String(label);
  return { inputs, ...(target !== undefined && { target }) };
}
