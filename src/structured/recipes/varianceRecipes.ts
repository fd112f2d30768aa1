import type { Risk, Tensors } from "../../operators/engine/risk.ts";
import { zeros } from "../../primitives/index.ts";
import { diagonalBlock } from "../blocks/index.ts";
import type { LayerPlan } from "../plan/layerPlan.ts";
import { type PieceSpread, spreadOfParameter, spreadOfPieces } from "../sums/pieceSpread.ts";
import type { BlockRecipe } from "./blockRecipe.ts";
import { placeOfWhole } from "./exactRecipes.ts";
import type { LayerRecipes } from "./layerRecipes.ts";
import { type MatrixSource, matrixPlace } from "./matrixSource.ts";

/**
 * The spread from which variances follow, for entries `D = c sum_k p_k` of a diagonal with p_k = P_k o P_k, whose passes form independent groups:
 *
 * - "labels": the m passes of a group are independent samples of one term, `var D = c^2 sum_t m / (m - 1) (sum_s p_ts^2 - (sum_s p_ts)^2 / m)`;
 * - "rows": the sums X_u of the groups are independent, `var D <= c^2 M / (M - 1) (sum_u X_u^2 - (sum_u X_u)^2 / M)` in expectation for M groups, with equality for
 *   groups of equal means.
 */
export interface Spread {
  readonly of: "labels" | "rows";
  /** m, consecutive passes of a group. */
  readonly size: number;
  /** M, groups of all rows. */
  readonly count: number;
}

/** Recipes whose blocks are variances of the blocks of the exact diagonal's recipes, which must be summed in the same pass. */
export function varianceRecipes(risk: Risk, plan: LayerPlan, spread: Spread): LayerRecipes {
  const throughLayers: BlockRecipe[] = [];
  const byRow: BlockRecipe[] = [];
  plan.parameters.forEach((own, index) => {
    const parameter = risk.parameters[index];
    const whole = { id: `parameter ${index}`, index, parameter, reason: "" };
    if (own.form === "matrices") {
      own.matrices.forEach((matrix, part) => {
        const source = { id: `matrix ${index}.${part}`, name: parameter.name, parameter: index, matrix, joint: false };
        throughLayers.push(ofMatrix(source, spread));
      });
    } else if (own.form !== "unused") {
      (own.form === "outside" ? byRow : throughLayers).push(ofParameter(whole, spread));
    }
  });
  return { throughLayers, byRow };
}

function ofMatrix(source: MatrixSource, spread: Spread): BlockRecipe {
  const { id, parameter, matrix } = source;
  const dims = [matrix.groups, ...matrix.sizes];
  const size = matrix.sizes[0] * matrix.sizes[1];
  return {
    id: `variance of ${id}`,
    parameters: [parameter],
    sums(pieces) {
      const own = pieces.matrix(parameter, matrix.entries);
      return named(id, own === undefined ? none(dims) : spreadOfPieces(own, spread.size));
    },
    blocks(totals, scale) {
      const all = variances(totals, { id, spread, scale });
      return Array.from({ length: matrix.groups }, (_, group) => ({
        ...matrixPlace(source, group),
        block: diagonalBlock(all.slice(group * size, (group + 1) * size)),
        reason: "",
      }));
    },
  };
}

function ofParameter(source: Parameters<typeof placeOfWhole>[0], spread: Spread): BlockRecipe {
  const { id, index, parameter } = source;
  return {
    id: `variance of ${id}`,
    parameters: [index],
    sums(pieces) {
      const P = pieces.parameter(index);
      return named(id, P === undefined ? none([parameter.size]) : spreadOfParameter(P, spread.size));
    },
    blocks: (totals, scale) => [
      { ...placeOfWhole(source), block: diagonalBlock(variances(totals, { id, spread, scale })) },
    ],
  };
}

const none = (dims: readonly number[]): PieceSpread => ({ single: zeros(dims), grouped: zeros(dims) });
const named = (id: string, { single, grouped }: PieceSpread) => ({
  [`single ${id}`]: single,
  [`grouped ${id}`]: grouped,
});

function variances(
  totals: Tensors,
  { id, spread, scale }: { readonly id: string; readonly spread: Spread; readonly scale: number },
): Float64Array {
  const numbers = (name: string) => totals[name].data as Float64Array;
  const [single, grouped, sums] = [numbers(`single ${id}`), numbers(`grouped ${id}`), numbers(id)];
  const { of, size: m, count: M } = spread;
  return Float64Array.from(single, (x, i) => {
    const raw =
      of === "labels" ? (m / (m - 1)) * (x - grouped[i] / m) : (M / (M - 1)) * (grouped[i] - sums[i] ** 2 / M);
    return scale ** 2 * Math.max(raw, 0);
  });
}
