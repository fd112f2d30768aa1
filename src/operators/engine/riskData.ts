import { type Batch, convertTensor, type Data } from "../../data/index.ts";
import { CurvatureError } from "../../errors/index.ts";
import type { Loss } from "../../losses/index.ts";
import type { Model } from "../../models/index.ts";
import { byName, dtypeOf, formatDims, type Tensor } from "../../tensors/index.ts";
import type { BatchShape } from "./batchGraph.ts";

/** A data set fitted to a model: inputs under the model's names and in its types, labels as int64. */
export interface BoundData {
  readonly data: Data;
  /** Whether targets are class indices. */
  readonly integerTargets: boolean;
  /** The inputs and targets of a batch in the form that the programs take. */
  bind(batch: Batch): BoundBatch;
  /** The shape of a batch of other ranks, for a rank without rows. */
  readonly example?: BatchShape;
}

/** A batch in the form that the objective's programs take. */
export interface BoundBatch {
  readonly shape: BatchShape;
  readonly inputs: { readonly [name: string]: Tensor };
  readonly targets: Tensor;
  readonly weights: Tensor | undefined;
}

/**
 * Fits a data set to a model and a loss.
 *
 * @throws CurvatureError "data" where inputs are missing, unknown or of sizes that do not fit the model
 */
export function bindData(data: Data, { model, loss }: { readonly model: Model; readonly loss: Loss }): BoundData {
  if (data.rows === 0) throw new CurvatureError("data", `${data.description}: no rows; a loss needs at least one`);
  if (data.targets === undefined)
    throw new CurvatureError("data", `${data.description}: no targets; the loss ${loss.name} needs them`);
  const names = inputNames(data, model);
  checkInputs(data, { model, names });
  const integerTargets = entersAsIntegers(data, loss);
  return {
    data,
    integerTargets,
    bind(batch) {
      const inputs = byName<Tensor>();
      for (const { name, dtype } of model.inputs) {
        const tensor = batch.inputs[names.get(name)!];
        inputs[name] =
          dtype === "float32" && isFloat(tensor)
            ? tensor
            : convertTensor(tensor, { dtype, where: data.description, start: batch.start });
      }
      const wanted = integerTargets ? "int64" : "float64";
      const given = batch.targets!;
      const targets =
        !integerTargets && isFloat(given)
          ? given
          : convertTensor(given, { dtype: wanted, where: `${data.description}: targets`, start: batch.start });
      const weights = batch.weights && { data: batch.weights, dims: [batch.rows] };
      const shape: BatchShape = {
        rows: batch.rows,
        inputs: Object.fromEntries(Object.entries(inputs).map(([name, { dims }]) => [name, dims])),
        targets: { dims: targets.dims, integer: integerTargets },
        weighted: weights !== undefined,
      };
      return { shape, inputs, targets, weights };
    },
  };
}

/** The name in the data of each input of the model. */
function inputNames(data: Data, model: Model): Map<string, string> {
  const given = Object.keys(data.inputs);
  const needed = model.inputs.map(({ name }) => name);
  const quoted = (names: readonly string[]) => names.map((name) => `"${name}"`).join(", ");
  if (given.length === 1 && given[0] === "") {
    if (needed.length === 1) return new Map([[needed[0], ""]]);
    throw new CurvatureError(
      "data",
      `${model.name} has inputs ${quoted(needed)}; give the data by name, { inputs: { ${needed[0]}: ... } }`,
    );
  }
  const missing = needed.filter((name) => !given.includes(name));
  const unknown = given.filter((name) => !needed.includes(name));
  if (missing.length + unknown.length > 0) {
    throw new CurvatureError("data", `${model.name} has inputs ${quoted(needed)}, but the data have ${quoted(given)}`);
  }
  return new Map(needed.map((name) => [name, name]));
}

function checkInputs(
  data: Data,
  { model, names }: { readonly model: Model; readonly names: ReadonlyMap<string, string> },
): void {
  for (const { name, dims } of model.inputs) {
    const row = data.inputs[names.get(name)!].dims;
    const expected = dims.slice(1);
    const fits =
      row.length === expected.length && expected.every((dim, i) => typeof dim !== "number" || dim === row[i]);
    if (!fits) {
      throw new CurvatureError(
        "data",
        `${data.description}: rows of input "${name}" have shape ${formatDims(row)}, but ${model.name} expects ${formatDims(expected)}`,
      );
    }
  }
}

/**
 * Whether the targets are fed as integers: class indices (also whole numbers stored as floats, one per row), or the integer targets of a
 * custom loss.
 */
function entersAsIntegers({ targets }: Data, loss: Loss): boolean {
  const { dims, dtype } = targets!;
  if (loss.labels === undefined) return loss.keepsIntegers === true && !dtype.startsWith("float");
  return !dtype.startsWith("float") || dims.length === 0;
}

function isFloat(tensor: Tensor): boolean {
  const dtype = dtypeOf(tensor);
  return dtype === "float32" || dtype === "float64";
}
