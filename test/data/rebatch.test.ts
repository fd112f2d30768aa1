import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { arrays, rebatch, takeRows } from "../../src/data/index.ts";
import { batchesOf, range, rowsOf } from "./passes.ts";

function rowsOfData(rows: number, batchSize: number) {
  const inputs = { data: Float32Array.from(range(3 * rows)), dims: [rows, 3] };
  return arrays({ inputs, targets: { data: Uint8Array.from(range(rows)), dims: [rows] }, batchSize });
}

const sizes = fc.record({
  rows: fc.integer({ min: 1, max: 20 }),
  before: fc.integer({ min: 1, max: 25 }),
  after: fc.integer({ min: 1, max: 25 }),
});

describe("rebatch", () => {
  test("changes the batches and nothing else", async () => {
    await fc.assert(
      fc.asyncProperty(sizes, async ({ rows, before, after }) => {
        const data = rebatch(rowsOfData(rows, before), after);
        const expected = await rowsOf(rowsOfData(rows, after));
        expect(data.batchSize).toBe(Math.min(after, rows));
        expect(await rowsOf(data)).toEqual(expected);
        expect(await rowsOf(data)).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });

  test("copies no batch that lies within one of the given ones", async () => {
    const batches = await batchesOf(rebatch(rowsOfData(8, 8), 2));
    const buffers = new Set(batches.map((batch) => (batch.inputs[""]!.data as Float32Array).buffer));
    expect([batches.length, buffers.size]).toEqual([4, 1]);
  });

  test("passes the signal on", async () => {
    const data = rebatch(rowsOfData(8, 8), 2);
    await expect(batchesOf(data, AbortSignal.abort())).rejects.toMatchObject({ code: "aborted" });
  });

  test("refuses a batch size of 0", () => {
    expect(() => rebatch(rowsOfData(4, 2), 0)).toThrow(
      "expected a batch size of 1, 2, 3, ... rows, got 0; leave it out for 512",
    );
  });
});

describe("takeRows", () => {
  test("gives the rows of the range, counted anew", async () => {
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(19), fc.nat(19), async ({ rows, before }, a, b) => {
        const [from, to] = [Math.min(a, b), Math.max(a, b) + 1];
        fc.pre(to <= rows);
        const data = takeRows(rowsOfData(rows, before), [from, to]);
        const pass = await rowsOf(data);
        expect(data.rows).toBe(to - from);
        expect(pass.targets).toEqual(range(rows).slice(from, to));
        expect(pass.inputs[""]).toEqual(range(3 * rows).slice(3 * from, 3 * to));
        expect(pass.starts).toEqual(range(pass.starts.length).map((i) => i * data.batchSize));
      }),
      { numRuns: 60 },
    );
  });

  test("takes all further rows where there is no end, and says which in its description", async () => {
    const data = takeRows(rowsOfData(5, 2), [3]);
    expect((await rowsOf(data)).targets).toEqual([3, 4]);
    expect(data.description).toBe("arrays in memory, rows 3:5");
  });

  test.each([
    [[2, 2], "2:2"],
    [[-1, 2], "-1:2"],
    [[0, 6], "0:6"],
    [[0.5, 2], "0.5:2"],
    [[5], "5:"],
  ] as const)("refuses the range %j", (range, text) => {
    expect(() => takeRows(rowsOfData(5, 2), range)).toThrow(
      `arrays in memory: expected rows A:B with 0 <= A < B <= 5, got ${text}; row A is the first taken, row B the first left out`,
    );
  });
});
