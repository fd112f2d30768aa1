import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { arrays, checkFinite, checkLabels, checkLabelTensor } from "../../src/data/index.ts";

describe("checkFinite", () => {
  test("names the first row and column that is not finite, whatever the batch size", async () => {
    const place = fc.record({ row: fc.nat(6), column: fc.nat(2), batchSize: fc.integer({ min: 1, max: 8 }) });
    await fc.assert(
      fc.asyncProperty(place, fc.constantFrom(Number.NaN, Infinity, -Infinity), async (at, value) => {
        const data = new Float32Array(21);
        data[at.row * 3 + at.column] = value;
        data[20] = Number.NaN;
        const bad = arrays({ inputs: { data, dims: [7, 3] }, batchSize: at.batchSize, description: "a.csv" });
        const shown = at.row * 3 + at.column === 20 ? Number.NaN : value;
        await expect(checkFinite(bad)).rejects.toThrow(
          `a.csv: the input at row ${at.row}, column ${at.column} is ${shown}, expected a finite number; repair or leave out such rows`,
        );
      }),
    );
  });

  test("looks at every input and at targets", async () => {
    const fine = { data: Float64Array.of(1, 2, 3, 4), dims: [2, 2] };
    const bad = { data: Float64Array.of(1, 2, 3, Infinity), dims: [2, 1, 2] };
    await expect(checkFinite(arrays({ inputs: { a: fine, b: bad } }))).rejects.toThrow(
      'arrays in memory: input "b" at row 1, position [0, 1] is Infinity',
    );
    const targets = { data: Float32Array.of(0, Number.NaN), dims: [2] };
    await expect(checkFinite(arrays({ inputs: fine, targets }))).rejects.toThrow(
      "arrays in memory: the target at row 1 is NaN",
    );
    const half = { data: Uint16Array.of(0x7bff, 0x7c00), dims: [2], dtype: "float16" as const };
    await expect(checkFinite(arrays({ inputs: half }))).rejects.toThrow(
      "arrays in memory: the input at row 1 is NaN or infinite",
    );
    const integers = { data: Uint16Array.of(0x7bff, 0x7c00), dims: [2] };
    await checkFinite(arrays({ inputs: { fine, integers }, targets: integers }));
  });
});

describe("checkLabels", () => {
  const inputs = { data: new Float32Array(4), dims: [4] };
  const labelled = (labels: readonly number[]) =>
    arrays({ inputs, targets: { data: Float64Array.from(labels), dims: [4] }, batchSize: 3, description: "y.npy" });

  test("accepts 0 to classes - 1 and the ignored label", async () => {
    await checkLabels(labelled([0, 1, 2, 0]), { classes: 3 });
    await checkLabels(labelled([0, -100, 2, -100]), { classes: 3, ignoreIndex: -100 });
  });

  test.each([
    [[0, 1, 2, 3], 3],
    [[0, 1, 2, -1], -1],
    [[0, 1, 2, 0.5], 0.5],
  ])("names the row and value of the first other one: %j", async (labels, value) => {
    await expect(checkLabels(labelled(labels), { classes: 3 })).rejects.toThrow(
      `y.npy: the label at row 3 is ${value}, expected 0 to 2, since the model has 3 classes (targets [1])`,
    );
  });

  test("names the place of a token's label, and what is ignored", () => {
    const tokens = { data: BigInt64Array.of(0n, 1n, 2n, 9n), dims: [2, 2] };
    expect(() => checkLabelTensor(tokens, { classes: 3, ignoreIndex: -100, where: "t.npy" })).toThrow(
      "t.npy: the label at row 1, column 1 is 9, expected 0 to 2 or -100 (ignored), since the model has 3 classes (targets [2, 2])",
    );
  });

  test("refuses data without targets, and targets that are no numbers", async () => {
    await expect(checkLabels(arrays({ inputs }), { classes: 3 })).rejects.toThrow(
      "arrays in memory: expected class labels as targets, got no targets",
    );
    const words = arrays({ inputs, targets: { data: ["a", "b", "c", "d"], dims: [4] } });
    await expect(checkLabels(words, { classes: 3 })).rejects.toThrow(
      "arrays in memory: expected labels as whole numbers, got string targets",
    );
  });
});
