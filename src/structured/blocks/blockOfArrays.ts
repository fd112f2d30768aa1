import { CurvatureError } from "../../errors/index.ts";
import type { DenseMatrix } from "../../linalg/dense/index.ts";
import type { Tensors } from "../../operators/engine/risk.ts";
import type { Block, BlockKind } from "./block.ts";
import { denseBlock } from "./denseBlock.ts";
import { diagonalBlock } from "./diagonalBlock.ts";
import { eigenKronecker } from "./eigenKronecker.ts";
import { diagonalKronecker, kronecker } from "./kronecker.ts";
import { lowRankPlusDiagonalBlock } from "./lowRankPlusDiagonalBlock.ts";

const makers: { readonly [kind in BlockKind]: (arrays: Tensors) => Block } = {
  kronecker: (arrays) => kronecker({ A: matrixOf(arrays, "A"), B: matrixOf(arrays, "B") }),
  eigenKronecker: (arrays) =>
    eigenKronecker({
      QA: arrays.QA === undefined ? undefined : matrixOf(arrays, "QA"),
      QB: matrixOf(arrays, "QB"),
      E: numbersOf(arrays, "E"),
    }),
  diagonalKronecker: (arrays) => diagonalKronecker({ A: numbersOf(arrays, "A"), B: matrixOf(arrays, "B") }),
  dense: (arrays) => denseBlock(matrixOf(arrays, "matrix")),
  diagonal: (arrays) => diagonalBlock(numbersOf(arrays, "entries")),
  lowRankPlusDiagonal: (arrays) =>
    lowRankPlusDiagonalBlock({
      vectors: matrixOf(arrays, "vectors"),
      values: numbersOf(arrays, "values"),
      diagonal: numbersOf(arrays, "diagonal"),
    }),
};

/**
 * The block with these `Block.arrays`.
 *
 * @throws CurvatureError "argument" for an unknown kind or a missing array, and as the constructors of the kinds
 */
export function blockOfArrays(kind: BlockKind, arrays: Tensors): Block {
  if (!Object.hasOwn(makers, kind)) {
    throw new CurvatureError(
      "argument",
      `a block must be one of ${Object.keys(makers).join(", ")}, got ${String(kind)}`,
    );
  }
  return makers[kind](arrays);
}

function numbersOf(arrays: Tensors, name: string): Float64Array {
  const data = Object.hasOwn(arrays, name) ? arrays[name].data : undefined;
  if (data instanceof Float64Array) return data;
  throw new CurvatureError("argument", `a block must have a float64 array ${name}`);
}

/** Arrays [columns, rows] hold matrices by columns. */
function matrixOf(arrays: Tensors, name: string): DenseMatrix {
  const data = numbersOf(arrays, name);
  const [columns, rows] = arrays[name].dims;
  return { rows, columns, data };
}
