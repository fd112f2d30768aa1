import { CurvatureError } from "../../../errors/index.ts";
import type { ValueInfo } from "../../../onnx/index.ts";
import { neededNodes } from "../analysis/reachability.ts";
import type { PreparedModel } from "../prepared/preparedModel.ts";
import { readBy } from "../prepared/sortNodes.ts";

/**
 * The model with these outputs alone, which may be any values in it, and with what they are computed from.
 *
 * @throws CurvatureError "argument" for a name that no node gives
 */
export function withOutputs(model: PreparedModel, names: readonly string[]): PreparedModel {
  const outputs = names.map((name) => outputNamed(model, name));
  const nodes = neededNodes(model.nodes, names);
  const read = new Set([...names, ...nodes.flatMap(readBy)]);
  return {
    ...model,
    nodes,
    outputs,
    constants: new Map([...model.constants].filter(([name]) => read.has(name))),
    inputs: model.inputs.filter(({ name }) => read.has(name)),
  };
}

function outputNamed({ outputs, nodes, file }: PreparedModel, name: string): ValueInfo {
  const declared = outputs.find((output) => output.name === name);
  if (declared !== undefined) return declared;
  if (name !== "" && nodes.some((node) => node.outputs.includes(name))) return { name, dtype: null, dims: null };
  throw new CurvatureError(
    "argument",
    `${file} has no output "${name}" and no value of that name; its outputs are ${outputs.map((output) => output.name).join(", ") || "none"}`,
  );
}
