import { describe, expect, test } from "vitest";
import { blockEigsh, eigsh } from "../../src/linalg/index.ts";
import { counted, distance, geometric, range, rotated } from "./knownOperators.ts";

describe("blockEigsh", () => {
  test("sees as many copies as the block has vectors, where a single vector sees one", async () => {
    const values = range(100, (i) => (i < 2 ? 10 : i === 2 ? 9 : i / 100));
    const blocks = await blockEigsh(rotated(values), { k: 2, seed: 0, blockSize: 2, tolerance: 1e-3, basisSize: 30 });
    expect(distance(blocks.values, [10, 10])).toBeLessThan(1e-5);
    const single = await eigsh(rotated(values), { k: 2, seed: 0, copies: false, tolerance: 1e-3, basisSize: 8 });
    expect(single.values[1]).toBeCloseTo(9, 3);
  });
  test("restarts, makes its products together, and takes both ends", async () => {
    const values = range(200, (i) => Math.cos(i));
    const A = counted(rotated(values), { matmat: true });
    const result = await blockEigsh(A, { k: 6, which: "both", seed: 0, blockSize: 3, basisSize: 30, matvecs: 5000 });
    expect(result.status, result.message).toBe("converged");
    const descending = Array.from(values).sort((a, b) => b - a);
    expect(distance(result.values, [...descending.slice(0, 3), ...descending.slice(-3)])).toBeLessThan(1e-8);
    expect(A.count()).toBe(result.matvecs);
    expect(A.calls()).toBeLessThan(A.count() / 2);
    expect(result.matvecs).toBeGreaterThan(60);
  });
  test("float32", async () => {
    const result = await blockEigsh(rotated(geometric(80, 0.8), { dtype: "float32" }), { k: 3, seed: 0 });
    expect(result.status, result.message).toBe("converged");
    expect(distance(result.values, [1, 0.8, 0.64])).toBeLessThan(1e-4);
  });
  test("refuses what it cannot do", async () => {
    const refused = (options: object) =>
      expect(blockEigsh(rotated(geometric(20, 0.5)), { k: 2, seed: 0, ...options })).rejects;
    await refused({ k: 21 }).toThrow("blockEigsh expects k of at most 20, the order of the matrix, got 21");
    await refused({ which: "inner" }).toThrow('"largest", "smallest", "magnitude" or "both", got "inner"');
    await refused({ basisSize: 6 }).toThrow("basisSize to be at least k + 2 blocks = 10, got 6");
    await refused({ blockSize: 0 }).toThrow("blockEigsh expects blockSize to be a positive integer, got 0");
    await expect(blockEigsh({ ...rotated([1, 2]), symmetric: false }, { k: 1, seed: 0 })).rejects.toThrow(
      "blockEigsh expects a symmetric operator",
    );
  });
});
