import { input, type Value } from "../../src/graph/index.ts";
import { compile } from "../../src/runtime/index.ts";
import { dtypeOf, type Precision, type Tensor } from "../../src/tensors/index.ts";

/** Inputs of a graph and what they are fed, by name. */
export interface Fed {
  readonly inputs: Record<string, Value>;
  readonly feeds: Record<string, Tensor>;
}

/** Declares an input for each tensor. */
export function feed(tensors: Readonly<Record<string, Tensor>>): Fed {
  const inputs = Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => {
      const dtype = dtypeOf(tensor);
      const type = dtype === "float64" || dtype === "float32" || dtype === "float16" ? "float" : dtype;
      return [name, input(name, tensor.dims, type)];
    }),
  );
  return { inputs, feeds: tensors };
}

/** A float64 tensor; a vector unless `dims` are given. */
export function floats(numbers: readonly number[], dims: readonly number[] = [numbers.length]): Tensor {
  return { data: Float64Array.from(numbers), dims };
}

/** The numbers of some values. */
export async function evaluate<Name extends string>(
  outputs: Readonly<Record<Name, Value>>,
  { inputs, feeds }: Fed = feed({}),
  precision: Precision = "float64",
): Promise<Record<Name, number[]>> {
  const program = await compile({ inputs, outputs }, { precision });
  try {
    const results = await program.run(feeds);
    return Object.fromEntries(
      Object.entries(results).map(([name, { data }]) => [name, Array.from(data as ArrayLike<number | bigint>, Number)]),
    ) as Record<Name, number[]>;
  } finally {
    await program.release();
  }
}
