import type { Tensor } from "../../tensors/index.ts";
import { checkFinite, type LaterMatrix } from "../blocks/index.ts";
import { groupMatrix } from "../sums/numbers.ts";
import { symmetricOrder } from "../sums/symmetricSum.ts";

/**
 * As `groupMatrix`, put together when it is first read: a matrix of many rows takes as long as the engine takes to sum it over some rows.
 *
 * @throws CurvatureError "argument" at once for entries that are not finite
 */
export function laterGroupMatrix(total: Tensor, group: number, factor: number): LaterMatrix {
  checkFinite("kronecker", total.data as Float64Array);
  const entries = once(() => groupMatrix(total, group, factor));
  return { rows: symmetricOrder(total.dims), matrix: entries };
}

/** Calls a function once, and forgets it with all that it holds. */
function once<T>(make: () => T): () => T {
  let [pending, made]: [(() => T) | undefined, T | undefined] = [make, undefined];
  return () => {
    if (pending !== undefined) [made, pending] = [pending(), undefined];
    return made as T;
  };
}
