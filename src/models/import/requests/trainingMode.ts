import { CurvatureError } from "../../../errors/index.ts";
import type { FileNode } from "../../../onnx/index.ts";
import { traitsOf } from "../ops/operators.ts";
import type { PreparedModel } from "../prepared/preparedModel.ts";
import { describe } from "../prepared/sortNodes.ts";

/**
 * The model with nodes in training mode refused, or turned to inference mode if the user says so: in training mode Dropout is
 * random and BatchNormalization couples the rows of a batch, so there is no loss of one row to differentiate.
 *
 * @throws CurvatureError "model"
 */
export async function inInferenceMode(
  model: PreparedModel,
  trainingMode: "refuse" | "inference",
): Promise<PreparedModel> {
  const training: FileNode[] = [];
  for (const node of model.nodes) if (await isTraining(node, model)) training.push(node);
  const random = model.nodes.find((node) => traitsOf(node).random);
  if (random !== undefined) {
    throw new CurvatureError(
      "model",
      `${model.file}: ${describe(random)} draws random numbers at every run, so the loss is not a function of the parameters; export the model in evaluation mode`,
    );
  }
  if (training.length === 0) return model;
  const list = `${training.slice(0, 3).map(describe).join(", ")}${training.length > 3 ? ` and ${training.length - 3} more` : ""}`;
  if (trainingMode === "refuse") {
    throw new CurvatureError(
      "model",
      `${model.file}: ${list} ${training.length === 1 ? "is" : "are"} in training mode (random, or coupling rows); export with model.eval(), or read it in inference mode (trainingMode: "inference", --inference)`,
    );
  }
  const nodes = model.nodes.map((node) => (training.includes(node) ? toInference(node) : node));
  return { ...model, nodes, notices: [...model.notices, `Read in inference mode: ${list}.`] };
}

async function isTraining(node: FileNode, model: PreparedModel): Promise<boolean> {
  if (node.domain !== "") return false;
  if (node.op === "BatchNormalization") {
    const mode = node.attributes.training_mode;
    return (
      (mode !== undefined && "int" in mode && mode.int !== 0) ||
      (mode === undefined && node.outputs.filter(Boolean).length > 1)
    );
  }
  if (node.op !== "Dropout" || node.inputs[2] === undefined || node.inputs[2] === "") return false;
  const constant = model.constants.get(node.inputs[2]);
  return constant === undefined || Number((await constant.load()).data[0]) !== 0;
}

function toInference(node: FileNode): FileNode {
  if (node.op === "Dropout") return { ...node, inputs: node.inputs.slice(0, 1), outputs: node.outputs.slice(0, 1) };
  return { ...node, attributes: { ...node.attributes, training_mode: { int: 0 } }, outputs: node.outputs.slice(0, 1) };
}
