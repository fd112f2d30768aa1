import type { RiskParameter } from "../../operators/engine/risk.ts";
import { reduceSum, reshape, square, zeros } from "../../primitives/index.ts";
import { denseBlock, diagonalBlock } from "../blocks/index.ts";
import { groupsFirst, secondMoment } from "../sums/factorSums.ts";
import { groupMatrix, scaledNumbers } from "../sums/numbers.ts";
import { outerPieces, squaredPieces, wholePieces } from "../sums/pieceSums.ts";
import type { BlockRecipe } from "./blockRecipe.ts";
import { joinedPieces, type MatrixSource, matrixPlace } from "./matrixSource.ts";

/** A whole parameter, and why it has the block it gets. */
export interface ParameterSource {
  readonly id: string;
  readonly index: number;
  readonly parameter: RiskParameter;
  readonly reason: string;
}

export const placeOfWhole = ({ index, parameter, reason }: ParameterSource) => ({
  name: parameter.name,
  parameters: [index],
  place: { offset: parameter.offset },
  reason,
});

/** The exact block of a parameter, c sum_k vec(P_k) vec(P_k)'. */
export function denseRecipe(source: ParameterSource): BlockRecipe {
  const { id, index, parameter } = source;
  return {
    id,
    parameters: [index],
    sums(pieces) {
      const P = pieces.parameter(index);
      return {
        [id]: P === undefined ? zeros([1, parameter.size, parameter.size]) : secondMoment(oneGroup(P.shape, P)),
      };
    },
    blocks: (totals, scale) => [{ ...placeOfWhole(source), block: denseBlock(groupMatrix(totals[id], 0, scale)) }],
  };
}

const oneGroup = ([passes, rows, size]: readonly number[], P: Parameters<typeof reshape>[0]) =>
  reshape(P, [1, passes * rows, size]);

/** The exact diagonal of the block of a parameter, c sum_k P_k o P_k. */
export function diagonalRecipe(source: ParameterSource): BlockRecipe {
  const { id, index, parameter } = source;
  return {
    id,
    parameters: [index],
    sums(pieces) {
      const P = pieces.parameter(index);
      return { [id]: P === undefined ? zeros([parameter.size]) : reduceSum(square(P), [0, 1]) };
    },
    blocks: (totals, scale) => [{ ...placeOfWhole(source), block: diagonalBlock(scaledNumbers(totals[id], scale)) }],
  };
}

/** The exact diagonal of a matrix of the plan. */
export function matrixDiagonalRecipe(source: MatrixSource): BlockRecipe {
  const { id, parameter, matrix } = source;
  const size = matrix.sizes[0] * matrix.sizes[1];
  return {
    id,
    parameters: [parameter],
    sums(pieces) {
      const own = pieces.matrix(parameter, matrix.entries);
      return { [id]: own === undefined ? zeros([matrix.groups, ...matrix.sizes]) : squaredPieces(own) };
    },
    blocks: (totals, scale) =>
      Array.from({ length: matrix.groups }, (_, group) => ({
        ...matrixPlace(source, group),
        block: diagonalBlock(scaledNumbers(totals[id], scale).slice(group * size, (group + 1) * size)),
        reason: "exact diagonal",
      })),
  };
}

/** The exact block of each group of a matrix. */
export function matrixDenseRecipe(source: MatrixSource, reason: string): BlockRecipe {
  const { id, parameter, matrix, joint } = source;
  const [inputs, outputs] = [matrix.sizes[0] + (joint ? 1 : 0), matrix.sizes[1]];
  return {
    id,
    parameters: joint ? [parameter, matrix.bias!.parameter] : [parameter],
    sums(pieces) {
      const own = pieces.matrix(parameter, matrix.entries);
      if (own === undefined) return { [id]: zeros([matrix.groups, inputs * outputs, inputs * outputs]) };
      const joined = joinedPieces(source, own);
      // With one output a piece is a vector of inputs, and its outer products are the left sum.
      if (outputs === 1 && joined.inputs.kind === "vectors") return { [id]: outerPieces(joined).left };
      const P = wholePieces(joined);
      const [passes, groups, rows] = P.shape;
      return { [id]: secondMoment(reshape(groupsFirst(P), [groups, passes * rows, inputs * outputs])) };
    },
    blocks: (totals, scale) =>
      Array.from({ length: matrix.groups }, (_, group) => ({
        ...matrixPlace(source, group),
        block: denseBlock(groupMatrix(totals[id], group, scale)),
        reason,
      })),
  };
}
