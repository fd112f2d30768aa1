import type { Precision, Vector } from "../../tensors/index.ts";

/**
 * Long vectors that an algorithm is done with and writes its next ones over: fresh memory takes as long to get as a vector takes to fill.
 * Only for runs whose states nobody sees, since a state that is shown stays as it is.
 */
export interface VectorPool {
  /** A vector of n entries with undefined contents, if one is free. */
  take(n: number, dtype: Precision): Vector | undefined;
  /** Frees those vectors `before` that are not also in `after`. */
  free(before: readonly (Vector | undefined)[], after: readonly (Vector | undefined)[]): void;
}

/** None, at first. */
export function vectorPool(): VectorPool {
  const spares: Vector[] = [];
  return {
    take(n, dtype) {
      const found = spares.findIndex((x) => x.length === n && x instanceof Float32Array === (dtype === "float32"));
      return found < 0 ? undefined : spares.splice(found, 1)[0];
    },
    free(before, after) {
      for (const x of before) if (x && !after.includes(x) && !spares.includes(x)) spares.push(x);
    },
  };
}
