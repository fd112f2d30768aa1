import { column, type Matrix, type Vector } from "../../tensors/index.ts";
import { type Interruption, isInterruption, type Products } from "../runs/products.ts";
import { axpy, dot, norm } from "../vectors/vector.ts";

/**
 * Writes `||A v - value v||` over the estimates, or `||A v - value B v||` in the norm of the inverse of B, where `duals` are `B v` and `solve`
 * solves with B. One product each, and one solve.
 */
export async function eigenpairResiduals(
  run: Products,
  found: { readonly values: Float64Array; readonly vectors: Matrix; readonly residualNorms: Float64Array },
  {
    state,
    duals = found.vectors,
    solve,
  }: {
    readonly state: () => unknown;
    readonly duals?: Matrix | undefined;
    readonly solve?: ((w: Vector, state: () => unknown) => Promise<Vector | Interruption>) | undefined;
  },
): Promise<Interruption | undefined> {
  const { values, vectors, residualNorms } = found;
  const made = await run.block(vectors, state);
  for (const [i, w] of made.columns.entries()) {
    axpy(-values[i]!, column(duals, i), w);
    const u = solve ? await solve(w, state) : w;
    if (isInterruption(u)) return u;
    residualNorms[i] = solve ? Math.sqrt(Math.max(dot(u, w), 0)) : norm(w);
  }
  return made.interruption;
}
