import { expect, test } from "vitest";
import { functionOperator } from "../../src/linalg/index.ts";
import { sum } from "../../src/linalg/operator/index.ts";
import { withInputCopy } from "../../src/linalg/vectors/index.ts";
import type { Vector } from "../../src/tensors/index.ts";

const n = 2 ** 15;
const vector = (value: number) => new Float64Array(n).fill(value);

test("products one after the other use one memory, those at the same time memory of their own", async () => {
  const seen: ArrayBufferLike[] = [];
  const use = async (copy: Vector) => {
    seen.push(copy.buffer);
    await Promise.resolve();
    return sum(copy);
  };
  expect(await withInputCopy(vector(1), use)).toBe(n);
  expect(await withInputCopy(vector(2), use)).toBe(2 * n);
  expect(seen[1]).toBe(seen[0]);
  expect(await Promise.all([3, 4, 5].map((value) => withInputCopy(vector(value), use)))).toEqual([3 * n, 4 * n, 5 * n]);
  expect(new Set(seen.slice(2)).size).toBe(3);
});

test("memory of a result, of a failed product or of another kind is not used again", async () => {
  const returned = await withInputCopy(vector(1), async (copy) => copy);
  const part = await withInputCopy(vector(2), async (copy) => ({ rows: 3, columns: 1, data: copy.subarray(0, 3) }));
  let failed: Vector | undefined;
  const fail = withInputCopy(vector(3), async (copy) => {
    failed = copy;
    throw new Error("stopped");
  });
  await expect(fail).rejects.toThrow("stopped");
  const single = await withInputCopy(vector(4), async (copy) => copy, { dtype: "float32" });
  expect(single).toBeInstanceOf(Float32Array);
  const buffers = [returned, part.data, failed!, single].map(({ buffer }) => buffer);
  for (let k = 0; k < 6; k++) {
    expect(await withInputCopy(vector(9), async (copy) => buffers.includes(copy.buffer))).toBe(false);
  }
  expect([returned[0], part.data[0], failed![0], single[0]]).toEqual([1, 2, 3, 4]);
});

test("a function may transfer its copy to another thread", async () => {
  const A = functionOperator({
    shape: [n, n],
    matvec: (x) => structuredClone(x, { transfer: [x.buffer as ArrayBuffer] }),
  });
  for (const value of [1, 2, 3]) expect(await A.matvec(vector(value))).toEqual(vector(value));
});
