import { InferenceSession, Tensor } from "onnxruntime-node";
import { CurvatureError, type FileModel } from "../index.ts";

/** An input or output of an exported model. */
export interface Slot {
  readonly name: string;
  readonly dtype: string;
  readonly dims: readonly number[];
}

/**
 * Runs an exported model once in ONNX Runtime, with the model's own weights where they are inputs and simple numbers elsewhere, and tells
 * what it reads and gives.
 *
 * @throws CurvatureError "runtime" where ONNX Runtime refuses it
 */
export async function checkExported(
  bytes: Uint8Array,
  model: FileModel,
): Promise<{ readonly inputs: readonly Slot[]; readonly outputs: readonly Slot[] }> {
  try {
    const session = await InferenceSession.create(bytes, { logSeverityLevel: 4 });
    const inputs = session.inputMetadata.map(slotOf);
    const feeds = Object.fromEntries(inputs.map((slot) => [slot.name, feed(slot, model)]));
    const results = await session.run(feeds);
    const outputs = session.outputNames.map((name): Slot => {
      const { type, dims } = results[name]!;
      return { name, dtype: type, dims };
    });
    await session.release();
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

function slotOf(metadata: InferenceSession.ValueMetadata): Slot {
  if (!metadata.isTensor) return { name: metadata.name, dtype: "unknown", dims: [] };
  return { name: metadata.name, dtype: metadata.type, dims: metadata.shape.map(Number) };
}

/** Class 0, token 0, false and one half are valid values for whatever a model reads. */
function feed({ name, dtype, dims }: Slot, model: FileModel): Tensor {
  const size = dims.reduce((product, dim) => product * dim, 1);
  const parameter = model.parameters.find((each) => each.name === name);
  if (dtype === "float32") {
    return new Tensor(dtype, parameter ? Float32Array.from(parameter.data) : new Float32Array(size).fill(0.5), dims);
  }
  if (dtype === "float64") {
    return new Tensor(dtype, parameter ? Float64Array.from(parameter.data) : new Float64Array(size).fill(0.5), dims);
  }
  if (dtype === "int64" || dtype === "uint64") {
    return new Tensor(
      dtype,
      Array.from({ length: size }, () => 0n),
      dims,
    );
  }
  return new Tensor(dtype as "int32", new Array<number>(size).fill(0), dims);
}
