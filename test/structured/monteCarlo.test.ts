import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import {
  arrays,
  crossEntropy,
  empiricalRisk,
  functionModel,
  gradientCovariance,
  hessian,
  primitives,
} from "../../src/index.ts";
import { toDense } from "../../src/linalg/index.ts";
import { stream } from "../../src/random/index.ts";
import { diagonal, hessianDiagonal, rowDiagonals, rowGradientNorms } from "../../src/structured/index.ts";
import { expectClose } from "../operators/closeness.ts";
import { readFixture } from "../operators/fixture.ts";
import { networkNames, networkRisk } from "./networks.ts";

/** How many entries lie within 1.96 of their standard errors, over some seeds. */
async function coverage(name: string, labels: number, seeds: number) {
  await using risk = await networkRisk(name);
  await using exact = await diagonal(risk, { of: { type: 2 }, terms: "exact" });
  const truth = await exact.diagonal();
  expect(exact.standardErrors).toBeUndefined();
  let [within, all, squares] = [0, 0, 0];
  for (let seed = 0; seed < seeds; seed++) {
    await using D = await diagonal(risk, { of: { type: 1, labels, seed }, terms: "exact" });
    expect(D.spread).toBe(labels > 1 ? "labels" : "rows");
    const [entries, errors] = [await D.diagonal(), D.standardErrors!];
    for (let i = 0; i < risk.size; i++) {
      if (!(errors[i] > 1e-12)) continue;
      const z = (entries[i] - truth[i]) / errors[i];
      all++;
      squares += z * z;
      if (Math.abs(z) < 1.96) within++;
    }
  }
  return { share: within / all, square: squares / all };
}

test.each(["conv1d", "reused_linear"])("%s: standard errors from sampled labels hold", async (name) => {
  const { share } = await coverage(name, 24, 6);
  expect(share).toBeGreaterThan(0.88);
  expect(share).toBeLessThan(0.99);
});

// Entries of rare tokens are decided by few labels, so that their intervals hold less often; their mean squares are right all the same.
test.each(["conv1d", "token_classifier"])(
  "%s: the squared error of an entry is its squared standard error in the mean",
  async (name) => {
    await using risk = await networkRisk(name);
    await using exact = await diagonal(risk, { of: { type: 2 } });
    const truth = await exact.diagonal();
    let [error, stated] = [0, 0];
    for (let seed = 0; seed < 40; seed++) {
      await using D = await diagonal(risk, { of: { type: 1, labels: 3, seed } });
      const entries = await D.diagonal();
      for (let i = 0; i < risk.size; i++) {
        error += (entries[i] - truth[i]) ** 2;
        stated += D.standardErrors![i] ** 2;
      }
    }
    expect(error / stated).toBeGreaterThan(0.6);
    expect(error / stated).toBeLessThan(1.6);
  },
);

test("the digits' sampled diagonals lie around the exact one, also with one label", async () => {
  const fixture = await readFixture("digits_mlp_op13");
  await using risk = await fixture.open({ caseName: "train50", loss: "cross_entropy" });
  await using exact = await diagonal(risk);
  const truth = await exact.diagonal();
  await using one = await diagonal(risk, { of: { type: 1, labels: 1, seed: 3 } });
  expect(one.spread).toBe("rows");
  await using many = await diagonal(risk, { of: { type: 1, labels: 64, seed: 3 } });
  const entries = await many.diagonal();
  const sum = (x: ArrayLike<number>) => Array.from(x).reduce((a, b) => a + b, 0);
  expect(sum(many.standardErrors!)).toBeLessThan(sum(one.standardErrors!));
  const [error, stated] = [entries.map((x, i) => (x - truth[i]) ** 2), many.standardErrors!.map((x) => x * x)];
  expect(sum(error) / sum(stated)).toBeLessThan(6);
});

test("batches of any cut give the same standard errors", async () => {
  await using risk = await networkRisk("token_classifier");
  await using cut = await networkRisk("token_classifier", { batchSize: 3 });
  const of = { type: 1, labels: 3, seed: 5 } as const;
  await using D = await diagonal(risk, { of });
  await using E = await diagonal(cut, { of });
  // Variances are differences of sums: their rounding errors are those of the largest.
  const squares = (x: Float64Array) => Float64Array.from(x, (error) => error * error);
  expectClose(squares(D.standardErrors!), squares(E.standardErrors!), 1e-12);
});

test("random signs have standard errors that are not too small", async () => {
  await using risk = await networkRisk("language_model");
  await using exact = await diagonal(risk, { terms: "exact" });
  const truth = await exact.diagonal();
  let [error, stated] = [0, 0];
  for (let seed = 0; seed < 10; seed++) {
    await using D = await diagonal(risk, { terms: "signs", seed });
    expect(D.spread).toBe("rows");
    (await D.diagonal()).forEach((x, i) => void (error += (x - truth[i]) ** 2));
    for (const x of D.standardErrors!) stated += x * x;
  }
  expect(error).toBeLessThan(1.5 * stated);
});

test.each(networkNames)(
  "%s: diagonals of rows sum to the diagonal, and the gradient covariance has its own",
  async (name) => {
    await using risk = await networkRisk(name, { batchSize: 2 });
    await using D = await diagonal(risk, { terms: "exact" });
    const sum = new Float64Array(risk.size);
    let rows = 0;
    for await (const { start, diagonals, traces } of rowDiagonals(risk)) {
      expect(start).toBe(rows);
      rows += diagonals.columns;
      diagonals.data.forEach((x, i) => void (sum[i % risk.size] += risk.scale * x));
      const whole = Array.from(diagonals.data).reduce((a, b) => a + b, 0);
      const byParameter = traces.reduce((a, { values }) => a + values.reduce((x, y) => x + y, 0), 0);
      expect(Math.abs(whole - byParameter)).toBeLessThan(1e-12 * whole);
    }
    expect(rows).toBe(risk.rows);
    expectClose(sum, Array.from(await D.diagonal()), 1e-11);
    await using C = await diagonal(risk, { of: "gradientCovariance" });
    const { data } = await toDense(gradientCovariance(risk));
    expectClose(
      await C.diagonal(),
      Array.from({ length: risk.size }, (_, i) => data[i * (risk.size + 1)]),
      1e-10,
    );
  },
);

test("the digits' rows: diagonals, traces and gradient norms by dense linear algebra in NumPy", async () => {
  const text = await readFile(new URL("../fixtures/structured/digits_diagonals.json", import.meta.url), "utf8");
  const stored = JSON.parse(text).losses.cross_entropy;
  const { rows } = stored;
  const fixture = await readFixture("digits_mlp_op13");
  await using risk = await fixture.open({ caseName: "train50", loss: "cross_entropy" });
  for await (const { start, diagonals, traces } of rowDiagonals(risk)) {
    for (let n = 0; n < diagonals.columns; n++) {
      const own = diagonals.data.subarray(n * risk.size, (n + 1) * risk.size);
      const known = rows.ggn_diagonal[String(start + n)];
      if (known !== undefined) expectClose(own, known, 1e-9);
      expect(
        Math.abs(Array.from(own).reduce((a, b) => a + b, 0) / rows.ggn_trace_first_50[start + n] - 1),
      ).toBeLessThan(1e-9);
      for (const { parameter, values } of traces) {
        expect(Math.abs(values[n] / rows.ggn_trace_by_tensor_first_50[parameter][start + n] - 1)).toBeLessThan(1e-9);
      }
    }
  }
  const { norms } = await rowGradientNorms(risk);
  expectClose(
    norms.map((x) => x * x),
    rows.gradient_square_norm_first_50,
    1e-9,
  );
  await using train = await fixture.open({ caseName: "train", loss: "cross_entropy" });
  await using C = await diagonal(train, { of: "gradientCovariance" });
  expectClose(await C.diagonal(), stored.gradient_covariance_diagonal, 1e-9);
});

test("the Hessian's diagonal: exact with a product a weight, else within its standard errors", async () => {
  const random = stream(3, "small network");
  const numbers = (length: number) => Float64Array.from({ length }, () => random.normal());
  const model = functionModel({
    parameters: { W: { data: numbers(15), dims: [5, 3] }, V: { data: numbers(12), dims: [3, 4] } },
    inputs: { x: { dims: [5] } },
    apply: (p, { x }) => primitives.matmul(primitives.tanh(primitives.matmul(x, p.W)), p.V),
  });
  const data = arrays({
    inputs: { data: numbers(100), dims: [20, 5] },
    targets: { data: Int32Array.from({ length: 20 }, (_, i) => i % 4), dims: [20] },
  });
  await using risk = await empiricalRisk({ model, loss: crossEntropy(), data, dtype: "float64" });
  const { data: H } = await toDense(hessian(risk));
  const truth = Array.from({ length: risk.size }, (_, i) => H[i * (risk.size + 1)]);
  const exact = await hessianDiagonal(risk, { seed: 0 });
  expect(exact.method).toBe("unit vectors");
  expectClose(exact.values, truth, 1e-12);
  let [within, all] = [0, 0];
  for (const method of ["hutchinson", "xdiag"] as const) {
    for (let seed = 0; seed < 12; seed++) {
      const found = await hessianDiagonal(risk, { seed, method, matvecs: 16 });
      expect(found.method).toBe(method);
      expect(found.matvecs).toBeLessThanOrEqual(16);
      truth.forEach((x, i) => {
        all++;
        if (Math.abs(found.values[i] - x) <= found.certainty.quantile * found.standardErrors[i]) within++;
      });
    }
  }
  expect(within / all).toBeGreaterThan(0.85);
  await expect(hessianDiagonal(risk, { seed: 0, method: "sum" as "xdiag" })).rejects.toThrow(
    "hessianDiagonal: method must be",
  );
});
