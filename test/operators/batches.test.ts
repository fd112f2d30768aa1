import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adjoint, matmat } from "../../src/linalg/index.ts";
import { empiricalRisk, jacobian, type Risk } from "../../src/operators/index.ts";
import { column, type Vector } from "../../src/tensors/index.ts";
import { sampled } from "../sampled.ts";
import { allMatrices } from "./allMatrices.ts";
import { expectClose } from "./closeness.ts";
import { dataOf, randomTensor, riskCases } from "./riskCases.ts";

const chosen = [
  "cross-entropy with weights of rows and classes, ignored rows, smoothing",
  "cross-entropy of tokens with ignored tokens and weights",
  "gaussian on two outputs with weights",
];

describe.each(sampled(chosen, 1))("%s", (name) => {
  const riskCase = riskCases[name];
  const { model, loss } = riskCase;
  const open = (options: { readonly batchSize: number; readonly cache?: number; readonly dtype?: "float32" }) =>
    empiricalRisk({
      model,
      loss,
      data: dataOf(riskCase, options.batchSize),
      dtype: options.dtype ?? "float64",
      ...(options.cache !== undefined && { cache: options.cache }),
    });
  let whole: Risk;
  let v: Vector;
  let expected: Map<string, Vector>;
  beforeAll(async () => {
    whole = await open({ batchSize: 100 });
    v = randomTensor([whole.size], 1).data;
    expected = new Map();
    for (const [key, make] of Object.entries(allMatrices)) expected.set(key, await make(whole).matvec(v));
  });
  afterAll(() => whole.dispose());

  test.each([{ batchSize: 1 }, { batchSize: 7 }, { batchSize: 7, cache: 0 }, { batchSize: 2, cache: 1500 }])(
    "batches and cache do not matter: $batchSize rows, cache $cache",
    async (options) => {
      const risk = await open(options);
      try {
        const precise = 1e-12;
        expect(Math.abs((await risk.loss()) / (await whole.loss()) - 1)).toBeLessThan(precise);
        expectClose(await risk.gradient(), await whole.gradient(), precise);
        for (const [key, make] of Object.entries(allMatrices)) {
          const A = make(risk);
          // The second product of a matrix finds what the first one kept.
          expectClose(await A.matvec(v), expected.get(key)!, precise);
          expectClose(await A.matvec(v), expected.get(key)!, precise);
        }
        const [J, other] = [jacobian(risk), jacobian(whole)];
        expectClose(await J.matvec(v), await other.matvec(v), precise);
        const u = randomTensor([J.shape[0]], 2).data;
        expectClose(await adjoint(J).matvec(u), await adjoint(other).matvec(u), precise);
      } finally {
        await risk.dispose();
      }
    },
  );

  test.each(["columns first", "column by column first"])("32 columns are 32 products: %s", async (order) => {
    const risk = await open({ batchSize: 4 });
    try {
      const columns = 33;
      const X = { rows: risk.size, columns, data: randomTensor([columns * risk.size], 3).data };
      for (const make of Object.values(allMatrices)) {
        const A = make(risk);
        const singly = async () => {
          const results: Vector[] = [];
          for (let k = 0; k < columns; k++) results.push(await A.matvec(column(X, k)));
          return results;
        };
        const before = order === "columns first" ? undefined : await singly();
        const at = await matmat(A, X);
        const separate = before ?? (await singly());
        separate.forEach((result, k) => {
          expectClose(column(at, k), result, 1e-12);
        });
      }
    } finally {
      await risk.dispose();
    }
  });

  test("any batch size, any cache and any number of columns give the same products", async () => {
    const settings = fc.record({
      batchSize: fc.integer({ min: 1, max: 10 }),
      cache: fc.integer({ min: 0, max: 8000 }),
      columns: fc.integer({ min: 1, max: 5 }),
      matrix: fc.constantFrom(...Object.keys(allMatrices)),
    });
    const property = fc.asyncProperty(settings, async ({ batchSize, cache, columns, matrix }) => {
      const risk = await open({ batchSize, cache });
      try {
        const data = new Float64Array(columns * risk.size);
        for (let k = 0; k < columns; k++) data.set(v, k * risk.size);
        const products = await matmat(allMatrices[matrix](risk), { rows: risk.size, columns, data });
        for (let k = 0; k < columns; k++) expectClose(column(products, k), expected.get(matrix)!, 1e-12);
      } finally {
        await risk.dispose();
      }
    });
    await fc.assert(property, { numRuns: 12, seed: 1 });
  });

  test("float32 is close to float64", async () => {
    const risk = await open({ batchSize: 4, dtype: "float32" });
    try {
      expect(Math.abs((await risk.loss()) / (await whole.loss()) - 1)).toBeLessThan(1e-5);
      expect(await risk.gradient()).toBeInstanceOf(Float32Array);
      expectClose(await risk.gradient(), await whole.gradient(), 1e-5);
      for (const [key, make] of Object.entries(allMatrices)) {
        const product = await make(risk).matvec(v);
        expect(product).toBeInstanceOf(Float32Array);
        expectClose(product, expected.get(key)!, 1e-5);
      }
    } finally {
      await risk.dispose();
    }
  });
});
