import { expect, test } from "vitest";
import { makeQueue } from "../../src/concurrency/index.ts";

test("jobs run one after the other, in order", async () => {
  const queue = makeQueue();
  const events: string[] = [];
  const job = (name: string, delay: number) => async () => {
    events.push(`${name} starts`);
    await new Promise((resolve) => setTimeout(resolve, delay));
    events.push(`${name} ends`);
    return name;
  };
  expect(await Promise.all([queue(job("a", 20)), queue(job("b", 0)), queue(job("c", 5))])).toEqual(["a", "b", "c"]);
  expect(events).toEqual(["a starts", "a ends", "b starts", "b ends", "c starts", "c ends"]);
});

test("a job that fails rejects its own promise only", async () => {
  const queue = makeQueue();
  const failing = queue(() => Promise.reject(new Error("no")));
  const throwing = queue(() => {
    throw new Error("at once");
  });
  const next = queue(async () => 3);
  await expect(failing).rejects.toThrow("no");
  await expect(throwing).rejects.toThrow("at once");
  expect(await next).toBe(3);
});
