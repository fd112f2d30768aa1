import { expect, test } from "vitest";
import { layerBlocks, type MatrixPlan, matrixReport, plannedProducts, stages } from "../../src/applications/index.ts";
import { dense, eigh, functionOperator } from "../../src/linalg/index.ts";
import { stream } from "../../src/random/index.ts";

const n = 36;
const random = stream(8, "matrix");
const matrix = { rows: n, columns: n, data: new Float64Array(n * n) };
for (let i = 0; i < n; i++) {
  for (let j = 0; j <= i; j++)
    matrix.data[i * n + j] = matrix.data[j * n + i] = random.normal() + (i === j ? i / 4 : 0);
}
const A = dense(matrix, { symmetric: true });
const layers = layerBlocks([
  { name: "a.w", layer: "a", dims: [4, 3], offset: 0, size: 12 },
  { name: "c.w", layer: "c", dims: [16], offset: 12, size: 16 },
  { name: "a.b", layer: "a", dims: [8], offset: 28, size: 8 },
]);
const plan: MatrixPlan = {
  probes: 12,
  steps: 10,
  densityProbes: 3,
  eigenvalues: 3,
  eigenvalueProducts: 400,
  seed: 0,
  dense: true,
};
const request = (change: Partial<MatrixPlan> = {}) => ({
  title: "A",
  layers,
  plan: { ...plan, ...change },
  stages: stages(plannedProducts({ ...plan, ...change }, n), {}),
});
const entry = (i: number) => matrix.data[i * n + i] ?? Number.NaN;
const total = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => entry(from + i)).reduce((a, b) => a + b);

test("exact values stand beside the estimates", async () => {
  const found = await matrixReport(A, request());
  const { values } = await eigh(matrix);
  expect(found.density.exactEigenvalues).toEqual(Array.from(values, (value) => expect.closeTo(value, 10)));
  expect(found.trace.exactValue).toBeCloseTo(total(0, n), 10);
  expect(found.frobenius.exactValue).toBeCloseTo(Math.hypot(...matrix.data), 10);
  expect(found.layers.map(({ name, parameters }) => [name, parameters])).toEqual([
    ["a", 20],
    ["c", 16],
  ]);
  expect(found.layers[0]?.exactTrace).toBeCloseTo(total(0, 12) + total(28, 36), 10);
  expect(found.layers[1]?.exactTrace).toBeCloseTo(total(12, 28), 10);
  const { largest, smallest, exact } = found.eigenvalues;
  for (const list of [largest.map(({ value }) => value), exact?.largest]) {
    expect(list).toEqual([1, 2, 3].map((i) => expect.closeTo(values[n - i]!, 6)));
  }
  for (const list of [smallest.map(({ value }) => value), exact?.smallest]) {
    expect(list).toEqual([0, 1, 2].map((i) => expect.closeTo(values[i]!, 6)));
  }
});

test("estimates come from probes alone, and dense: false makes no others", async () => {
  const [withDense, without] = [await matrixReport(A, request()), await matrixReport(A, request({ dense: false }))];
  expect(without.density.exactEigenvalues).toBeUndefined();
  expect(without.layers[0]?.exactTrace).toBeUndefined();
  expect(without.trace.value).toBe(withDense.trace.value);
  expect(without.trace.standardError).toBeGreaterThan(0);
  expect(withDense.matvecs - without.matvecs).toBe(n);
});

test("the products that it counts are those that were made", async () => {
  let made = 0;
  const counted = functionOperator({
    shape: [n, n],
    symmetric: true,
    matvec(x) {
      made++;
      return A.matvec(x);
    },
  });
  const found = await matrixReport(counted, request());
  expect(found.matvecs).toBe(made);
  expect(found.trace.matvecs).toBe(12);
  expect(found.density.matvecs).toBe(30);
});

test("standard errors of interleaved layers cover the exact traces", async () => {
  const seeds = 150;
  let covered = 0;
  for (let seed = 0; seed < seeds; seed++) {
    const cheap = { seed, dense: false, steps: 1, densityProbes: 1, eigenvalues: 1, probes: 20 };
    const { layers: found } = await matrixReport(A, request(cheap));
    const [exact, a] = [total(0, 12) + total(28, 36), found[0]!];
    if (Math.abs(a.trace - exact) <= 2 * a.standardError) covered++;
  }
  // 95 % if samples were normal; 88 % is four standard deviations of the count below.
  expect(covered / seeds).toBeGreaterThan(0.88);
});

test("a budget of products that reaches the order of the matrix makes everything exact", async () => {
  const found = await matrixReport(A, request({ probes: 50, steps: 40, dense: false }));
  expect(found.trace).toMatchObject({ exact: true, standardError: 0, matvecs: n });
  expect(found.trace.value).toBeCloseTo(total(0, n), 10);
  expect(found.density.resolution).toBe(found.density.logarithmic.epsilon);
  const { values } = await eigh(matrix);
  expect(found.density.negativeMass).toBeCloseTo(values.filter((value) => value < 0).length / n, 10);
});

test("the density integrates to one, and its resolution is that of a quadrature", async () => {
  const { density } = await matrixReport(A, request());
  const spacing = density.grid[1]! - density.grid[0]!;
  expect(density.density.reduce((sum, y) => sum + y * spacing, 0)).toBeCloseTo(1, 6);
  expect(density.resolution).toBeGreaterThan(0);
  const { values } = await eigh(matrix);
  expect(density.resolution).toBeLessThan(values[n - 1]! - values[0]!);
});

test("products that are not finite are refused by name", async () => {
  const broken = functionOperator({ shape: [n, n], symmetric: true, matvec: (x) => x.map(() => Number.NaN) });
  await expect(matrixReport(broken, request())).rejects.toThrow(/trace of A: .*infinite or NaN/);
});
