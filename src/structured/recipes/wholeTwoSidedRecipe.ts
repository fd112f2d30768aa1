import type { Value } from "../../graph/index.ts";
import { matmul, permute, reduceSum, reshape, square } from "../../primitives/index.ts";
import type { BatchPieces } from "../plan/batchPieces.ts";
import { secondMoment } from "../sums/factorSums.ts";
import type { BlockRecipe, KroneckerPieces, Rotation } from "./blockRecipe.ts";
import { type ParameterSource, placeOfWhole } from "./exactRecipes.ts";
import { outerNames, outerSums } from "./outerSums.ts";
import { twoSided } from "./twoSidedRecipe.ts";

/**
 * Two-sided factors of a parameter in the layout of the file, [first axis, all others], from its whole pieces: for one that is used in
 * different orientations, such as a table of embeddings that is also the transposed matrix of the head.
 */
export function wholeTwoSidedRecipe(source: ParameterSource): BlockRecipe {
  const { id } = source;
  const kronecker = wholePieces(source);
  return {
    id,
    parameters: [source.index],
    kronecker,
    sums: (pieces) => outerSums(pieces, { id, kronecker }),
    blocks: (totals, scale) => [
      { ...placeOfWhole(source), ...twoSided(totals, { ...outerNames(id), group: 0, scale }), reason: source.reason },
    ],
  };
}

function wholePieces({ index, parameter }: ParameterSource): KroneckerPieces {
  const rows = parameter.dims[0];
  const columns = parameter.size / rows;
  const matrices = (pieces: BatchPieces, rotation?: Rotation): Value | undefined => {
    const P = pieces.parameter(index);
    if (P === undefined) return undefined;
    const plain = reshape(P, [1, P.shape[0] * P.shape[1], rows, columns]);
    if (rotation === undefined) return plain;
    const { left, right } = rotation;
    const turned = right === undefined ? plain : matmul(plain, reshape(right, [1, 1, ...right.shape.slice(1)]));
    if (left === undefined) return turned;
    return matmul(reshape(left, [1, 1, ...left.shape.slice(1)]), turned, { transposeA: true });
  };
  return {
    groups: 1,
    sizes: [rows, columns],
    isTable: false,
    spansPieces: true,
    squares(pieces, rotation) {
      const P = matrices(pieces, rotation);
      return P && reduceSum(square(P), [1]);
    },
    outer(pieces, { rotation } = {}) {
      const P = matrices(pieces, rotation);
      return P && { left: secondMoment(permute(P, [0, 1, 3, 2])), right: secondMoment(P) };
    },
  };
}
