import { mul } from "../../primitives/index.ts";
import type { Block } from "./block.ts";
import { checkEntries } from "./checkArrays.ts";
import { spectralBlock } from "./spectralBlock.ts";

/**
 * A diagonal block.
 *
 * @param entries [size], copied
 * @throws CurvatureError "argument" for entries that are not finite
 */
export function diagonalBlock(entries: Float64Array): Block {
  const values = checkEntries("diagonalBlock", entries);
  const dims = [values.length];
  return spectralBlock({
    kind: "diagonal",
    size: values.length,
    arrays: { entries: { data: values, dims } },
    spectrum: async () => ({
      values,
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
}
