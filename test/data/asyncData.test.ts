import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { asyncData, type RowsInput } from "../../src/data/index.ts";
import { range, rowsOf } from "./passes.ts";

/** Rows `from`, ..., `to - 1`: input [2 row, 2 row + 1], target row, weight row. */
function part(from: number, to: number): RowsInput {
  const rows = range(to - from).map((i) => from + i);
  return {
    inputs: { x: { data: Float64Array.from(rows.flatMap((row) => [2 * row, 2 * row + 1])), dims: [to - from, 2] } },
    targets: { data: BigInt64Array.from(rows, BigInt), dims: [to - from] },
    weights: rows,
  };
}

describe("asyncData", () => {
  test("gives the source's rows in order, in batches of any size whatever the source's parts", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 7 }), { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 12 }),
        async (sizes, batchSize) => {
          const rows = sizes.reduce((sum, size) => sum + size, 0);
          fc.pre(rows > 0);
          async function* batches() {
            let start = 0;
            for (const size of sizes) yield part(start, (start += size));
          }
          const data = await asyncData({ rows, batches, batchSize });
          for (const pass of [await rowsOf(data), await rowsOf(data)]) {
            expect(pass.inputs.x).toEqual(range(2 * rows));
            expect(pass.targets).toEqual(range(rows));
            expect(pass.weights).toEqual(range(rows));
            expect(pass.sizes.slice(0, -1).every((size) => size === data.batchSize)).toBe(true);
            expect(pass.starts).toEqual(range(Math.ceil(rows / batchSize)).map((i) => i * batchSize));
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test("learns types and the usual batch size from the first part", async () => {
    const data = await asyncData({ rows: 7, batches: () => [part(0, 3), part(3, 7)], description: "table of digits" });
    expect(data).toMatchObject({
      rows: 7,
      batchSize: 3,
      description: "table of digits",
      inputs: { x: { dims: [2], dtype: "float64" } },
      targets: { dims: [], dtype: "int64" },
      weighted: true,
    });
  });

  test("joins strings of several parts", async () => {
    const batches = () => ["a", "b", "c"].map((word) => ({ inputs: { data: [word], dims: [1] } }));
    const data = await asyncData({ rows: 3, batches, batchSize: 2 });
    const seen: unknown[] = [];
    for await (const batch of data.batches()) seen.push(batch.inputs[""]);
    expect(seen).toEqual([
      { data: ["a", "b"], dims: [2] },
      { data: ["c"], dims: [1] },
    ]);
  });

  test("refuses a number of rows that is none", async () => {
    await expect(asyncData({ rows: 0, batches: () => [part(0, 1)] })).rejects.toThrow(
      "a source of batches: expected rows to be 1, 2, 3, ..., got 0",
    );
  });

  test("refuses an empty source", async () => {
    await expect(asyncData({ rows: 1, batches: () => [] })).rejects.toThrow(
      "a source of batches: expected at least one row, got none",
    );
  });

  test("refuses a part that differs in type, when it comes", async () => {
    const other = { ...part(2, 4), targets: { data: Float32Array.of(2, 3), dims: [2] } };
    const data = await asyncData({ rows: 4, batches: () => [part(0, 2), other] });
    await expect(rowsOf(data)).rejects.toThrow(
      'a source of batches: expected every part to have rows of input "x" [2] float64, targets [] int64, weights, ' +
        'got input "x" [2] float64, targets [] float32, weights at row 2',
    );
  });

  test("refuses a part whose own pieces differ in their numbers of rows", async () => {
    const data = await asyncData({ rows: 4, batches: () => [part(0, 2), { ...part(2, 4), weights: [1] }] });
    await expect(rowsOf(data)).rejects.toThrow(
      'a source of batches, part at row 2: input "x" has 2 rows but weights have 1; ' +
        "every part needs one entry a row, in the same order",
    );
  });

  test("refuses passes with more or fewer rows than announced, such as a generator that is used up", async () => {
    const many = await asyncData({ rows: 3, batches: () => [part(0, 2), part(2, 4)] });
    await expect(rowsOf(many)).rejects.toThrow("a source of batches: expected 3 rows, got at least 4");
    const once = [part(0, 2)].values();
    const few = await asyncData({ rows: 2, batches: () => once });
    await expect(rowsOf(few)).rejects.toThrow(
      "a source of batches: expected 2 rows, got 0; `batches` has to start a new pass each time it is called",
    );
  });
});
