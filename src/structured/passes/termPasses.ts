import { CurvatureError } from "../../errors/index.ts";
import type { EvaluatedBatch, Risk } from "../../operators/engine/risk.ts";
import { stream } from "../../random/index.ts";
import type { Tensor } from "../../tensors/index.ts";

/**
 * The treatment of rows with several terms (tokens, pixels), whose gradients meet in the layers before:
 *
 * - "exact": each pass holds one term of a row, so that a row with P terms takes P times the passes;
 * - "signs": each pass holds all terms, with independent random signs: an unbiased estimate (E[(sum_t e_t g_t)(sum_t e_t g_t)'] = sum_t g_t
 *   g_t'), exact for layers at which the terms of a row do not meet;
 * - "auto": "exact" for up to 64 passes, else "signs".
 */
export type TermTreatment = "auto" | "exact" | "signs";

/** Passes that "auto" takes at most to keep terms apart. */
const EXACT_PASSES = 64;

/** How the columns of a root reach the layers. */
export interface TermPasses {
  /** Terms of a row. */
  readonly positions: number;
  /** Columns of the root. */
  readonly columns: number;
  readonly treatment: "one term a row" | "exact" | "signs" | "whole rows";
  /** Reverse passes in all. */
  readonly count: number;
  /** The choices of some of the passes: which column, [K, V], and which positions, [K, P]. Beyond the last they are zero. */
  selection(first: number, size: number): { readonly columns: Tensor; readonly positions: Tensor };
  /** Signs of the terms of a batch, [T]; they depend only on the seed and the index of the row in the whole data set. */
  signs?(batch: EvaluatedBatch): Tensor;
}

/**
 * Decides how many passes the columns of a root take.
 *
 * @throws CurvatureError "argument" for another treatment, or where signs are needed and there is no seed
 */
export function termPasses(
  risk: Risk,
  {
    columns,
    terms,
    seed,
    wholeRows = false,
  }: {
    readonly columns: number;
    readonly terms: TermTreatment;
    readonly seed: number | undefined;
    /** Whether each pass holds all terms of a row. */
    readonly wholeRows?: boolean;
  },
): TermPasses {
  const { positions } = risk.layout;
  if (!["auto", "exact", "signs"].includes(terms)) {
    throw new CurvatureError("argument", `terms must be "auto", "exact" or "signs", got ${JSON.stringify(terms)}`);
  }
  const apart = columns * positions;
  const isExact = positions === 1 || terms === "exact" || (terms === "auto" && apart <= EXACT_PASSES);
  const base = {
    positions,
    columns,
    selection: (first: number, size: number) => selection({ first, size, columns, positions, isExact }),
  };
  if (positions === 1) return { ...base, treatment: "one term a row", count: columns };
  if (wholeRows) {
    const all = (first: number, size: number) => selection({ first, size, columns, positions, isExact: false });
    return { ...base, treatment: "whole rows", count: columns, selection: all };
  }
  if (isExact) return { ...base, treatment: "exact", count: apart };
  if (seed === undefined || !Number.isFinite(seed)) {
    throw new CurvatureError(
      "argument",
      `each row has ${positions} terms, which would take ${apart} reverse passes to keep apart; give a seed for random signs, or ask for terms: "exact"`,
    );
  }
  return { ...base, treatment: "signs", count: columns, signs: (batch) => drawSigns(risk, { batch, seed }) };
}

function selection(request: {
  readonly first: number;
  readonly size: number;
  readonly columns: number;
  readonly positions: number;
  readonly isExact: boolean;
}): { readonly columns: Tensor; readonly positions: Tensor } {
  const { first, size, columns, positions, isExact } = request;
  const count = isExact ? columns * positions : columns;
  const chosen = new Float64Array(size * columns);
  const at = new Float64Array(size * positions);
  for (let k = 0; k < size && first + k < count; k++) {
    const pass = first + k;
    chosen[k * columns + (pass % columns)] = 1;
    if (isExact) at[k * positions + Math.floor(pass / columns)] = 1;
    else at.fill(1, k * positions, (k + 1) * positions);
  }
  return {
    columns: { data: chosen, dims: [size, columns] },
    positions: { data: at, dims: [size, positions] },
  };
}

function drawSigns(
  { shard, layout: { positions } }: Risk,
  { batch, seed }: { readonly batch: EvaluatedBatch; readonly seed: number },
): Tensor {
  const signs = new Float64Array(batch.rows * positions);
  for (let row = 0; row < batch.rows; row++) {
    const random = stream(seed, "signs of terms", shard.firstRow + batch.start + row);
    for (let t = 0; t < positions; t++) signs[row * positions + t] = random.uniform() < 0.5 ? -1 : 1;
  }
  return { data: signs, dims: [signs.length] };
}
