import type { Value } from "../../graph/index.ts";
import { scalar } from "../../graph/index.ts";
import type { Tensors } from "../../operators/engine/risk.ts";
import { zeros } from "../../primitives/index.ts";
import { diagonalKronecker, laterKronecker, type PlacedBlock } from "../blocks/index.ts";
import { INPUT_SUM } from "../plan/pieceTotals.ts";
import { cotangentSum, inputCount, inputSum, type Sharing } from "../sums/factorSums.ts";
import { inverseCount, scaledNumbers } from "../sums/numbers.ts";
import type { BlockRecipe } from "./blockRecipe.ts";
import { laterGroupMatrix } from "./laterGroupMatrix.ts";
import { type MatrixSource, matrixPieces, matrixPlace, withOnes } from "./matrixSource.ts";

/**
 * The Kronecker factors of a matrix, one pair a group of channels: A, the mean of `a a'` over rows and positions (expand) or of the rows' mean
 * inputs (reduce), and B = c sum_k g_k g_k'.
 */
export function kroneckerRecipe(source: MatrixSource, sharing: Sharing): BlockRecipe {
  const { id, parameter, matrix, joint } = source;
  const names = { A: `${INPUT_SUM}A ${id}`, count: `${INPUT_SUM}count ${id}`, B: `B ${id}` };
  return {
    id,
    parameters: source.joint ? [parameter, matrix.bias!.parameter] : [parameter],
    kronecker: matrixPieces(source, { spansPieces: sharing === "expand" }),
    sums(pieces) {
      const own = pieces.matrix(parameter, matrix.entries);
      if (own === undefined) return zeroFactors(source, names);
      const { rows, rowWeights } = pieces.layered;
      const inputs = joint ? withOnes(own.inputs) : own.inputs;
      return {
        [names.A]: inputSum(inputs, { sharing, rowWeights }),
        [names.count]: inputCount(own.g.shape[3], { sharing, rowWeights, rows }),
        [names.B]: cotangentSum(own.g, sharing),
      };
    },
    blocks: (totals, scale) =>
      Array.from({ length: matrix.groups }, (_, group) => placed(source, { totals, scale, group, names, sharing })),
  };
}

/**
 * The input factor of a matrix, with the identity for its output factor (FOOF; Benzing, 2022): no cotangent is needed, and the loss's scale
 * does not enter.
 */
export function inputRecipe(source: MatrixSource, sharing: Sharing): BlockRecipe {
  const { parameters, sums, ...recipe } = kroneckerRecipe(source, sharing);
  const { id, matrix } = source;
  const [, outputs] = matrix.sizes;
  const identity = new Float64Array(matrix.groups * outputs * outputs);
  for (let i = 0; i < matrix.groups * outputs; i++) {
    identity[Math.floor(i / outputs) * outputs * outputs + (i % outputs) * (outputs + 1)] = 1;
  }
  const B = { data: identity, dims: [matrix.groups, outputs, outputs] };
  return {
    id,
    parameters,
    // Without B nothing depends on cotangents, which are then not computed.
    sums(pieces) {
      const { [`B ${id}`]: _, ...inputs } = sums(pieces);
      return inputs;
    },
    blocks: (totals) =>
      recipe.blocks({ ...totals, [`B ${id}`]: B }, 1).map((own) => ({ ...own, reason: `${own.reason}, inputs alone` })),
  };
}

interface FactorNames {
  readonly A: string;
  readonly count: string;
  readonly B: string;
}

function zeroFactors({ matrix, joint }: MatrixSource, names: FactorNames): { readonly [name: string]: Value } {
  const { groups, sizes, isTable } = matrix;
  const inputs = sizes[0] + (joint ? 1 : 0);
  return {
    [names.A]: isTable ? zeros([inputs]) : zeros([groups, inputs, inputs]),
    [names.count]: scalar(0),
    [names.B]: zeros([groups, sizes[1], sizes[1]]),
  };
}

function placed(
  source: MatrixSource,
  request: {
    readonly totals: Tensors;
    readonly scale: number;
    readonly group: number;
    readonly names: FactorNames;
    readonly sharing: Sharing;
  },
): PlacedBlock {
  const { totals, scale, group, names, sharing } = request;
  const { matrix } = source;
  const share = inverseCount(totals[names.count]);
  const B = laterGroupMatrix(totals[names.B], group, scale);
  const inputs = totals[names.A];
  const place = { ...matrixPlace(source, group), inputs: Number(totals[names.count].data[0]) };
  const shared = matrix.uses > 1 ? `, ${matrix.uses} uses as positions` : "";
  if (inputs.dims.length === 1) {
    const block = diagonalKronecker({ A: scaledNumbers(inputs, share), B: B.matrix() });
    return { ...place, block, reason: `embedding table: frequencies of its entries (expand)${shared}` };
  }
  const block = laterKronecker({ A: laterGroupMatrix(inputs, group, share), B });
  return { ...place, block, reason: `Kronecker factors (${sharing})${shared}${source.joint ? ", bias joined" : ""}` };
}
