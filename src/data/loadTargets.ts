import { type DataRequest, tableRequest } from "./dataRequest.ts";
import { arrayOf, formatOf, isTable, type LoadedArray, splitMember } from "./loadTensor.ts";
import { readSource, type Source } from "./readSource.ts";
import { type LoadedTable, loadTable } from "./tables/loadTable.ts";
import { openTable } from "./tables/openTable.ts";
import { isWhole, tableTargets } from "./tables/tableTargets.ts";

/** What a file says about targets. */
export interface LoadedTargets {
  readonly targets?: LoadedArray;
  readonly classes?: readonly string[];
}

/** The targets of a table in the type of their kind. */
export function targetsOf(
  { targets, classes, rows, lists }: LoadedTable,
  { name, options }: { readonly name: string; readonly options: DataRequest },
): LoadedTargets {
  if (targets === undefined) return {};
  const { targetType = "class" } = options;
  const tensor = tableTargets(targets, { targetType, whole: lists && isWhole(targets), where: `${name}: targets` });
  return {
    targets: { name, tensor, ...(options.rows === undefined && { total: rows }) },
    ...(classes && { classes }),
  };
}

/** Targets from a file of their own. */
export async function loadTargets(targets: Source, options: DataRequest): Promise<LoadedTargets> {
  const { file, member } = splitMember(targets);
  const contents = await readSource(file, options);
  const { name, memoryLimit } = contents;
  if (member !== undefined || !isTable(formatOf(contents))) {
    return { targets: await arrayOf(contents, { options, ...(member !== undefined && { member }) }) };
  }
  const { drop: _, columns: __, wanted: ___, ...request } = tableRequest(options);
  const table = await openTable(contents, options);
  return targetsOf(await loadTable(table, { ...request, targetsOnly: true, memoryLimit }), { name, options });
}
