import type { Dtype, Tensor } from "../tensors/index.ts";
import { convertTensor } from "./convertTensor.ts";
import { fitRows, type ModelDims } from "./fitRows.ts";

/** Dimensions and element type that a model expects of an input. */
export interface WantedInput {
  /** Dimensions with the batch axis first; a number is fixed, anything else is free. */
  readonly dims: ModelDims;
  readonly dtype: Dtype;
}

/** The model's inputs by name. */
export type WantedInputs = { readonly [name: string]: WantedInput };

/** An array and the name of its file. */
export interface NamedArray {
  readonly name: string;
  readonly tensor: Tensor;
}

/**
 * Arrays in the shapes and types of the model's inputs (`fitRows`, `convertTensor`).
 *
 * @param options `start` is the index in the file of the first row, for messages
 */
export function fitInputs(
  arrays: { readonly [name: string]: NamedArray },
  { wanted, scale, start }: { readonly wanted: WantedInputs; readonly scale: number; readonly start: number },
): { readonly [name: string]: Tensor } {
  const fitted = Object.entries(wanted).map(([name, { dims, dtype }]) => {
    const { tensor, name: where } = arrays[name]!;
    return [
      name,
      convertTensor(fitRows(tensor, { dims, input: name, where }), { dtype, scale, where, start }),
    ] as const;
  });
  return Object.fromEntries(fitted);
}
