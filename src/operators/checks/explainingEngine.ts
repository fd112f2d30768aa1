import { isFiniteVector } from "../../linalg/vectors/vector.ts";
import type { Vector } from "../../tensors/index.ts";
import type { BatchProduct, PassOptions, Tensors } from "../engine/risk.ts";
import type { OwnedEngine } from "../engine/riskEngine.ts";
import { nonFiniteError } from "./nonFinite.ts";
import type { NonFiniteSource } from "./nonFiniteRows.ts";

/**
 * The engine with an error in place of a sum that is not finite, which names the rows and the operation where that arises. A sum that is not
 * finite because its own vectors are not, or are too large, is returned as it is.
 */
export function explainingEngine(engine: OwnedEngine, source: NonFiniteSource): OwnedEngine {
  const explain = async (failed: Parameters<typeof nonFiniteError>[1]): Promise<void> => {
    const error = await nonFiniteError(source, failed);
    if (error !== undefined) throw error;
  };
  return {
    ...engine,
    async sum(product: BatchProduct, call: PassOptions = {}): Promise<Vector> {
      const result = await engine.sum(product, call);
      if (isFiniteVector(result)) return result;
      const index = result.findIndex((value) => !Number.isFinite(value));
      await explain({ product, call, flat: true, column: Math.floor(index / source.theta.length) });
      return result;
    },
    async total(product: BatchProduct, call: PassOptions = {}): Promise<Tensors> {
      const result = await engine.total(product, call);
      const bad = Object.values(result).find(({ data }) => !isFiniteVector(data as Vector));
      if (bad === undefined) return result;
      const index = (bad.data as Vector).findIndex((value) => !Number.isFinite(value));
      const columns = call.columns ?? 1;
      await explain({ product, call, flat: false, column: Math.floor((index * columns) / bad.data.length) });
      return result;
    },
  };
}
