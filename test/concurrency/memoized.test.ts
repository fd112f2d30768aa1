import { expect, test } from "vitest";
import { memoized } from "../../src/concurrency/index.ts";

test("the work is done once, for calls before and after its end", async () => {
  let calls = 0;
  const work = memoized(async () => ++calls);
  expect(work.known()).toBeUndefined();
  expect(await Promise.all([work(), work()])).toEqual([1, 1]);
  expect(await work()).toBe(1);
  expect(await work.known()).toBe(1);
});

test("a failure reaches all who wait for it, and the next call tries again", async () => {
  let calls = 0;
  const work = memoized(async () => {
    if (++calls === 1) throw new Error("the first fails");
    return calls;
  });
  const both = await Promise.allSettled([work(), work()]);
  expect(both.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(work.known()).toBeUndefined();
  expect(await work()).toBe(2);
});
