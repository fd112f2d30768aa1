import { type Precision, precisionOf, type Vector, zeros } from "../../tensors/index.ts";

// Fresh memory for a copy of a million entries costs more than the copy: the garbage collector runs the more often, and the system clears
// pages. A product is done with its copy when it ends, so that the next one can have the memory.

/** Entries from which on memory is used again. */
const LONG = 2 ** 14;

/** Free vectors that are remembered at most. */
const MOST = 8;

/** Vectors that no product uses, until the garbage collector takes them. */
const free: WeakRef<Vector>[] = [];

/**
 * Calls `use` with a copy of x in a precision, by default x's own, which is made before this returns its promise. The copy's memory is used
 * again after `use` has given its result, unless it is part of the result; so `use` must not keep it.
 */
export async function withInputCopy<T>(
  x: Vector,
  use: (copy: Vector) => Promise<T>,
  { dtype = precisionOf(x) }: { readonly dtype?: Precision | undefined } = {},
): Promise<T> {
  const copy = taken(x.length, dtype);
  copy.set(x);
  const result = await use(copy);
  // After an error it may still be read, and one that was transferred to another thread has no entries left.
  if (copy.length >= LONG && !isPartOf(result, copy)) free.push(new WeakRef(copy));
  if (free.length > MOST) free.shift();
  return result;
}

/** A vector of undefined contents. */
function taken(length: number, dtype: Precision): Vector {
  for (let k = free.length - 1; k >= 0; k--) {
    const vector = free[k].deref();
    const fits = vector?.length === length && vector instanceof Float32Array === (dtype === "float32");
    if (fits || vector === undefined) free.splice(k, 1);
    if (fits) return vector;
  }
  return zeros(length, dtype);
}

function isPartOf(result: unknown, { buffer }: Vector): boolean {
  const { data = result } = (result ?? {}) as { readonly data?: unknown | undefined };
  return ArrayBuffer.isView(data) && data.buffer === buffer;
}
