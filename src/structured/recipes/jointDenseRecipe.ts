import { concat, reshape, zeros } from "../../primitives/index.ts";
import { denseBlock } from "../blocks/index.ts";
import { secondMoment } from "../sums/factorSums.ts";
import { groupMatrix } from "../sums/numbers.ts";
import type { BlockRecipe } from "./blockRecipe.ts";
import type { ParameterSource } from "./exactRecipes.ts";
import { placeOf } from "./places.ts";

/** The exact block of several parameters together. */
export function jointDenseRecipe(
  sources: readonly ParameterSource[],
  { name, reason }: { readonly name: string; readonly reason: string },
): BlockRecipe {
  const id = `joint ${sources.map(({ index }) => index).join(" ")}`;
  const indices = Int32Array.from(
    sources.flatMap(({ parameter: { offset, size } }) => Array.from({ length: size }, (_, k) => offset + k)),
  );
  return {
    id,
    parameters: sources.map(({ index }) => index),
    sums(pieces) {
      const parts = sources.map(({ index }) => pieces.parameter(index));
      const known = parts.find((part) => part !== undefined);
      if (known === undefined) return { [id]: zeros([1, indices.length, indices.length]) };
      const [passes, rows] = known.shape;
      const whole = parts.map((part, i) => part ?? zeros([passes, rows, sources[i].parameter.size]));
      return { [id]: secondMoment(reshape(concat(whole, 2), [1, passes * rows, indices.length])) };
    },
    blocks: (totals, scale) => [
      {
        name,
        parameters: sources.map(({ index }) => index),
        place: placeOf(indices, 1),
        block: denseBlock(groupMatrix(totals[id], 0, scale)),
        reason,
      },
    ],
  };
}
