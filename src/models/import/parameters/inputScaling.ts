import { isRearranged } from "../analysis/passedValues.ts";
import type { PreparedModel } from "../prepared/preparedModel.ts";
import type { Candidate } from "./evidence.ts";

/**
 * Constants that standardize an input, (x - mean) / deviation with positive deviations: statistics of the data, which
 * preprocessing puts before a network.
 */
export function standardizingConstants(
  { nodes, inputs }: Pick<PreparedModel, "nodes" | "inputs">,
  candidates: ReadonlyMap<string, Candidate>,
): ReadonlySet<string> {
  const raw = new Set(inputs.map(({ name }) => name));
  const centered = new Map<string, Candidate>();
  const found = new Set<string>();
  for (const node of nodes) {
    const { op, outputs } = node;
    const [first, second] = node.inputs;
    if (isRearranged(node) && raw.has(first)) raw.add(outputs[0]);
    const constant = candidates.get(second);
    if (constant === undefined) continue;
    if (op === "Sub" && raw.has(first)) centered.set(outputs[0], constant);
    const mean = centered.get(first);
    if ((op !== "Div" && op !== "Mul") || mean === undefined) continue;
    const alike = mean.dims.join() === constant.dims.join() || constant.data.length === 1;
    if (!alike || !constant.data.every((x) => x > 0)) continue;
    found.add(mean.name);
    found.add(constant.name);
  }
  return found;
}
