import { diagonalBlock } from "../blocks/index.ts";
import type { BlockRecipe } from "./blockRecipe.ts";
import { placeOf } from "./places.ts";
import { denseBlock } from "../blocks/index.ts";
import { groupMatrix } from "../sums/numbers.ts";
import type { MatrixSource } from "./matrixSource.ts";

/** A zero block for entries that the outputs do not depend on. */
export function zeroRecipe(request: {
  readonly id: string;
  readonly name: string;
  readonly parameter: number;
  readonly indices: Int32Array;
}): BlockRecipe {
  const { id, name, parameter, indices } = request;
  return {
    id,
    sums: () => ({}),
    blocks: () => [
      {
        name,
        parameters: [parameter],
        place: placeOf(indices, 1),
        block: diagonalBlock(new Float64Array(indices.length)),
        reason: "zero: the outputs do not depend on it",
      },
    ],
  };
}

/** The output factor B of a layer as the block of its bias, as curvlinops has it; off by the products of different positions. */
export function factorBiasRecipe(source: MatrixSource, name: string): BlockRecipe {
  const { id, matrix } = source;
  const { parameter, indices } = matrix.bias!;
  const outputs = matrix.sizes[1];
  return {
    id: `bias of ${id}`,
    sums: () => ({}),
    blocks: (totals, scale) =>
      Array.from({ length: matrix.groups }, (_, group) => ({
        name: matrix.groups === 1 ? name : `${name} group ${group}`,
        parameters: [parameter],
        place: placeOf(indices.subarray(group * outputs, (group + 1) * outputs), 1),
        block: denseBlock(groupMatrix(totals[`B ${id}`], group, scale)),
        reason: "output factor of its layer",
      })),
  };
}
