import type { Tensors } from "./risk.ts";

/** Residuals of products by batch, within a budget of bytes. Keys are objects that stand for a product of a view. */
export interface ResidualCache {
  get(product: object, batch: number): Tensors | undefined;
  /**
   * Whether residuals of this many bytes would be kept. Those of other products give way, those of the same product do not:
   * a pass over more batches than fit would otherwise always find the wrong ones.
   */
  admits(product: object, bytes: number): boolean;
  put(product: object, batch: number, residuals: Tensors): void;
  /** Forgets the residuals of these products. */
  drop(products: Iterable<object>): void;
  clear(): void;
}

/** A cache that keeps at most `budget` bytes. */
export function residualCache(budget: number): ResidualCache {
  const products = new Map<object, Map<number, Tensors>>();
  const sizes = new Map<object, number>();
  const total = () => [...sizes.values()].reduce((sum, size) => sum + size, 0);
  return {
    get: (product, batch) => products.get(product)?.get(batch),
    admits: (product, bytes) => (sizes.get(product) ?? 0) + bytes <= budget,
    put(product, batch, residuals) {
      const bytes = byteLength(residuals);
      // Products are forgotten in the order in which they were last written.
      for (const other of [...products.keys()]) {
        if (total() + bytes <= budget) break;
        if (other === product) continue;
        products.delete(other);
        sizes.delete(other);
      }
      const kept = products.get(product) ?? new Map<number, Tensors>();
      kept.set(batch, residuals);
      products.delete(product);
      products.set(product, kept);
      sizes.set(product, (sizes.get(product) ?? 0) + bytes);
    },
    drop(dropped) {
      for (const product of dropped) {
        products.delete(product);
        sizes.delete(product);
      }
    },
    clear() {
      products.clear();
      sizes.clear();
    },
  };
}

/** Bytes of the tensors' arrays. */
export function byteLength(tensors: Tensors): number {
  return Object.values(tensors).reduce((sum, { data }) => sum + ("byteLength" in data ? data.byteLength : 0), 0);
}
