import { describe, expect, test } from "vitest";
import { arrays } from "../../src/data/index.ts";
import { batchesOf, range, rowsOf } from "./passes.ts";

const x = { data: Float32Array.from(range(10)), dims: [5, 2] };
const y = { data: Int32Array.from([3, 1, 4, 1, 5]), dims: [5] };

describe("arrays", () => {
  test("gives consecutive rows, the last batch smaller, the same in every pass", async () => {
    const data = arrays({ inputs: x, targets: y, weights: [1, 2, 3, 4, 5], batchSize: 2 });
    const pass = await rowsOf(data);
    expect(pass).toEqual({
      starts: [0, 2, 4],
      sizes: [2, 2, 1],
      inputs: { "": range(10) },
      targets: [3, 1, 4, 1, 5],
      weights: [1, 2, 3, 4, 5],
    });
    expect(await rowsOf(data)).toEqual(pass);
    expect(data).toMatchObject({
      rows: 5,
      batchSize: 2,
      weighted: true,
      inputs: { "": { dims: [2], dtype: "float32" } },
      targets: { dims: [], dtype: "int32" },
    });
  });

  test("copies nothing: batches are views", async () => {
    for (const batch of await batchesOf(arrays({ inputs: x, targets: y, batchSize: 2 }))) {
      expect((batch.inputs[""]!.data as Float32Array).buffer).toBe(x.data.buffer);
      expect((batch.targets!.data as Int32Array).buffer).toBe(y.data.buffer);
      expect(batch.inputs[""]!.dims).toEqual([batch.rows, 2]);
    }
  });

  test("takes several inputs by name, keeps element types, and strings", async () => {
    const mask = { data: Uint8Array.of(1, 0, 1), dims: [3, 1], dtype: "bool" as const };
    const words = { data: ["a", "b", "c"], dims: [3] };
    const batches = await batchesOf(arrays({ inputs: { mask, words }, batchSize: 2 }));
    expect(batches.map((batch) => batch.inputs.words!.data)).toEqual([["a", "b"], ["c"]]);
    expect(batches[1]!.inputs.mask).toEqual({ data: Uint8Array.of(1), dims: [1, 1], dtype: "bool" });
    expect(batches[1]!.targets).toBeUndefined();
  });

  test("makes batches of 512 rows where no size is given, and none larger than the data", () => {
    const bytes = { data: new Uint8Array(1000), dims: [1000] };
    expect(arrays({ inputs: bytes }).batchSize).toBe(512);
    expect(arrays({ inputs: x }).batchSize).toBe(5);
    expect(arrays({ inputs: x, batchSize: 99 }).batchSize).toBe(5);
  });

  test("stops at an aborted signal", async () => {
    const controller = new AbortController();
    const seen: number[] = [];
    const pass = async () => {
      for await (const { start } of arrays({ inputs: x, batchSize: 2 }).batches({ signal: controller.signal })) {
        seen.push(start);
        controller.abort();
      }
    };
    await expect(pass()).rejects.toMatchObject({
      code: "aborted",
      message: "the pass over the data was stopped by the caller's signal",
    });
    expect(seen).toEqual([0]);
  });

  test.each([
    [{ inputs: x, batchSize: 0 }, "expected a batch size of 1, 2, 3, ... rows, got 0; leave it out for 512"],
    [{ inputs: x, batchSize: 2.5 }, "expected a batch size of 1, 2, 3, ... rows, got 2.5; leave it out for 512"],
    [
      { inputs: x, targets: { data: new Int32Array(4), dims: [4] } },
      "arrays in memory: the input has 5 rows but targets have 4; every part needs one entry a row, in the same order",
    ],
    [
      { inputs: { a: x, b: { data: new Float32Array(6), dims: [3, 2] } } },
      'arrays in memory: input "a" has 5 rows but input "b" has 3; every part needs one entry a row, in the same order',
    ],
    [
      { inputs: x, weights: [1, 2] },
      "arrays in memory: the input has 5 rows but weights have 2; every part needs one entry a row, in the same order",
    ],
    [{ inputs: x, weights: [1, 1, -1, 1, 1] }, "arrays in memory: expected weights of 0 or more, got -1 for row 2"],
    [
      { inputs: x, weights: [1, Number.NaN, 1, 1, 1] },
      "arrays in memory: expected weights of 0 or more, got NaN for row 1",
    ],
    [
      { inputs: { a: { data: new Float32Array(9), dims: [5, 2] } } },
      'arrays in memory: input "a": dimensions [5, 2] need 10 elements, but the array has 9',
    ],
    [
      { inputs: { data: new Float32Array(1), dims: [] } },
      "arrays in memory: the input: expected dimensions [rows, ...], got a scalar []",
    ],
    [{ inputs: {} }, "arrays in memory: expected at least one input tensor, got none"],
    [
      { inputs: { data: new Float32Array(0), dims: [0, 2] }, description: "mine" },
      "mine: expected at least one row, got none",
    ],
  ])("refuses what does not fit together: %#", (options, message) => {
    expect(() => arrays(options)).toThrow(message);
  });
});
