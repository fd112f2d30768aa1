import type { Value } from "../../graph/index.ts";
import { add, div, matmul, reduceSum, reshape, scatterAdd, square } from "../../primitives/index.ts";
import { formedPieces, type LayerPieces, tableRows } from "./pieceSums.ts";

/** Sums of squares of the numbers p = P_k o P_k, entry by entry: the passes are in groups of `size` consecutive ones. */
export interface PieceSpread {
  /** `sum_k p_k^2`. */
  readonly single: Value;
  /** `sum over groups (sum of p in the group)^2`. */
  readonly grouped: Value;
}

/** The spread of the pieces of a matrix, [groups, in, out] each. */
export function spreadOfPieces({ inputs, g }: LayerPieces, size: number): PieceSpread {
  const [, groups, rows, positions, outputs] = g.shape;
  if (inputs.kind === "table") {
    const { sums, counts } = tableRows(inputs, g);
    const places = reshape(inputs.indices, [rows * positions]);
    const inTable = (x: Value): Value => {
      const each = reshape(x, [rows, positions, outputs]);
      const once = counts === undefined ? each : div(each, counts);
      const all = scatterAdd(reshape(once, [rows * positions, outputs]), places, { axis: 0, size: inputs.entries });
      return reshape(all, [1, inputs.entries, outputs]);
    };
    return mapped(spread(square(sums), size), inTable);
  }
  const { vectors } = inputs;
  if (positions !== 1) {
    const parts = formedPieces({ vectors, g }, { wholePasses: true }).map((P) =>
      mapped(spread(square(P), size), (x) => reduceSum(x, [1])),
    );
    return parts.reduce((sum, { single, grouped }) => ({
      single: add(sum.single, single),
      grouped: add(sum.grouped, grouped),
    }));
  }
  // Without sharing p = a^2 g^2, and the sums over the passes are taken before the product.
  const a = reshape(square(square(vectors)), [groups, rows, vectors.shape[3]]);
  return mapped(spread(square(g), size), (x) => matmul(a, reshape(x, [groups, rows, outputs]), { transposeA: true }));
}

/** The spread of the pieces of a parameter, [K, rows, size] -> [size] each. */
export function spreadOfParameter(P: Value, size: number): PieceSpread {
  return mapped(spread(square(P), size), (x) => reduceSum(x, [0]));
}

/** Sums over the passes of p [K, ...]. */
function spread(p: Value, size: number): PieceSpread {
  const [passes, ...rest] = p.shape;
  const inGroups = reduceSum(reshape(p, [passes / size, size, ...rest]), [1]);
  return { single: reduceSum(square(p), [0]), grouped: reduceSum(square(inGroups), [0]) };
}

function mapped({ single, grouped }: PieceSpread, f: (x: Value) => Value): PieceSpread {
  return { single: f(single), grouped: f(grouped) };
}
