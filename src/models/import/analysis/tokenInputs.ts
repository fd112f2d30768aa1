import type { PreparedModel } from "../prepared/preparedModel.ts";

/** The table that an input chooses rows of. */
export interface TokenTable {
  /** Name of the tensor, the exporter's where it is known. */
  readonly table: string;
  readonly rows: number;
}

/**
 * Inputs whose integers choose rows of a stored table: those that a Gather along the first axis takes as indices, directly or through Cast
 * and Identity. Of several tables the smallest counts.
 */
export function tokenInputs(
  { nodes, inputs, constants }: PreparedModel,
  parameters: readonly { readonly name: string; readonly tensor: string }[],
): { readonly [input: string]: TokenTable } {
  const origins = new Map(inputs.map(({ name }) => [name, name]));
  const found = new Map<string, TokenTable>();
  for (const { op, domain, inputs: used, outputs, attributes } of nodes) {
    if (domain !== "") continue;
    const passed = origins.get(used[0] ?? "");
    if ((op === "Cast" || op === "Identity") && passed !== undefined) origins.set(outputs[0], passed);
    const [table, indices] = used;
    const input = origins.get(indices ?? "");
    const rows = constants.get(table ?? "")?.dims[0];
    const axis = attributes.axis !== undefined && "int" in attributes.axis ? Number(attributes.axis.int) : 0;
    if (op !== "Gather" || axis !== 0 || input === undefined || rows === undefined) continue;
    if (rows >= (found.get(input)?.rows ?? Number.POSITIVE_INFINITY)) continue;
    found.set(input, { table: parameters.find(({ tensor }) => tensor === table)?.name ?? table, rows });
  }
  return Object.fromEntries(found);
}
