import { isFiniteVector } from "../../linalg/vectors/vector.ts";
import type { Vector } from "../../tensors/index.ts";
import type { BatchProduct, PassOptions, Tensors } from "../engine/risk.ts";
import type { OwnedEngine } from "../engine/riskEngine.ts";
import { nonFiniteError } from "./nonFinite.ts";
import type { NonFiniteSource } from "./nonFiniteRows.ts";

/**
 * The engine, throwing an error instead of returning a sum that is not finite. The error names the rows and the operation where it arises.
 * A sum that is not finite because its own vectors are not finite, or are too large, is returned unchanged.
 */
export function explainingEngine(engine: OwnedEngine, source: NonFiniteSource): OwnedEngine {
  const explain = async (failed: Parameters<typeof nonFiniteError>[1]): Promise<void> => {
    await engine.settle("search for numbers that are not finite", async () => {
      const error = await nonFiniteError(source, failed);
      if (error !== undefined) throw error;
    });
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
