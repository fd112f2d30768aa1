import { expect, test } from "vitest";
import { rowGradients } from "../../src/index.ts";
import { toDense } from "../../src/linalg/index.ts";
import { rowGradientBlocks, rowLosses } from "../../src/operators/index.ts";
import { smallRisk } from "../applications/smallRisk.ts";
import { difference } from "./closeness.ts";

test("products of several columns with the gradients of rows are those of single columns", async () => {
  const risk = await smallRisk();
  const G = rowGradients(risk);
  const data = Float64Array.from({ length: 5 * risk.size }, (_, i) => Math.cos(i));
  const products = await G.matmat!({ rows: risk.size, columns: 5, data });
  expect([products.rows, products.columns]).toEqual([7, 5]);
  for (let k = 0; k < 5; k++) {
    const alone = await G.matvec(data.slice(k * risk.size, (k + 1) * risk.size));
    expect(difference(products.data.subarray(k * 7, k * 7 + 7), alone)).toBeLessThan(1e-12);
  }
  await risk.dispose();
});

test.each([
  ["one row a batch", undefined],
  ["a file of three rows at once", 3],
])("blocks of gradients are the rows of the matrix: %s", async (_, fixedRows) => {
  const risk = await smallRisk();
  const G = await toDense(rowGradients(risk));
  const fixed = fixedRows === undefined ? risk : { ...risk, model: { ...risk.model, fixedRows } };
  const sizes: number[] = [];
  for await (const { start, gradients } of rowGradientBlocks(fixed, { columns: 3, from: 1 })) {
    sizes.push(gradients.columns);
    for (let n = 0; n < gradients.columns; n++) {
      const own = gradients.data.subarray(n * risk.size, (n + 1) * risk.size);
      const row = Float64Array.from({ length: risk.size }, (_, k) => G.data[start + n + 7 * k]!);
      expect(difference(own, row)).toBeLessThan(1e-12);
    }
  }
  expect(sizes).toEqual([3, 3]);
  await risk.dispose();
});

test("losses of rows have the risk as their mean", async () => {
  const risk = await smallRisk();
  const losses = await rowLosses(risk);
  expect(losses).toHaveLength(7);
  expect(Array.from(losses).reduce((sum, loss) => sum + loss, 0) / 7).toBeCloseTo(await risk.loss(), 12);
  await expect(rowLosses({ ...risk, coupledRows: true })).rejects.toThrow(
    "rowLosses are about rows that contribute to the loss independently",
  );
  await risk.dispose();
});
