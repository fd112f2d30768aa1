import { CurvatureError, type ExportedModel, type FileModel, type Tensor } from "../index.ts";

/** An input or output of an exported model. */
export interface Slot {
  readonly name: string;
  readonly dtype: string;
  readonly dims: readonly number[];
}

/**
 * Runs an exported model once in ONNX Runtime and returns its inputs and outputs. Weights that are inputs get the model's own values; other
 * inputs get simple numbers.
 *
 * @throws CurvatureError "runtime" if ONNX Runtime rejects it
 */
export async function checkExported(
  exported: ExportedModel,
  model: FileModel,
): Promise<{ readonly inputs: readonly Slot[]; readonly outputs: readonly Slot[] }> {
  try {
    const inputs = exported.inputs.map((name): Slot => ({ name, ...exported.inputTypes[name]! }));
    const results = await exported.run(Object.fromEntries(inputs.map((slot) => [slot.name, feed(slot, model)])));
    const outputs = exported.outputs.map((name): Slot => {
      const { dtype = "float32", dims } = results[name]!;
      return { name, dtype, dims };
    });
    return { inputs, outputs };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CurvatureError(
      "runtime",
      `ONNX Runtime could not run the exported model, which is not written: ${reason}`,
      {
        cause,
      },
    );
  }
}

/** Test data for an input: class 0, token 0, false and one half are valid for any model. */
function feed({ name, dtype, dims }: Slot, model: FileModel): Tensor {
  const size = dims.reduce((product, dim) => product * dim, 1);
  const parameter = model.parameters.find((each) => each.name === name);
  if (parameter !== undefined) {
    const data = dtype === "float64" ? Float64Array.from(parameter.data) : Float32Array.from(parameter.data);
    return { data, dims };
  }
  if (dtype === "float64") return { data: new Float64Array(size).fill(0.5), dims };
  if (dtype === "float32") return { data: new Float32Array(size).fill(0.5), dims };
  if (dtype === "int64") return { data: new BigInt64Array(size), dims };
  return dtype === "bool" ? { data: new Uint8Array(size), dims, dtype } : { data: new Int32Array(size), dims };
}
