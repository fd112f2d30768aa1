import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { sizeOf, type Tensor } from "../../src/tensors/index.ts";
import type { Feeds } from "./running.ts";

/** What has to come out of reading a file. */
export interface ExportedModel {
  /** Elements of its parameters, counted by hand from the module that was exported. */
  readonly floats: number;
  /** Largest difference over the largest entry of an output; for half precision what sixteen bits leave. Default 1e-5. */
  readonly tolerance?: number;
}

const mlp = 64 * 32 + 32 + 32 * 16 + 16 + 16 * 10 + 10;

/** The files beside this one that exporters wrote, with what each is known to have. */
export const exportedModels: { readonly [name: string]: ExportedModel } = {
  audio_conv1d_dynamo: { floats: 584 },
  // Two scales and a fill value of its attention are no parameters.
  bert_dynamo: { floats: 6206 - 3 },
  cnn_batch_one_dynamo: { floats: 2382 },
  cnn_eval_dynamo: { floats: 2382 },
  // The running mean and variance of 24 channels.
  cnn_eval_torchscript: { floats: 2478 - 2 * 24 },
  // Four powers and factors of each GELU and attention.
  gpt2_dynamo: { floats: 16808 - 8 },
  gpt2_opset23_dynamo: { floats: 16805 - 5 },
  gpt2_torchscript: { floats: 16800 },
  // The exponential of a temperature, two bounds, three scalars, constant scale and bias of four groups.
  layers_zoo_dynamo: { floats: 2696 - 6 - 2 * 4 },
  // Three inverse frequencies, five scalars.
  llama_dynamo: { floats: 11264 - 3 - 5 },
  lstm_dynamo: { floats: 2517 - 1 },
  lstm_torchscript: { floats: 2516 },
  merged_weights_dynamo: { floats: 235 },
  mlp_bfloat16: { floats: mlp, tolerance: 5e-3 },
  mlp_dynamo: { floats: mlp },
  mlp_external_data: { floats: mlp },
  mlp_float16: { floats: mlp, tolerance: 5e-3 },
  mlp_probabilities: { floats: mlp },
  mlp_torchscript: { floats: mlp },
  // The threshold of Softplus.
  regression_mlp: { floats: 795 - 1 },
  resnet_timm_dynamo: { floats: 36353 },
  rms_opset23_dynamo: { floats: 520 },
  sklearn_mlp_classifier: { floats: 64 * 24 + 24 + 24 * 12 + 12 + 12 * 10 + 10 },
  tied_autoencoder_dynamo: { floats: 1612 },
  // Constant scales and biases of InstanceNormalization, four scales of Resize.
  unet_dynamo: { floats: 3295 - 2 * 2 - 4 },
  // One index as a float.
  vit_dynamo: { floats: 5147 - 1 },
  vit_torchscript: { floats: 5146 },
};

interface StoredTensor {
  readonly dtype: string;
  readonly dims: readonly number[];
  readonly data: readonly number[];
}

/** Path of a file of the folder of exported models. */
export function exportedPath(name: string): string {
  return fileURLToPath(new URL(`exported/${name}`, import.meta.url));
}

/** Inputs and outputs that stand beside a model, the latter from ONNX Runtime in float32 (PyTorch in bfloat16). */
export function storedTensors(name: string): { readonly inputs: Feeds; readonly outputs: Feeds } {
  const { inputs, outputs } = JSON.parse(readFileSync(exportedPath(`${name}.json`), "utf8"));
  return { inputs: tensors(inputs), outputs: tensors(outputs) };
}

function tensors(stored: { readonly [name: string]: StoredTensor }): Feeds {
  return Object.fromEntries(
    Object.entries(stored).map(([name, { dtype, dims, data }]): [string, Tensor] => [
      name,
      { data: dtype === "int64" ? BigInt64Array.from(data, BigInt) : Float32Array.from(data), dims },
    ]),
  );
}

/** The rows from `start` on, before `limit`, of tensors. */
export function rowsOf(feeds: Feeds, start: number, limit: number): Feeds {
  return Object.fromEntries(
    Object.entries(feeds).map(([name, { data, dims }]): [string, Tensor] => {
      const size = sizeOf(dims.slice(1));
      const part = (data as Float32Array).slice(start * size, limit * size);
      return [name, { data: part, dims: [limit - start, ...dims.slice(1)] }];
    }),
  );
}
