import { expect, test } from "vitest";
import { freeMemory, machineMemory, openSession, unwrittenVector } from "../../src/runtime/node.ts";
import type { Runtime } from "../../src/runtime/session.ts";

/** What a platform must have: the compiler demands each entry. */
const node: Runtime = { machineMemory, freeMemory, openSession, unwrittenVector };

test("the runtime of Node keeps the contract of runtimes", () => {
  expect(node.freeMemory()).toBeGreaterThan(0);
  expect(node.machineMemory()).toBeGreaterThanOrEqual(node.freeMemory());
  expect(node.unwrittenVector(5, "float64")).toHaveLength(5);
  expect(node.unwrittenVector(2 ** 20, "float32")).toBeInstanceOf(Float32Array);
});
