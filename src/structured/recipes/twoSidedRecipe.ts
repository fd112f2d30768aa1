import type { Tensors } from "../../operators/engine/risk.ts";
import { diagonalKronecker, laterKronecker, type PlacedBlock } from "../blocks/index.ts";
import { groupMatrix, scaledNumbers } from "../sums/numbers.ts";
import type { BlockRecipe } from "./blockRecipe.ts";
import { laterGroupMatrix } from "./laterGroupMatrix.ts";
import { type MatrixSource, matrixPieces, matrixPlace } from "./matrixSource.ts";
import { outerNames, outerSums } from "./outerSums.ts";

/**
 * Two-sided factors: `L = c sum_k P_k P_k'`, `R = c sum_k P_k' P_k`, the block `L (x) R / tr L`, whose trace is that of the exact block
 * (trace-normalised Shampoo; Ren and Goldfarb, 2021).
 */
export function twoSidedRecipe(source: MatrixSource): BlockRecipe {
  const { id, matrix } = source;
  const kronecker = matrixPieces(source, { spansPieces: true });
  return {
    id,
    parameters: source.joint ? [source.parameter, matrix.bias!.parameter] : [source.parameter],
    kronecker,
    sums: (pieces) => outerSums(pieces, { id, kronecker }),
    blocks: (totals, scale) =>
      Array.from({ length: matrix.groups }, (_, group) => ({
        ...matrixPlace(source, group),
        ...twoSided(totals, { ...outerNames(id), group, scale }),
      })),
  };
}

/** The block of one group, from sums [groups, in, in] (or its diagonal [in]) and [groups, out, out]. */
export function twoSided(
  totals: Tensors,
  request: { readonly left: string; readonly right: string; readonly group: number; readonly scale: number },
): Pick<PlacedBlock, "block" | "reason"> {
  const { left, right, group, scale } = request;
  const reason = "two-sided Kronecker factors";
  const rightOver = (trace: number) => laterGroupMatrix(totals[right], group, trace > 0 ? scale / trace : 0);
  if (totals[left].dims.length === 1) {
    const A = scaledNumbers(totals[left], scale);
    const trace = A.reduce((sum, x) => sum + x, 0);
    return { reason, block: diagonalKronecker({ A, B: rightOver(trace).matrix() }) };
  }
  const A = groupMatrix(totals[left], group, scale);
  let trace = 0;
  for (let i = 0; i < A.rows; i++) trace += A.data[i * A.rows + i];
  return { reason, block: laterKronecker({ A: { rows: A.rows, matrix: () => A }, B: rightOver(trace) }) };
}
