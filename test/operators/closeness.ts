import { expect } from "vitest";
import type { Vector } from "../../src/tensors/index.ts";

/** Largest absolute difference of two vectors over the largest entry of the second (absolute where that is 0). */
export function difference(actual: Vector, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let [worst, largest] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    worst = Math.max(worst, Math.abs(actual[i] - expected[i]));
    largest = Math.max(largest, Math.abs(expected[i]));
  }
  return largest === 0 ? worst : worst / largest;
}

/** Expects vectors to agree within a share of the largest entry. */
export function expectClose(actual: Vector, expected: ArrayLike<number>, limit: number): void {
  expect(difference(actual, expected)).toBeLessThan(limit);
}
