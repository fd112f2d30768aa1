import { CurvatureError } from "../../../errors/index.ts";
import { formatDims, valueNamed } from "../../../tensors/index.ts";
import type { GraphRequest, ModelInput } from "../../model.ts";

/**
 * Checks the shapes and outputs that a graph is asked for. The number of rows may differ from the file's.
 *
 * @throws CurvatureError "argument" for outputs that the model has not and inputs that are not given, "shape" for inputs of
 *   another shape than the file's
 */
export function checkRequest(
  { shapes, outputs }: GraphRequest,
  model: {
    readonly file: string;
    readonly inputs: readonly ModelInput[];
    readonly outputs: readonly { readonly name: string }[];
  },
): void {
  const names = model.outputs.map(({ name }) => name);
  const unknown = outputs.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new CurvatureError("argument", `${model.file} has no output "${unknown}"; it has ${names.join(", ")}`);
  }
  for (const { name, dims } of model.inputs) {
    const shape = valueNamed(shapes, name);
    if (shape === undefined) {
      const given = Object.keys(shapes).join(", ") || "none";
      throw new CurvatureError("argument", `${model.file} needs an input "${name}", got ${given}`);
    }
    const unranked = dims.length === 1 && dims[0] === null;
    const fits =
      dims.length === shape.length &&
      dims.every((dim, axis) => axis === 0 || typeof dim !== "number" || dim === shape[axis]);
    if (unranked || fits) continue;
    throw new CurvatureError(
      "shape",
      `input "${name}" of ${model.file} has shape ${formatDims(dims)}, got ${formatDims(shape)}; reshape the data`,
    );
  }
}
