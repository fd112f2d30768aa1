import { parseHTML } from "linkedom";
import { beforeAll, describe, expect, test } from "vitest";
import {
  type ApproximationName,
  arrays,
  type CurvatureReport,
  constant,
  crossEntropy,
  curvatureReport,
  empiricalRisk,
  functionModel,
  ggn,
  primitives,
  type Risk,
} from "../../src/index.ts";
import { cg, damped, type LinearOperator, toDense } from "../../src/linalg/index.ts";
import { stream } from "../../src/random/index.ts";
import { renderHtml } from "../../src/report/index.ts";
import { blockDiagonal, diagonal, ekfac, kfac } from "../../src/structured/index.ts";

const { add, matmul, tanh } = primitives;
const NAMES = ["kfac", "ekfac", "twoSided", "diagonal", "blocks"] as const;
const options = {
  seed: 3,
  probes: 60,
  steps: 4,
  eigenvalues: 1,
  dense: false,
  rounding: false,
  relative: false,
} as const;

/** A network of 5 inputs, 4 hidden units and some outputs, with a layer that the outputs do not depend on if `dead`. */
async function network({ outputs = 3, dead = false } = {}): Promise<Risk> {
  const random = stream(4, "structured report");
  const draws = (length: number) => Float64Array.from({ length }, () => random.normal());
  const model = functionModel({
    name: "two layers",
    parameters: {
      "first.weight": { data: draws(20), dims: [5, 4] },
      "first.bias": { data: draws(4), dims: [4] },
      "second.weight": { data: draws(4 * outputs), dims: [4, outputs] },
      ...(dead ? { "third.weight": { data: draws(6), dims: [outputs, 6 / outputs] } } : {}),
    },
    inputs: { x: { dims: [5], dtype: "float64" } },
    apply: (p, { x }) => {
      const hidden = tanh(add(matmul(x!, p["first.weight"]!), p["first.bias"]!));
      const f = matmul(hidden, p["second.weight"]!);
      if (!dead) return f;
      const nothing = constant({ data: new Float64Array((6 / outputs) * outputs), dims: [6 / outputs, outputs] });
      return add(f, matmul(matmul(f, p["third.weight"]!), nothing));
    },
  });
  const x = { data: draws(5 * 24), dims: [24, 5] };
  const targets = { data: Int32Array.from({ length: 24 }, (_, i) => i % outputs), dims: [24] };
  return empiricalRisk({ model, loss: crossEntropy(), data: arrays({ inputs: { x }, targets }), dtype: "float64" });
}

/** Entries of a matrix as rows. */
async function entriesOf(A: LinearOperator): Promise<readonly (readonly number[])[]> {
  const { data } = await toDense(A);
  const n = A.shape[0];
  return Array.from({ length: n }, (_, row) => Array.from({ length: n }, (_, column) => data[column * n + row]!));
}

/** |A - K| / |A| over the entries that both indices have between two bounds. */
function exactError(
  A: readonly (readonly number[])[],
  K: readonly (readonly number[])[],
  [from, to]: readonly [number, number],
): number {
  let [error, whole] = [0, 0];
  for (let i = from; i < to; i++) {
    for (let j = from; j < to; j++) {
      error += (A[i]![j]! - K[i]![j]!) ** 2;
      whole += A[i]![j]! ** 2;
    }
  }
  return Math.sqrt(error / whole);
}

/** Ranges of the layers of the network. */
const LAYERS = [
  [0, 20],
  [20, 24],
  [24, 36],
] as const;

describe("approximations in a report", () => {
  let found: CurvatureReport;
  let dense: readonly (readonly number[])[];
  const approximations = new Map<ApproximationName, readonly (readonly number[])[]>();
  const solved = new Map<ApproximationName, number>();

  beforeAll(async () => {
    const risk = await network();
    found = await curvatureReport(risk, { ...options, matrices: ["ggn"], structured: [...NAMES] });
    dense = await entriesOf(ggn(risk));
    const twoSided = (of: Risk) => ekfac(of, { sharing: "twoSided" });
    const made = { kfac, ekfac, twoSided, diagonal, blocks: blockDiagonal };
    for (const name of NAMES) {
      const K = await made[name](risk);
      approximations.set(name, await entriesOf(K));
      const b = new Float64Array(risk.size).fill(1);
      const { damping } = found.structured!;
      const run = { preconditioner: K.inverse({ damping }), tolerance: 1e-4 };
      solved.set(name, (await cg(damped(ggn(risk), damping), b, run)).matvecs);
      await K.dispose();
    }
    await risk.dispose();
  });

  test.each(NAMES)("%s has the errors, the trace and the picture of the dense matrices", (name) => {
    const reported = found.structured!.approximations.find((each) => each.name === name)!;
    const K = approximations.get(name)!;
    const within = (actual: { relativeError: number; standardError: number }, exact: number) =>
      expect(Math.abs(actual.relativeError - exact)).toBeLessThan(4 * actual.standardError + 1e-12);
    within(reported, exactError(dense, K, [0, dense.length]));
    // Each tensor of a written network is a layer.
    for (const [index, [from, to]] of LAYERS.entries()) {
      within(reported.layers[index]!, exactError(dense, K, [from, to]));
    }
    expect(reported.standardError).toBeLessThan(0.2 * Math.max(reported.relativeError, 0.1));
    const trace = K.reduce((sum, row, i) => sum + row[i]!, 0);
    expect(reported.trace / trace).toBeCloseTo(1, 10);
    const { picture } = found.structured!;
    expect(picture).toMatchObject({ parameter: "first.weight", entries: 20 });
    const values = picture!.approximations.find((each) => each.name === name)!.values;
    values.forEach((column, j) => {
      column.forEach((value, i) => {
        expect(Math.abs(value - K[i]![j]!)).toBeLessThanOrEqual(6e-4 * Math.abs(K[i]![j]!) + 1e-15);
      });
    });
    expect(Math.abs(reported.system.products - solved.get(name)!)).toBeLessThanOrEqual(4);
    expect(reported.system.converged).toBe(true);
  });

  test("says the share between layers, the damping and the treatment", () => {
    const { outside, damping, plain, matvecs, noun, approximations: all } = found.structured!;
    const layerOf = (i: number) => LAYERS.findIndex(([from, to]) => i >= from && i < to);
    const squares = (matrix: readonly (readonly number[])[], keep: (i: number, j: number) => boolean) =>
      matrix.flatMap((row, i) => row.map((x, j) => (keep(i, j) ? x * x : 0))).reduce((a, b) => a + b, 0);
    const between = squares(dense, (i, j) => layerOf(i) !== layerOf(j)) / squares(dense, () => true);
    expect(outside / between).toBeGreaterThan(0.7);
    expect(outside / between).toBeLessThan(1.3);
    // The trace of EKFAC is that of the matrix.
    expect((damping * dense.length) / all[1]!.trace).toBeGreaterThan(0.8);
    expect((damping * dense.length) / all[1]!.trace).toBeLessThan(1.2);
    expect(plain.converged).toBe(true);
    expect(matvecs).toBe(60 + 20 + [plain, ...all.map(({ system }) => system)].reduce((sum, s) => sum + s.products, 0));
    expect(noun).toBe("the Gauss-Newton matrix");
    // The output matrix of three classes has rank two.
    expect(all.map(({ reversePasses }) => reversePasses)).toEqual([2, 2, 2, 2, 2]);
    expect(all.map(({ layers }) => layers[0]!.kinds)).toEqual([
      ["kronecker"],
      ["eigenKronecker"],
      ["eigenKronecker"],
      ["diagonal"],
      ["dense"],
    ]);
  });

  test("the page draws them", () => {
    const { document } = parseHTML(renderHtml(found));
    const section = document.querySelector("#structured")!;
    expect(section.querySelectorAll("figure.matrix svg")).toHaveLength(6);
    const text = section.textContent.replace(/\s+/g, " ");
    for (const title of ["KFAC", "EKFAC", "Diagonal", "Dense blocks"]) expect(text).toContain(title);
    expect(text).toContain("The first 20 weights of first.weight (5 × 4)");
    expect(document.querySelector('.contents a[href="#structured"]')?.textContent).toBe("Approximations");
    // Dense blocks are exact within layers.
    expect([...section.querySelectorAll("td")].some((cell) => cell.textContent === "exact")).toBe(true);
    // One cell an entry: the areas of all paths of the picture of the diagonal add up to its entries.
    const widths = (markup: string) => [...markup.matchAll(/h(\d+)v1/g)].reduce((sum, [, w]) => sum + Number(w), 0);
    expect(widths(section.querySelectorAll("figure.matrix")[4]!.innerHTML)).toBeLessThanOrEqual(20);
    expect(widths(section.querySelectorAll("figure.matrix")[0]!.innerHTML)).toBeLessThanOrEqual(400);
  });
});

test("a layer without influence has no curvature to be near to", async () => {
  const risk = await network({ dead: true });
  const { structured } = await curvatureReport(risk, { ...options, matrices: ["ggn"], structured: ["kfac"] });
  const third = structured!.approximations[0]!.layers[3];
  expect(third).toMatchObject({ name: "third.weight", relativeError: 0, standardError: 0 });
  await risk.dispose();
});

test("many outputs are approximated by drawn labels, which the report says", async () => {
  const risk = await network({ outputs: 70 });
  const found = await curvatureReport(risk, { ...options, matrices: ["ggn"], structured: ["ekfac"] });
  expect(found.structured!.labels).toBe(8);
  expect(found.structured!.approximations[0]!.reversePasses).toBe(8);
  expect(renderHtml(found)).toContain("made from 8 drawn labels");
  await risk.dispose();
});

test("refuses an approximation that it does not have", async () => {
  const risk = await network();
  const structured = ["shampoo"] as unknown as readonly ApproximationName[];
  await expect(curvatureReport(risk, { ...options, structured })).rejects.toThrow(
    'expected structured approximations among kfac, ekfac, twoSided, diagonal, blocks, got "shampoo"',
  );
  await risk.dispose();
});
