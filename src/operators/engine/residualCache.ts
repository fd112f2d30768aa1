import type { Tensors } from "./risk.ts";

/** Memory for the residuals of a batch. */
export interface ResidualNeed {
  /** Bytes of the residuals. */
  readonly bytes: number;
  /** Bytes of the values that are alive at the same time while the residuals are computed or used. */
  readonly working: number;
}

/** Residuals of products by batch, within a budget of bytes. Keys are objects, one for each product of a view. */
export interface ResidualCache {
  get(product: object, batch: number): Tensors | undefined;
  /**
   * Decides whether to keep the residuals of this batch, and makes room for them if so. Residuals of other products are evicted. Those of
   * the same product are not, because a pass over more batches than fit would then never find a kept one. The decision depends only on the
   * earlier requests for batches of the same product, and it never changes, so that products have the same bits in every run.
   */
  reserve(product: object, batch: number, need: ResidualNeed): boolean;
  put(product: object, batch: number, residuals: Tensors): void;
  /** Drops the residuals of these products. */
  drop(products: Iterable<object>): void;
  clear(): void;
}

/** A cache that keeps residuals as long as they, and the values alive at the same time, take at most `budget` bytes. */
export function residualCache(budget: number): ResidualCache {
  const products = new Map<object, Map<number, Tensors>>();
  const sizes = new Map<object, number>();
  let decisions = new WeakMap<object, Decisions>();
  const total = () => [...sizes.values()].reduce((sum, size) => sum + size, 0);
  const forget = (product: object) => {
    products.delete(product);
    sizes.delete(product);
  };
  return {
    get: (product, batch) => products.get(product)?.get(batch),
    reserve(product, batch, { bytes, working }) {
      const own = decisions.get(product) ?? { bytes: 0, batches: new Map<number, boolean>() };
      decisions.set(product, own);
      let isKept = own.batches.get(batch);
      if (isKept === undefined) {
        isKept = own.bytes + bytes + working <= budget;
        own.batches.set(batch, isKept);
        if (isKept) own.bytes += bytes;
      }
      // Products are evicted in the order in which they were last written.
      for (const other of isKept ? [...products.keys()] : []) {
        if (total() + bytes + working <= budget) break;
        if (other !== product) forget(other);
      }
      return isKept;
    },
    put(product, batch, residuals) {
      const kept = products.get(product) ?? new Map<number, Tensors>();
      kept.set(batch, residuals);
      products.delete(product);
      products.set(product, kept);
      sizes.set(product, (sizes.get(product) ?? 0) + byteLength(residuals));
    },
    drop(dropped) {
      for (const product of dropped) {
        forget(product);
        decisions.delete(product);
      }
    },
    clear() {
      products.clear();
      sizes.clear();
      decisions = new WeakMap();
    },
  };
}

/** The batches of a product that are kept, and their bytes. */
interface Decisions {
  bytes: number;
  readonly batches: Map<number, boolean>;
}

/** Bytes of the tensors' arrays. */
export function byteLength(tensors: Tensors): number {
  return Object.values(tensors).reduce((sum, { data }) => sum + ("byteLength" in data ? data.byteLength : 0), 0);
}
