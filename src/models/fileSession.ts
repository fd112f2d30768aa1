import { openSession } from "#runtime";
import { CurvatureError } from "../errors/index.ts";
import { engineError } from "../runtime/index.ts";
import { byName, dtypeOf, type Tensor } from "../tensors/index.ts";
import type { FileModel } from "./loadModel.ts";
import { externalLocations } from "./storedWeights.ts";

/** The file of a model in ONNX Runtime. */
export interface FileSession {
  /** Outputs of the file by name, for inputs by name. */
  run(
    inputs: { readonly [name: string]: Tensor },
    outputs: readonly string[],
  ): Promise<{ readonly [name: string]: Tensor }>;
  release(): Promise<void>;
}

/**
 * Opens the file of a model as it is, with all optimizations of ONNX Runtime, as any program would. `model.run` computes with dequantized weights
 * instead, where the file has integers.
 *
 * @throws CurvatureError "unsupported" for a file with external data, "runtime" where ONNX Runtime refuses it
 */
export async function fileSession(model: FileModel): Promise<FileSession> {
  const { source, name, inputs: declared } = model;
  if (externalLocations(source).size > 0) {
    throw new CurvatureError("unsupported", `${name} has external data, so ONNX Runtime cannot open it from its bytes`);
  }
  const session = await openSession(source.bytes, { optimization: "all" }).catch((cause: unknown) => {
    throw engineError(`refused ${name}`, cause);
  });
  return {
    async run(inputs, outputs) {
      const feeds = byName<Tensor>();
      for (const { name: input, dtype } of declared) {
        const tensor = inputs[input] ?? inputs[""];
        const narrow = dtype === "float32" && dtypeOf(tensor) === "float64";
        feeds[input] = narrow ? { data: Float32Array.from(tensor.data as Float64Array), dims: tensor.dims } : tensor;
      }
      return session.run(feeds, outputs).catch((cause: unknown) => {
        throw engineError(`could not run ${name}`, cause);
      });
    },
    release: () => session.release(),
  };
}
