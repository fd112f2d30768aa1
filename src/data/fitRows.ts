import { CurvatureError } from "../errors/index.ts";
import { formatDims, sizeOf, type Tensor } from "../tensors/index.ts";

/** Dimensions of a model's input: a number is fixed, anything else (null, a name) is free. */
export type ModelDims = readonly (number | string | null)[];

/**
 * Reshapes the rows of a tensor `[rows, ...]` to the shape of a model's input, as a view. Only reshapes that keep the order of the elements
 * are made: between a flat row and any shape of its size, and by adding or removing axes of size 1. Shapes of equal size with axes in a
 * different order ([32, 32, 3] for [3, 32, 32]) are an error.
 *
 * @param options `dims` with the batch axis first; `input` is the input's name, `where` names the tensor in messages
 */
export function fitRows(
  tensor: Tensor,
  { dims, input, where }: { readonly dims: ModelDims; readonly input: string; readonly where: string },
): Tensor {
  const [have, want] = [tensor.dims.slice(1), dims.slice(1)];
  const fitted = fitDims(have, want);
  if (fitted !== undefined) return { ...tensor, dims: [tensor.dims[0]!, ...fitted] };
  const moves = want.every(isFixed) && sizeOf(have) === sizeOf(want);
  throw new CurvatureError(
    "shape",
    `${where}: rows have shape ${formatDims(have)} (${sizeOf(have)} numbers), but ${input === "" ? "the model's input" : `the model's input "${input}"`} ` +
      `takes ${formatDims(want)}${want.every(isFixed) ? ` (${sizeOf(want)})` : ""} a row; ` +
      (moves ? "the axes are in another order: transpose the file's array" : "check columns, label column and model"),
  );
}

function isFixed(dim: number | string | null): dim is number {
  return typeof dim === "number";
}

function fitDims(have: readonly number[], want: ModelDims): readonly number[] | undefined {
  if (matches(have, want)) return have;
  // Whether the axes are the same and in the same order, apart from axes of size 1.
  const axes = have.filter((dim) => dim !== 1);
  if (
    matches(
      axes,
      want.filter((dim) => dim !== 1),
    )
  ) {
    const rest = [...axes];
    return want.map((dim) => (dim === 1 ? 1 : rest.shift()!));
  }
  const fixed = sizeOf(want.filter(isFixed));
  const free = want.filter((dim) => !isFixed(dim)).length;
  const size = sizeOf(have);
  if (free > 1 || fixed === 0 || (free === 0 ? size !== fixed : size % fixed !== 0)) return undefined;
  const filled = want.map((dim) => (isFixed(dim) ? dim : size / fixed));
  return axes.length < 2 || filled.filter((dim) => dim !== 1).length < 2 ? filled : undefined;
}

function matches(have: readonly number[], want: ModelDims): boolean {
  return have.length === want.length && want.every((dim, axis) => !isFixed(dim) || dim === have[axis]);
}
