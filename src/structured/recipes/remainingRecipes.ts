import { diagonalBlock, laterKronecker } from "../blocks/index.ts";
import type { BlockRecipe } from "./blockRecipe.ts";
import type { ParameterSource } from "./exactRecipes.ts";
import { laterGroupMatrix } from "./laterGroupMatrix.ts";
import { biasPieces, type MatrixSource } from "./matrixSource.ts";
import { placeOf } from "./places.ts";

const one = { rows: 1, matrix: () => ({ rows: 1, columns: 1, data: Float64Array.of(1) }) };

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
    parameters: [parameter],
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

/** The identity for a parameter that is no matrix of a layer, where inputs alone are asked for. */
export function identityRecipe({ id, index, parameter }: ParameterSource): BlockRecipe {
  return {
    id,
    parameters: [index],
    sums: () => ({}),
    blocks: () => [
      {
        name: parameter.name,
        parameters: [index],
        place: { offset: parameter.offset },
        block: diagonalBlock(new Float64Array(parameter.size).fill(1)),
        reason: "identity: no matrix of a layer, inputs alone",
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
    parameters: [parameter],
    // In ekfac, its eigenvalues are corrected too.
    kronecker: biasPieces(source),
    sums: () => ({}),
    blocks: (totals, scale) =>
      Array.from({ length: matrix.groups }, (_, group) => ({
        name: matrix.groups === 1 ? name : `${name} group ${group}`,
        parameters: [parameter],
        place: placeOf(indices.subarray(group * outputs, (group + 1) * outputs), 1),
        block: laterKronecker({ A: one, B: laterGroupMatrix(totals[`B ${id}`], group, scale) }),
        reason: "output factor of its layer",
      })),
  };
}
