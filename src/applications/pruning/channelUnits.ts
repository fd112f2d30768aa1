import { CurvatureError } from "../../errors/index.ts";
import { type FileModel, type HiddenUnits, hiddenUnits } from "../../models/index.ts";
import type { Risk, RiskParameter } from "../../operators/index.ts";
import { sizeOf } from "../../tensors/index.ts";
import type { PruningUnit } from "./pruningUnit.ts";

/**
 * Hidden units of the layers of a file, each with the weights into it, its bias and scales, and the weights out of it, as far as these are parameters of the risk: what `saveCompact` takes out.
 *
 * @throws CurvatureError "unsupported" for a model without a file, or where no layer's units can be taken out, with the reasons
 */
export async function channelUnits(risk: Risk, tensors: readonly RiskParameter[]): Promise<readonly PruningUnit[]> {
  const { model, parameters } = risk;
  if (!("source" in model)) {
    throw new CurvatureError(
      "unsupported",
      `pruning finds channels in the graph of a file, but "${model.name}" has none; take units "rows" or lists of your own`,
    );
  }
  const { layers, fixed } = await hiddenUnits(model as FileModel);
  const chosen = new Set(tensors.map(({ name }) => name));
  const byTensor = new Map(
    (model as FileModel).source.weights.map(({ tensor, parameter }) => [
      tensor,
      parameters.find(({ name }) => name === parameter),
    ]),
  );
  const units = layers.filter(({ parameter }) => chosen.has(parameter)).flatMap((layer) => unitsOf(layer, byTensor));
  if (units.length > 0) return units;
  const reasons = fixed
    .filter(({ parameter }) => chosen.has(parameter))
    .slice(0, 3)
    .map(({ parameter, reason }) => `${parameter}: ${reason}`);
  throw new CurvatureError(
    "unsupported",
    `pruning finds no hidden units that could be taken out of ${model.name} (${reasons.join("; ")}); take units "rows" or "columns"`,
  );
}

function unitsOf(
  { parameter, count, axes }: HiddenUnits,
  byTensor: ReadonlyMap<string, RiskParameter | undefined>,
): readonly PruningUnit[] {
  const lists = Array.from({ length: count }, (): number[] => []);
  for (const { tensor, axis, block } of axes) {
    const own = byTensor.get(tensor);
    if (own === undefined) continue;
    const inner = sizeOf(own.dims.slice(axis + 1));
    for (let k = 0; k < own.size; k++) {
      const position = Math.floor(k / inner) % own.dims[axis]!;
      lists[Math.floor(position / block)]!.push(own.offset + k);
    }
  }
  return lists.map((list, unit) => ({
    name: `${parameter} unit ${unit}`,
    tensor: parameter,
    indices: Int32Array.from(new Set(list)).sort(),
  }));
}
