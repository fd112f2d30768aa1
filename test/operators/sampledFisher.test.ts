import { describe, expect, test } from "vitest";
import { eigh, toDense } from "../../src/linalg/index.ts";
import { empiricalRisk, fisher, type Risk } from "../../src/operators/index.ts";
import type { Vector } from "../../src/tensors/index.ts";
import { expectClose } from "./closeness.ts";
import { dataOf, type RiskCase, randomTensor, riskCases } from "./riskCases.ts";

const cases = [
  "cross-entropy with weights of rows and classes, ignored rows, smoothing",
  "cross-entropy of tokens with ignored tokens and weights",
  "squared error with weights",
  "binary cross-entropy with positive weights",
  "poisson of two inputs",
  "gaussian on two outputs with weights",
];

async function using(riskCase: RiskCase, batchSize: number, use: (risk: Risk) => Promise<void>): Promise<void> {
  const { model, loss } = riskCase;
  const risk = await empiricalRisk({ model, loss, data: dataOf(riskCase, batchSize), dtype: "float64" });
  try {
    await use(risk);
  } finally {
    await risk.dispose();
  }
}

describe.each(cases)("%s", (name) => {
  const riskCase = riskCases[name];

  test("labels depend on the seed and the row alone: same in every product, for every batch size and operator", async () => {
    const products: Vector[] = [];
    for (const batchSize of [9, 1, 4]) {
      await using(riskCase, batchSize, async (risk) => {
        const v = randomTensor([risk.size], 1).data;
        const A = fisher(risk, { type: 1, labels: 2, seed: 7 });
        products.push(await A.matvec(v), await A.matvec(v));
        products.push(await fisher(risk, { type: 1, labels: 2, seed: 7 }).matvec(v));
        const other = await fisher(risk, { type: 1, labels: 2, seed: 8 }).matvec(v);
        expect(Math.max(...other.map((x, i) => Math.abs(x - products[0][i])))).toBeGreaterThan(1e-6);
        // Residuals of another seed do not get mixed up with those of this one.
        products.push(await A.matvec(v));
      });
    }
    for (const product of products) expectClose(product, products[0], 1e-12);
  });

  test("its mean over seeds is the exact Fisher matrix, within 5 standard errors", async () => {
    await using(riskCase, 9, async (risk) => {
      const v = randomTensor([risk.size], 1).data;
      const exact = await fisher(risk, { type: 2 }).matvec(v);
      const draws: Vector[] = [];
      for (let seed = 0; seed < 40; seed++) draws.push(await fisher(risk, { type: 1, labels: 8, seed }).matvec(v));
      exact.forEach((x, i) => {
        const mean = draws.reduce((sum, draw) => sum + draw[i], 0) / draws.length;
        const variance = draws.reduce((sum, draw) => sum + (draw[i] - mean) ** 2, 0) / (draws.length - 1);
        expect(Math.abs(mean - x)).toBeLessThanOrEqual(5 * Math.sqrt(variance / draws.length) + 1e-15);
      });
    });
  });
});

test("one label a row gives a matrix of rank at most the number of rows", async () => {
  const riskCase = {
    ...riskCases["cross-entropy"],
    inputs: { x: randomTensor([3, 4], 1) },
    targets: { data: Int32Array.of(0, 1, 2), dims: [3] },
  };
  await using(riskCase, 3, async (risk) => {
    const { values } = await eigh(await toDense(fisher(risk, { type: 1, labels: 1, seed: 0 })));
    const [largest, ...others] = [...values].reverse();
    expect(others[1]).toBeGreaterThan(1e-6 * largest);
    expect(others[2]).toBeLessThan(1e-13 * largest);
  });
});
