import { expect, test } from "vitest";
import { adjoint, matmat } from "../../src/linalg/index.ts";
import { ggn, hessian, jacobian, type Risk } from "../../src/operators/index.ts";
import { column, type Vector } from "../../src/tensors/index.ts";
import { sampled } from "../sampled.ts";
import { allMatrices } from "./allMatrices.ts";
import { expectClose } from "./closeness.ts";
import { type Fixture, type FixtureRisk, readFixture } from "./fixture.ts";
import { randomTensor } from "./riskCases.ts";

async function using<T>(fixture: Fixture, options: FixtureRisk, use: (risk: Risk) => Promise<T>): Promise<T> {
  const risk = await fixture.open(options);
  try {
    return await use(risk);
  } finally {
    await risk.dispose();
  }
}

/** Loss, gradient and every product of a risk. */
async function everything(risk: Risk, v: Vector): Promise<Map<string, Vector>> {
  const results = new Map<string, Vector>([
    ["loss", Float64Array.of(await risk.loss())],
    ["gradient", await risk.gradient()],
    ["jacobian", await jacobian(risk).matvec(v)],
    ["adjoint", await adjoint(jacobian(risk)).matvec(randomTensor([risk.rows * 10], 3).data)],
  ]);
  for (const [name, make] of Object.entries(allMatrices)) results.set(name, await make(risk).matvec(v));
  return results;
}

test("digits in batches of 1, 7, 64 and all rows: everything agrees", async () => {
  const fixture = await readFixture("digits_mlp_op13");
  const rows = 150;
  const at = (batchSize: number) =>
    using(fixture, { caseName: "train", loss: "cross_entropy", rows, batchSize }, (risk) =>
      everything(risk, fixture.v),
    );
  const expected = await at(rows);
  for (const batchSize of [1, 7, 64]) {
    const actual = await at(batchSize);
    for (const [name, values] of expected) expectClose(actual.get(name)!, values, 1e-12);
  }
});

test.each(sampled(["mnist_cnn_bn_op13", "mnist_vit_op17"], 1))(
  "%s: products of single batches, of several, of columns, with and without residuals agree",
  async (name) => {
    const fixture = await readFixture(name);
    const caseName = "test64";
    const options = { caseName, loss: "cross_entropy" as const, rows: 6 };
    const columns = 3;
    const products = (risk: Risk) => {
      const X = { rows: risk.size, columns, data: randomTensor([columns * risk.size], 4).data };
      return Promise.all([hessian, ggn].map(async (make) => (await matmat(make(risk), X)).data));
    };
    const singly = await using(fixture, { ...options, cache: 0 }, async (risk) => {
      const X = { rows: risk.size, columns, data: randomTensor([columns * risk.size], 4).data };
      const results: Float64Array[] = [];
      for (const make of [hessian, ggn]) {
        const all = new Float64Array(columns * risk.size);
        for (let k = 0; k < columns; k++) all.set(await make(risk).matvec(column(X, k)), k * risk.size);
        results.push(all);
      }
      return results;
    });
    for (const other of [{ batchSize: 6 }, { batchSize: 4, cache: 0 }]) {
      const together = await using(fixture, { ...options, ...other }, products);
      together.forEach((values, k) => {
        expectClose(values, singly[k], 1e-12);
      });
    }
    expect(singly[0].some((x) => x !== 0)).toBe(true);
  },
);
