import type { Data } from "../../data/index.ts";
import { CurvatureError } from "../../errors/index.ts";
import type { RunOptions } from "../../linalg/index.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { type Risk, rowGradients } from "../../operators/index.ts";
import { chosenRows, collectedRows } from "../chosenRows.ts";
import { checkIndices } from "./checkIndices.ts";
import { type InverseOptions, preparedInverse, signalOf } from "./inverseOptions.ts";
import { checkRows } from "./queryRisk.ts";
import { querySolutions } from "./querySolutions.ts";

/** Options of `replacementInfluence`. */
export interface ReplacementOptions extends InverseOptions, RunOptions {
  /** Training rows that are replaced, by index. */
  readonly rows: readonly number[];
  /** What replaces them, in the same order: the same rows with other labels or inputs. */
  readonly replacement: Data;
}

/** Effect of replacing training rows on queries. */
export interface ReplacementInfluence {
  /** Predicted change of each query's value if one row alone is replaced, [queries][replaced rows]. */
  readonly effects: readonly Float64Array[];
  readonly residual: number;
  readonly matvecs: number;
}

const NAME = "replacementInfluence";

/**
 * Effect of giving training rows another label or input (Koh and Liang, 2017, equation 3): a row leaves and another comes,
 *
 *     change of value_t = (1 / N) (g_z - g_z')' (A + damping I)^-1 g_t,
 *
 * to first order, each row alone. One solution a query and one pass over the rows and their replacements.
 *
 * @throws as `influence`; "shape" where there are not as many replacements as rows
 */
export async function replacementInfluence(
  risk: Risk,
  queries: Risk,
  options: ReplacementOptions,
): Promise<ReplacementInfluence> {
  checkRows(NAME, risk);
  checkOptions(NAME, options, "matrix damping weightDecay solver rows replacement signal onProgress");
  const { rows, replacement, signal } = options;
  checkIndices(NAME, rows, risk.rows);
  if (replacement?.rows !== rows.length) {
    throw new CurvatureError(
      "shape",
      `${NAME} expects as many replacements as rows, got ${String(replacement?.rows)} for ${rows.length}`,
    );
  }
  const { systems, solver } = preparedInverse(NAME, risk, options);
  const { x, residual } = await querySolutions(NAME, risk, { queries, systems, signal });
  const data = chosenRows(await collectedRows(risk.data), { chosen: rows, data: risk.data, what: "replaced rows" });
  const scores: Float64Array[] = [];
  for (const own of [data, replacement]) {
    const part = await risk.on(own, { shard: { ...risk.shard, firstRow: 0 } });
    try {
      scores.push(Float64Array.from((await rowGradients(part).matmat!(x, signalOf(options))).data));
    } finally {
      await part.dispose();
    }
  }
  const [before, after] = scores;
  const effects = Array.from({ length: x.columns }, (_, t) =>
    Float64Array.from(rows, (_, i) => (before![t * rows.length + i]! - after![t * rows.length + i]!) / risk.rows),
  );
  return { effects, residual, matvecs: solver.matvecs() };
}
