import { expect, test } from "vitest";
import { type ResidualCache, residualCache } from "../../src/operators/index.ts";

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

const need = (count: number, working = 0) => ({ bytes: count, working });

/** Keeps a batch if it is to be kept. */
function keep(cache: ResidualCache, product: object, batch: number, count: number): boolean {
  const isKept = cache.reserve(product, batch, need(count));
  if (isKept) cache.put(product, batch, bytes(count));
  return isKept;
}

test("batches of one product never push each other out: what does not fit is not admitted", () => {
  const cache = residualCache(100);
  for (let batch = 0; batch < 3; batch++) {
    expect(cache.reserve(a, batch, need(40))).toBe(batch < 2);
    if (batch < 2) cache.put(a, batch, bytes(40));
  }
  expect(cache.reserve(a, 3, need(21))).toBe(false);
  expect(cache.reserve(a, 4, need(20))).toBe(true);
});

test("other products give way, the one written longest ago first", () => {
  const cache = residualCache(100);
  keep(cache, a, 0, 30);
  keep(cache, b, 0, 30);
  keep(cache, a, 1, 30);
  expect(keep(cache, c, 0, 40)).toBe(true);
  expect(cache.get(b, 0)).toBeUndefined();
  expect(cache.get(a, 0)).toBeDefined();
  expect(keep(cache, c, 1, 60)).toBe(true);
  expect(cache.get(a, 0)).toBeUndefined();
  expect([cache.get(c, 0), cache.get(c, 1)]).not.toContain(undefined);
});

test("values beside the residuals count, those of other products included", () => {
  const cache = residualCache(100);
  expect(cache.reserve(a, 0, need(40, 61))).toBe(false);
  expect(cache.reserve(b, 0, need(40, 60))).toBe(true);
  cache.put(b, 0, bytes(40));
  expect(cache.reserve(c, 0, need(10, 50))).toBe(true);
  expect(cache.get(b, 0)).toBeDefined();
  expect(cache.reserve(c, 1, need(10, 51))).toBe(true);
  expect(cache.get(b, 0)).toBeUndefined();
});

test("what is kept does not depend on what other products do in between", () => {
  const pass = (cache: ResidualCache, disturb: () => void) =>
    [30, 30, 50, 30, 10].map((count, batch) => {
      disturb();
      return keep(cache, a, batch, count);
    });
  const alone = residualCache(100);
  const expected = pass(alone, () => {});
  expect(expected).toEqual([true, true, false, true, true]);
  const shared = residualCache(100);
  let batch = 0;
  expect(pass(shared, () => keep(shared, b, batch++, 20))).toEqual(expected);
  expect(pass(shared, () => {})).toEqual(expected);
});

test("dropped products are forgotten, and their room is free again", () => {
  const cache = residualCache(100);
  cache.put(a, 0, bytes(60));
  cache.put(b, 0, bytes(40));
  cache.drop([a]);
  expect([cache.get(a, 0), cache.get(b, 0)]).toEqual([undefined, bytes(40)]);
  expect(keep(cache, c, 0, 60)).toBe(true);
  expect(cache.get(b, 0)).toBeDefined();
});

test("a cache of no bytes keeps nothing", () => {
  expect(residualCache(0).reserve(a, 0, need(1))).toBe(false);
});
