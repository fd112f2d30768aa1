import type { Tensors } from "./risk.ts";

/** Memory that the residuals of a batch take. */
export interface ResidualNeed {
  /** Bytes of the residuals. */
  readonly bytes: number;
  /** Bytes of the values that are alive at once while they are computed or used. */
  readonly working: number;
}

/** Residuals of products by batch, within a budget of bytes. Keys are objects that stand for a product of a view. */
export interface ResidualCache {
  get(product: object, batch: number): Tensors | undefined;
  /**
   * Whether residuals of this batch are to be kept, and makes room for them if so. Those of other products give way, those of the same product
   * do not: a pass over more batches than fit would otherwise always find the wrong ones. The answer for a batch depends on the batches of the
   * same product that were asked for before and on nothing else, and stays what it was, so that products have the same bits in every run.
   */
  reserve(product: object, batch: number, need: ResidualNeed): boolean;
  put(product: object, batch: number, residuals: Tensors): void;
  /** Forgets the residuals of these products. */
  drop(products: Iterable<object>): void;
  clear(): void;
}

/** A cache that keeps residuals while they and the values beside them take at most `budget` bytes. */
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
      // Products are forgotten in the order in which they were last written.
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

/** Which batches of a product are kept, and the bytes of these. */
interface Decisions {
  bytes: number;
  readonly batches: Map<number, boolean>;
}

/** Bytes of the tensors' arrays. */
export function byteLength(tensors: Tensors): number {
  return Object.values(tensors).reduce((sum, { data }) => sum + ("byteLength" in data ? data.byteLength : 0), 0);
}
