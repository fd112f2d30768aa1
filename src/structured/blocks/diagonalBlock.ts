import { mul } from "../../primitives/index.ts";
import type { Block } from "./block.ts";
import { checkEntries } from "./checkArrays.ts";
import { clip, spectralBlock } from "./spectralBlock.ts";

/**
 * A diagonal block.
 *
 * @param entries [size], copied; negative ones that are rounding errors are taken as 0
 * @throws CurvatureError "argument" for entries that are not finite, or negative beyond 1e-4 of the largest
 */
export function diagonalBlock(entries: Float64Array): Block {
  const { values, clipped } = clip("diagonal", checkEntries("diagonalBlock", entries));
  const dims = [values.length];
  const block = spectralBlock({
    kind: "diagonal",
    size: values.length,
    arrays: { entries: { data: values, dims } },
    spectrum: async () => ({
      values,
      clipped,
      basis: {},
      toBasis: (x) => x,
      fromBasis: (x) => x,
      diagonalOf: (x) => x.slice(),
    }),
    plain: {
      form: "diagonal",
      arrays: { entries: { data: values, dims: [1, values.length] } },
      build: (x, { entries: own }) => mul(x, own),
    },
    plainDiagonal: () => values.slice(),
  });
  return { ...block, plusDiagonal: (added) => diagonalBlock(values.map((x, i) => x + added[i])) };
}
