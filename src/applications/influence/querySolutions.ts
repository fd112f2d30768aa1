import { scal } from "../../linalg/vectors/vector.ts";
import { type Risk, rowGradientBlocks } from "../../operators/index.ts";
import type { Matrix } from "../../tensors/index.ts";
import { type PreparedInverse, signalOf } from "./inverseOptions.ts";
import { queryRisk } from "./queryRisk.ts";
import { solvedSystems } from "./solvedSystems.ts";

/** `(A + damping I)^-1 g_t` of all queries, [size, queries], and the largest residual over a right-hand side. */
export async function querySolutions(
  name: string,
  risk: Risk,
  {
    queries,
    systems,
    signal,
  }: Pick<PreparedInverse, "systems"> & { readonly queries: Risk; readonly signal?: AbortSignal | undefined },
): Promise<{ readonly x: Matrix; readonly residual: number }> {
  const prepared = queryRisk(name, risk, queries);
  const options = signalOf({ signal });
  try {
    for await (const { gradients } of rowGradientBlocks(prepared.risk, { columns: queries.rows, ...options })) {
      scal(prepared.factor, gradients.data);
      const { x, checks } = await solvedSystems(gradients, systems, options);
      return { x, residual: checks.reduce((so, { residual }) => Math.max(so, residual), 0) };
    }
  } finally {
    await prepared.dispose();
  }
  return { x: { rows: risk.size, columns: 0, data: new Float64Array(0) }, residual: 0 };
}
