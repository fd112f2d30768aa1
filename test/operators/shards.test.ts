import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { arrays } from "../../src/data/index.ts";
import {
  empiricalRisk,
  gradientCovariance,
  hessian,
  inputGradient,
  jacobian,
  type Risk,
} from "../../src/operators/index.ts";
import type { Tensor, Vector } from "../../src/tensors/index.ts";
import { sampled } from "../sampled.ts";
import { allMatrices, withLikelihood } from "./allMatrices.ts";
import { expectClose } from "./closeness.ts";
import { dataOf, type RiskCase, randomTensor, riskCases } from "./riskCases.ts";

const rowsOf = (tensor: Tensor, from: number, to: number): Tensor => {
  const size = tensor.data.length / tensor.dims[0];
  return { data: tensor.data.slice(from * size, to * size), dims: [to - from, ...tensor.dims.slice(1)] } as Tensor;
};

interface Part {
  readonly firstRow: number;
  readonly rows: number;
  readonly batchSize: number;
}

/**
 * Cuts of nine rows into consecutive parts, each with a batch size of its own. Rows 2, 3 and 4 are always alone: cases that ignore rows, or
 * weight them with 0, do so with one of these, so that a part counts nothing.
 */
const cuts = fc.subarray([1, 6, 7, 8], { maxLength: 1 }).chain((others) => {
  const edges = [0, 2, 3, 4, 5, ...others, 9].sort((a, b) => a - b);
  const parts = edges.slice(1).map((end, i) => ({ firstRow: edges[i], rows: end - edges[i] }));
  return fc.tuple(
    ...parts.map((part) => fc.integer({ min: 1, max: 5 }).map((batchSize): Part => ({ ...part, batchSize }))),
  );
});

async function openParts({ model, loss, inputs, targets, weights }: RiskCase, whole: Risk, parts: readonly Part[]) {
  return Promise.all(
    parts.map(({ firstRow, rows, batchSize }) => {
      const end = firstRow + rows;
      const data = arrays({
        inputs: Object.fromEntries(Object.entries(inputs).map(([name, x]) => [name, rowsOf(x, firstRow, end)])),
        targets: rowsOf(targets, firstRow, end),
        ...(weights && { weights: weights.slice(firstRow, end) }),
        batchSize,
      });
      const shard = { denominator: whole.shard.denominator, rows: whole.rows, firstRow };
      return empiricalRisk({ model, loss, data, dtype: "float64", shard });
    }),
  );
}

async function sum(vectors: Promise<Vector>[]): Promise<Vector> {
  const [first, ...rest] = await Promise.all(vectors);
  return rest.reduce<Vector>((total, x) => Float64Array.from(total, (value, i) => value + x[i]), first);
}

const stacked = async (vectors: Promise<Vector>[]) =>
  Float64Array.from((await Promise.all(vectors)).flatMap((x) => [...x]));

async function expectSums(parts: readonly Risk[], whole: Risk): Promise<void> {
  const v = randomTensor([whole.size], 1).data;
  const losses = await Promise.all(parts.map((part) => part.loss()));
  expectClose(Float64Array.of(losses.reduce((a, b) => a + b)), Float64Array.of(await whole.loss()), 1e-12);
  expectClose(await sum(parts.map((part) => part.gradient())), await whole.gradient(), 1e-12);
  const mean = await whole.gradient();
  const { gradientCovariance: _, ...additive } = withLikelihood(whole)
    ? allMatrices
    : { ...{ hessian }, gradientCovariance };
  const makers = { ...additive, covariance: (risk: Risk) => gradientCovariance(risk, { mean }) };
  for (const make of Object.values(makers)) {
    const A = make(whole);
    expectClose(await sum(parts.map((part) => make(part).matvec(v))), await A.matvec(v), 1e-12);
    const X = { rows: whole.size, columns: 1, data: v };
    expectClose(await sum(parts.map((part) => make(part).quadraticForms!(X))), await A.quadraticForms!(X), 1e-12);
  }
  expectClose(await stacked(parts.map((part) => jacobian(part).matvec(v))), await jacobian(whole).matvec(v), 1e-12);
}

describe("the sum over shards is the whole, however the rows are cut", () => {
  test.each(sampled(Object.entries(riskCases), 4))("%s", async (name, riskCase) => {
    const { model, loss } = riskCase;
    const whole = await empiricalRisk({ model, loss, data: dataOf(riskCase, 4), dtype: "float64" });
    try {
      await fc.assert(
        fc.asyncProperty(cuts, async (cut) => {
          const parts = await openParts(riskCase, whole, cut);
          try {
            await expectSums(parts, whole);
          } finally {
            for (const part of parts) await part.dispose();
          }
        }),
        {
          numRuns: 1,
          // Another cut for each case.
          seed: Object.keys(riskCases).indexOf(name),
        },
      );
    } finally {
      await whole.dispose();
    }
  });
});

test("input gradients of shards are those rows of the whole", async () => {
  const riskCase = riskCases["cross-entropy"];
  const { model, loss } = riskCase;
  const whole = await empiricalRisk({ model, loss, data: dataOf(riskCase, 4), dtype: "float64" });
  const parts = await openParts(riskCase, whole, [
    { firstRow: 0, rows: 5, batchSize: 2 },
    { firstRow: 5, rows: 4, batchSize: 3 },
  ]);
  const pieces = parts.map(async (part) => (await inputGradient(part)).data as Vector);
  expectClose(await stacked(pieces), (await inputGradient(whole)).data as Vector, 1e-12);
  for (const risk of [whole, ...parts]) await risk.dispose();
});

test("a shard that does not lie within the whole is refused, and so is a covariance without the mean of the whole", async () => {
  const riskCase = riskCases["cross-entropy"];
  const { model, loss } = riskCase;
  const data = dataOf(riskCase, 4);
  for (const [rows, firstRow] of [
    [8, 0],
    [12, 4],
    [12, -1],
    [12.5, 0],
  ] as const)
    await expect(empiricalRisk({ model, loss, data, shard: { denominator: 12, rows, firstRow } })).rejects.toThrow(
      `shard: 9 rows from row ${firstRow} on do not lie within the ${rows} rows of the whole data set`,
    );
  const part = await empiricalRisk({ model, loss, data, shard: { denominator: 12, rows: 12, firstRow: 1 } });
  expect(() => gradientCovariance(part)).toThrow(
    "gradientCovariance: these 9 rows are a shard of 12; pass { mean }, the gradient of the whole data set: the sum of the shards' gradients",
  );
  expect(() => gradientCovariance(part, { mean: new Float32Array(2) })).toThrow("got a vector of 2");
  await part.dispose();
});
