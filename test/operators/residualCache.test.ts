import { expect, test } from "vitest";
import { residualCache } from "../../src/operators/residualCache.ts";

const [a, b, c] = [{}, {}, {}];

const bytes = (count: number) => ({ r: { data: new Uint8Array(count), dims: [count] } });

test("residuals are found by product and batch", () => {
  const cache = residualCache(100);
  const [a0, a1, b0] = [bytes(10), bytes(20), bytes(30)];
  cache.put(a, 0, a0);
  cache.put(a, 1, a1);
  cache.put(b, 0, b0);
  expect([cache.get(a, 0), cache.get(a, 1), cache.get(b, 0)]).toEqual([a0, a1, b0]);
  expect([cache.get(b, 1), cache.get(c, 0)]).toEqual([undefined, undefined]);
  cache.clear();
  expect(cache.get(a, 0)).toBeUndefined();
});

test("batches of one product never push each other out: what does not fit is not admitted", () => {
  const cache = residualCache(100);
  for (let batch = 0; batch < 3; batch++) {
    expect(cache.admits(a, 40)).toBe(batch < 2);
    if (batch < 2) cache.put(a, batch, bytes(40));
  }
  expect(cache.admits(a, 20)).toBe(true);
  expect(cache.admits(a, 21)).toBe(false);
});

test("other products give way, the one written longest ago first", () => {
  const cache = residualCache(100);
  cache.put(a, 0, bytes(30));
  cache.put(b, 0, bytes(30));
  cache.put(a, 1, bytes(30));
  expect(cache.admits(c, 40)).toBe(true);
  cache.put(c, 0, bytes(40));
  expect(cache.get(b, 0)).toBeUndefined();
  expect(cache.get(a, 0)).toBeDefined();
  cache.put(c, 1, bytes(60));
  expect(cache.get(a, 0)).toBeUndefined();
  expect([cache.get(c, 0), cache.get(c, 1)]).not.toContain(undefined);
});

test("dropped products are forgotten, and their room is free again", () => {
  const cache = residualCache(100);
  cache.put(a, 0, bytes(60));
  cache.put(b, 0, bytes(40));
  cache.drop([a]);
  expect([cache.get(a, 0), cache.get(b, 0)]).toEqual([undefined, bytes(40)]);
  cache.put(c, 0, bytes(60));
  expect(cache.get(b, 0)).toBeDefined();
});

test("a cache of no bytes keeps nothing", () => {
  expect(residualCache(0).admits(a, 1)).toBe(false);
});
