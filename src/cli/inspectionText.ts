import { type ModelInspection, type OperatorSupport, printableText } from "../index.ts";

type Dims = readonly (number | string | null)[] | null;

const SUPPORT: { readonly [kind in OperatorSupport]: string } = {
  supported: "supported",
  opaque: "evaluated as it stands",
  folded: "constant",
  missing: "NOT SUPPORTED",
};

/** The result of `inspect` as text. */
export function inspectionText(found: ModelInspection): string {
  const weights = found.parameters.reduce((sum, { dims }) => sum + size(dims), 0);
  return [
    `${printableText(found.file)}: opset ${found.opset}${found.producer ? `, made by ${printableText(found.producer)}` : ""}, ${count(weights)} weights in ${found.parameters.length} tensors`,
    "",
    ...section(
      "inputs",
      found.inputs.map(({ name, dtype, dims }) => [name, dtype, shape(dims)]),
    ),
    ...section(
      "outputs",
      found.outputs.map((output) => [output.name, shape(output.dims), cutText(output)]),
    ),
    ...section(
      "weights",
      found.parameters.map(({ name, dims, role, layer, reason, certain }) => [
        name,
        shape(dims),
        role,
        `layer ${layer}`,
        certain === false ? `UNCERTAIN: ${reason}` : reason,
      ]),
    ),
    ...section(
      "float tensors that are no weights",
      found.constants.map(({ name, dims, reason, certain }) => [
        name,
        shape(dims),
        certain ? reason : `UNCERTAIN: ${reason}`,
      ]),
    ),
    ...section("operators", found.operators.map(operatorRow)),
    ...section(
      "notices",
      noticesOf(found).map((notice) => [notice]),
    ),
    `suggested loss: ${lossText(found)}`,
    "",
  ].join("\n");
}

/** The loss with its evidence, and the flag for an output that is not the first. */
function lossText({ suggestedLoss: { name, output, reason, certain }, outputs }: ModelInspection): string {
  const flag = output === outputs[0]?.name || name === "none" ? "" : ` --output ${output}`;
  const how = name === "none" || certain ? "" : "; the targets decide";
  return printableText(`${name}${flag} (${reason}${how})`);
}

function operatorRow({
  operator,
  count: nodes,
  support,
  missing,
}: ModelInspection["operators"][number]): readonly string[] {
  const present = (Object.keys(SUPPORT) as OperatorSupport[]).filter((kind) => support[kind] > 0);
  const text = present
    .map((kind) => (present.length === 1 ? SUPPORT[kind] : `${support[kind]} ${SUPPORT[kind]}`))
    .join(", ");
  return [operator, `x ${nodes}`, missing.length > 0 ? `${text} (${listed(missing)})` : text];
}

function noticesOf({ notices, fixedRows }: ModelInspection): readonly string[] {
  if (fixedRows === undefined) return notices;
  return [...notices, `The file computes ${fixedRows} row${fixedRows === 1 ? "" : "s"} at once.`];
}

function cutText({ activation, written }: ModelInspection["outputs"][number]): string {
  if (activation === undefined) return "";
  const place = written === true ? " (written out in several operators)" : "";
  return `ends in ${activation}${place}, which is cut off where the loss contains it`;
}

function listed(names: readonly string[]): string {
  return names.length > 4 ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more` : names.join(", ");
}

/** A heading and aligned columns; nothing if there are no rows. Line breaks in names are escaped. */
function section(title: string, found: readonly (readonly string[])[]): readonly string[] {
  if (found.length === 0) return [];
  const rows = found.map((row) => row.map((cell) => printableText(cell)));
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd(),
  );
  return [title, ...lines, ""];
}

function shape(dims: Dims): string {
  return dims === null ? "[unknown]" : `[${dims.map((dim) => dim ?? "?").join(", ")}]`;
}

function size(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

function count(number: number): string {
  return number.toLocaleString("en-US");
}
