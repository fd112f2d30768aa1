import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  compensate,
  type DenseBlockOperator,
  denseCurvature,
  type PruneOptions,
  type PruneState,
  prune,
  pruneSteps,
  saliency,
  woodFisher,
} from "../../../src/applications/pruning/index.ts";
import { CurvatureError, ggn, hessian, type LinearOperator, type Risk, type Vector } from "../../../src/index.ts";
import { dense, diagonal as diagonalOperator, stateStore, toDense } from "../../../src/linalg/index.ts";
import { rowGradients } from "../../../src/operators/index.ts";
import { ekfac, kfac } from "../../../src/structured/index.ts";
import { SIZE, smallRisk } from "../smallRisk.ts";

const DAMPING = 0.01;
/** Positions of w1 and w2. */
const WEIGHTS = [...Array.from({ length: 9 }, (_, i) => i), ...Array.from({ length: 9 }, (_, i) => 12 + i)];

let risk: Risk;
let G: DenseBlockOperator;
/** G plus damping and its inverse, as rows of numbers, by elimination. */
let M: number[][];
let C: number[][];
beforeAll(async () => {
  risk = await smallRisk();
  G = await denseCurvature(ggn(risk));
  const { data } = await toDense(ggn(risk));
  M = Array.from({ length: SIZE }, (_, i) =>
    Array.from({ length: SIZE }, (__, j) => data[j * SIZE + i]! + (i === j ? DAMPING : 0)),
  );
  C = inverted(M);
});
afterAll(() => risk.dispose());

/** Inverse by Gauss-Jordan elimination with pivots. */
function inverted(A: readonly (readonly number[])[]): number[][] {
  const n = A.length;
  const rows = A.map((row, i) => [...row, ...Array.from({ length: n }, (_, j) => Number(i === j))]);
  for (let k = 0; k < n; k++) {
    const pivot = rows
      .slice(k)
      .reduce((best, row, i) => (Math.abs(row[k]!) > Math.abs(rows[best]![k]!) ? k + i : best), k);
    [rows[k], rows[pivot]] = [rows[pivot]!, rows[k]!];
    const own = rows[k]!.map((x) => x / rows[k]![k]!);
    rows[k] = own;
    rows.forEach((row, i) => {
      if (i !== k) rows[i] = row.map((x, j) => x - row[k]! * own[j]!);
    });
  }
  return rows.map((row) => row.slice(n));
}

function times(A: readonly (readonly number[])[], x: ArrayLike<number>): number[] {
  return A.map((row) => row.reduce((sum, a, j) => sum + a * x[j]!, 0));
}

/** The group formula: change and cost of removing Q. */
function groupFormula(Q: readonly number[], w: Vector) {
  const x = times(
    inverted(Q.map((i) => Q.map((j) => C[i]![j]!))),
    Q.map((i) => w[i]!),
  );
  return {
    change: C.map((row) => -Q.reduce((sum, index, k) => sum + row[index]! * x[k]!, 0)),
    cost: Q.reduce((sum, index, k) => sum + w[index]! * x[k]!, 0) / 2,
  };
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-9): void {
  const scale = Math.max(...Array.from(expected, Math.abs), 1e-300);
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) expect(Math.abs(actual[i]! - expected[i]!)).toBeLessThan(tolerance * scale);
}

const products = (options: object) =>
  ({ inverse: "estimate", seed: 0, damping: DAMPING, solveTolerance: 1e-12, ...options }) as const;

describe("compensation", () => {
  test("is the group formula for any set, by factorizations and by conjugate gradients", async () => {
    const sets = fc.uniqueArray(fc.integer({ min: 0, max: SIZE - 1 }), { minLength: 1, maxLength: SIZE - 1 });
    await fc.assert(
      fc.asyncProperty(sets, async (Q) => {
        const expected = groupFormula(Q, risk.theta());
        for (const options of [{ damping: DAMPING, matrix: G }, products({ matrix: ggn(risk) })]) {
          const found = await compensate(risk, { indices: Q, ...options });
          expectClose(found.change, expected.change, 1e-8);
          expectClose([found.increase], [expected.cost], 1e-8);
          for (const index of Q) expect(found.theta[index]).toBe(0);
        }
      }),
      { numRuns: 12, seed: 1 },
    );
  });

  test("leaves no gradient of the model on the weights that are kept, with and without that of the loss", async () => {
    const g = await risk.gradient();
    const indices = [0, 5, 13, 14, 20];
    for (const gradient of [false, true]) {
      for (const options of [{ damping: DAMPING, matrix: G }, products({ matrix: ggn(risk) })]) {
        const { change, increase } = await compensate(risk, { indices, gradient, ...options });
        const Md = times(M, change);
        const slopes = Md.map((x, i) => x + (gradient ? g[i]! : 0));
        for (const [i, slope] of slopes.entries())
          if (!indices.includes(i)) expect(Math.abs(slope)).toBeLessThan(1e-10 * Math.max(...Md.map(Math.abs)));
        const value = change.reduce((sum, d, i) => sum + d * (Md[i]! / 2 + (gradient ? g[i]! : 0)), 0);
        expectClose([increase], [value], 1e-10);
      }
    }
  });

  test("of everything sets everything to zero", async () => {
    const all = Array.from({ length: SIZE }, (_, i) => i);
    const { theta, increase } = await compensate(risk, { indices: all, matrix: G, damping: DAMPING });
    expect([...theta]).toEqual(all.map(() => 0));
    const w = risk.theta();
    expectClose([increase], [times(M, w).reduce((sum, x, i) => sum + x * w[i]!, 0) / 2]);
  });
});

describe("saliencies", () => {
  test("of single weights by the definition", async () => {
    const w = risk.theta();
    const g = await risk.gradient();
    const { values: magnitude } = await saliency(risk, { method: "magnitude" });
    expectClose(magnitude, w.map(Math.abs));
    const { values: first } = await saliency(risk, { method: "firstOrder" });
    expectClose(
      first,
      w.map((x, i) => -x * g[i]!),
    );
    const { values: obd } = await saliency(risk, { method: "obd", damping: DAMPING });
    expectClose(
      obd,
      w.map((x, i) => (x * x * (M[i]![i]! - DAMPING)) / 2),
    );
    const { values: obs, candidates } = await saliency(risk, { damping: DAMPING, matrix: ggn });
    expectClose(
      obs,
      w.map((x, i) => (x * x) / (2 * C[i]![i]!)),
    );
    expect([...candidates]).toEqual(WEIGHTS);
  });

  test("with the gradient are the least increases of the model", async () => {
    const { values } = await saliency(risk, { damping: DAMPING, matrix: G, gradient: true });
    for (const i of [0, 7, 15]) {
      const { increase } = await compensate(risk, { indices: [i], damping: DAMPING, matrix: G, gradient: true });
      expectClose([values[i]!], [increase], 1e-9);
    }
  });

  test("of rows and columns are joint ones", async () => {
    const w = risk.theta();
    for (const options of [{ damping: DAMPING, matrix: G }, products({ matrix: ggn(risk) })]) {
      const rows = await saliency(risk, { units: "rows", ...options });
      // Weights are [in, out]: a row of the layer's matrix is a column of the tensor.
      expect([...rows.units![1]!.indices]).toEqual([1, 4, 7]);
      const columns = await saliency(risk, { units: "columns", ...options });
      expect([...columns.units![1]!.indices]).toEqual([3, 4, 5]);
      expect(rows.units).toHaveLength(6);
      for (const { units, values } of [rows, columns]) {
        units!.forEach(({ indices }, k) => {
          expectClose([values[k]!], [groupFormula([...indices], w).cost], 1e-8);
        });
      }
      const obd = await saliency(risk, { units: "rows", method: "obd", ...options });
      obd.units!.forEach(({ indices }, k) => {
        const block = [...indices].reduce(
          (sum, i) =>
            sum + [...indices].reduce((part, j) => part + w[i]! * w[j]! * (M[i]![j]! - (i === j ? DAMPING : 0)), 0),
          0,
        );
        expectClose([obd.values[k]!], [block / 2]);
      });
    }
    const { values } = await saliency(risk, { units: "rows", method: "magnitude" });
    expectClose([values[1]!], [Math.hypot(w[1]!, w[4]!, w[7]!) / Math.sqrt(3)]);
    const first = await saliency(risk, { units: "rows", method: "firstOrder" });
    const g = await risk.gradient();
    expectClose([first.values[1]!], [-w[1]! * g[1]! - w[4]! * g[4]! - w[7]! * g[7]!]);
  });

  test("estimated ones lie within their errors, and are exact with as many probes as weights", async () => {
    const w = risk.theta();
    const exact = w.map((x, i) => (x * x) / (2 * C[i]![i]!));
    const few = await saliency(risk, { ...products({ matrix: ggn(risk) }), probes: 12 });
    expect(few.route).toBe("estimate");
    expect(few.message).toMatch(/estimated, \d+ of 18 with a standard error above half of the value/);
    expect(few.matvecs).toBeGreaterThan(12);
    const within = exact.filter((value, i) => Math.abs(few.values[i]! - value) <= 4 * few.standardErrors![i]! + 1e-12);
    expect(within.length).toBeGreaterThanOrEqual(0.8 * SIZE);
    const all = await saliency(risk, { ...products({ matrix: ggn(risk) }), probes: SIZE });
    expectClose(all.values, exact, 1e-7);
  });

  test("of a structured matrix are those of its closed inverse", async () => {
    const w = risk.theta();
    for (const K of [await kfac(risk), await ekfac(risk)]) {
      const { data } = await toDense(K);
      const inverse = inverted(
        Array.from({ length: SIZE }, (_, i) =>
          Array.from({ length: SIZE }, (__, j) => data[j * SIZE + i]! + (i === j ? DAMPING : 0)),
        ),
      );
      const found = await saliency(risk, { matrix: K, damping: DAMPING });
      expect(found.route).toBe("closed form");
      expectClose(
        found.values,
        w.map((x, i) => (x * x) / (2 * inverse[i]![i]!)),
      );
      const both = [await denseCurvature(K), K];
      const [dense, closed] = await Promise.all(
        both.map((matrix) =>
          compensate(risk, { indices: [2, 3, 17], matrix, damping: DAMPING, solveTolerance: 1e-12 }),
        ),
      );
      expectClose(closed!.change, dense!.change, 1e-9);
      await K.dispose();
    }
  });

  test("weights without curvature are listed apart and go first", async () => {
    const entries = Float64Array.from({ length: SIZE }, (_, i) => (i === 4 || i === 22 ? 0 : 1));
    const found = await saliency(risk, { matrix: diagonalOperator(entries), damping: DAMPING });
    // Entry 22 is a bias.
    expect([...found.free]).toEqual([4]);
    expect(found.message).toContain("1 weights have no curvature and can be removed free");
    const { removed } = await prune(risk, {
      matrix: diagonalOperator(entries.map((x) => 1e6 * x)),
      sparsity: 1 / 18,
      compensation: false,
    });
    expect([...removed]).toEqual([4]);
  });
});

test("WoodFisher blocks have the inverses of the recursion over rows", async () => {
  const rows = await toDense(rowGradients(risk));
  const count = risk.rows;
  for (const [blocks, blockSize] of [
    ["across", 5],
    ["within", 4],
    ["within", 50],
  ] as const) {
    const A = await woodFisher(risk, { blockSize, blocks });
    const covered = A.denseBlocks.flatMap(({ indices }) => [...indices]);
    expect(covered.toSorted((a, b) => a - b)).toEqual(Array.from({ length: SIZE }, (_, i) => i));
    for (const { indices, matrix } of await A.inverseBlocks(DAMPING)) {
      const n = indices.length;
      const inverse = Array.from({ length: n }, (_, i) =>
        Array.from({ length: n }, (__, j) => (i === j ? 1 / DAMPING : 0)),
      );
      for (let row = 0; row < count; row++) {
        const g = Array.from(indices, (index) => rows.data[index * count + row]!);
        const v = times(inverse, g);
        const denominator = count + g.reduce((sum, x, i) => sum + x * v[i]!, 0);
        for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) inverse[i]![j]! -= (v[i]! * v[j]!) / denominator;
      }
      expectClose(matrix.data, inverse.flat(), 1e-9);
    }
  }
  const [first] = (await woodFisher(risk, { blockSize: 7, blocks: "within" })).denseBlocks;
  expect(first!.indices).toHaveLength(7);
});

describe("sequential elimination", () => {
  test("ends where the group formula does, and its costs are the group's", async () => {
    for (const gradient of [false, true]) {
      const options = { matrix: G, damping: DAMPING, sparsity: 0.6, elimination: "sequential", gradient } as const;
      const found = await prune(risk, options);
      const group = await compensate(risk, { indices: found.removed, matrix: G, damping: DAMPING, gradient });
      expectClose(found.theta, group.theta);
      if (!gradient) expectClose([found.costs!.at(-1)!], [group.increase]);
      // The first is the least salient one.
      const { values, candidates } = await saliency(risk, { matrix: G, damping: DAMPING });
      if (!gradient) expect(found.removed[0]).toBe(candidates.reduce((a, b) => (values[b]! < values[a]! ? b : a)));
    }
  });

  test("costs no more than removing the least salient set at once", async () => {
    const cost = async (elimination: "set" | "sequential") =>
      (await prune(risk, { matrix: G, damping: DAMPING, sparsity: 0.5, elimination })).steps[0]!.modelIncrease!;
    expect(await cost("sequential")).toBeLessThanOrEqual((1 + 1e-12) * (await cost("set")));
  });

  test("within a scope and in blocks takes the same share of each tensor", async () => {
    const matrix = await woodFisher(risk, { blockSize: 6 });
    const found = await prune(risk, { matrix, sparsity: 1 / 3, scope: "layer", elimination: "sequential" });
    expect(found.tensors.map(({ removed }) => removed)).toEqual([3, 3]);
    expectClose(found.theta, (await compensate(risk, { indices: found.removed, matrix })).theta);
  });
});

describe("patterns", () => {
  test("are the best choice of each group by brute force", async () => {
    const { removed, mask } = await prune(risk, { pattern: "1:3", matrix: G, damping: DAMPING });
    expect(removed).toHaveLength(12);
    for (let output = 0; output < 3; output++) {
      for (const offset of [0, 12]) {
        const group = [0, 1, 2].map((input) => offset + 3 * input + output);
        const costs = group.map(
          (kept) =>
            groupFormula(
              group.filter((index) => index !== kept),
              risk.theta(),
            ).cost,
        );
        const best = group[costs.indexOf(Math.min(...costs))]!;
        expect(group.filter((index) => mask[index] === 1)).toEqual([best]);
      }
    }
  });

  test("by scores where there is no inverse, short groups included", async () => {
    const { mask } = await prune(risk, { pattern: "1:2", method: "magnitude" });
    const w = risk.theta();
    // Inputs 0 and 1 of each output are a group, input 2 one by itself.
    for (let output = 0; output < 3; output++) {
      const [a, b, c] = [output, 3 + output, 6 + output];
      expect(mask[c]).toBe(1);
      expect(mask[Math.abs(w[a]!) < Math.abs(w[b]!) ? a : b]).toBe(0);
    }
    const { mask: byProducts } = await prune(risk, { pattern: "1:2", ...products({ matrix: ggn(risk) }), probes: 30 });
    expect(byProducts.reduce((sum, x) => sum + x, 0)).toBe(SIZE - 6);
  });
});

describe("units and scopes", () => {
  test("rows go as wholes", async () => {
    const { values, units } = await saliency(risk, { units: "rows", matrix: G, damping: DAMPING });
    const found = await prune(risk, { units: "rows", sparsity: 1 / 3, matrix: G, damping: DAMPING });
    const order = [...values.keys()].sort((a, b) => values[a]! - values[b]!).slice(0, 2);
    expect([...found.removed].sort()).toEqual(order.flatMap((k) => [...units![k]!.indices]).sort());
    const each = await prune(risk, { units: "rows", sparsity: 1 / 3, matrix: G, scope: "layer" });
    expect(each.tensors.map(({ removed }) => removed)).toEqual([3, 3]);
  });

  test("a layer's share", async () => {
    const found = await prune(risk, { sparsity: 5 / 9, method: "magnitude", scope: "layer" });
    expect(found.tensors).toMatchObject([
      { name: "w1", weights: 9, removed: 5 },
      { name: "w2", weights: 9, removed: 5 },
    ]);
    const w = risk.theta();
    const largest = Math.max(
      ...Array.from(found.removed)
        .filter((i) => i < 9)
        .map((i) => Math.abs(w[i]!)),
    );
    expect(found.tensors[0]!.largestRemoved).toBe(largest);
  });
});

describe("gradual pruning", () => {
  const settings: PruneOptions = { sparsity: 0.7, steps: 4, matrix: (at) => ggn(at), damping: DAMPING };

  test("predicts and measures each step, and adds up", async () => {
    const found = await prune(risk, settings);
    expect(found.steps.map(({ removed }) => removed)).toEqual(
      [1, 2, 3, 4].map((k) => Math.round(18 * (1 - 0.3 ** (k / 4)))),
    );
    const after = risk.at(found.theta);
    expect(found.loss).toBe(await after.loss());
    for (const [k, step] of found.steps.entries()) {
      expect(step.lossBefore).toBe(k === 0 ? found.lossBefore : found.steps[k - 1]!.loss);
    }
    // The first step again by hand: removal and compensation at the given weights.
    const first = (await pruneSteps(risk, settings).next()).value as PruneState;
    const { theta } = await compensate(risk, { indices: first.order, matrix: G, damping: DAMPING });
    expectClose(first.theta, theta);
    const d = Float64Array.from(first.theta, (x, i) => x - risk.theta()[i]!);
    const g = await risk.gradient();
    const bent = times(M, d).map((x, i) => x - DAMPING * d[i]!);
    const predicted = d.reduce((sum, x, i) => sum + x * (g[i]! + bent[i]! / 2), 0);
    expectClose([first.records[0]!.predictedIncrease], [predicted]);
    // Weights that are gone stay gone, and later steps do not depend on them.
    found.removed.forEach((index) => {
      expect(found.theta[index]).toBe(0);
      expect(found.mask[index]).toBe(0);
    });
    expect(new Set(found.removed).size).toBe(found.removed.length);
  });

  test("by products gives what the dense matrix gives", async () => {
    const dense = await prune(risk, settings);
    const found = await prune(risk, { ...settings, inverse: "estimate", seed: 0, probes: SIZE, solveTolerance: 1e-12 });
    expect([...found.removed]).toEqual([...dense.removed]);
    expectClose(found.theta, dense.theta, 1e-6);
  });

  test("resumes from a saved state bit for bit, and stops with one", async () => {
    const folder = mkdtempSync(join(tmpdir(), "prune-"));
    const store = stateStore(join(folder, "state"));
    const whole = await prune(risk, settings);
    for (const stop of [1, 2, 3]) {
      const run = pruneSteps(risk, settings);
      for (let k = 0; k < stop; k++) await store.save((await run.next()).value);
      const resumed = await prune(risk, { ...settings, state: (await store.load()) as PruneState });
      expect(resumed).toEqual(whole);
    }
    const controller = new AbortController();
    const aborted = await prune(risk, {
      ...settings,
      signal: controller.signal,
      onProgress: ({ stage, done }) => {
        if (stage === "pruning" && done === 2) controller.abort();
      },
    }).catch((error: unknown) => error as CurvatureError);
    expect((aborted as CurvatureError).code).toBe("aborted");
    const state = (aborted as CurvatureError).state as PruneState;
    expect(state.records).toHaveLength(2);
    expect(await prune(risk, { ...settings, state })).toEqual(whole);
    await expect(prune(risk, { ...settings, steps: 3, state })).rejects.toThrow(
      /expects the state of a run with 24 weights and the shares 0\.33/,
    );
    rmSync(folder, { recursive: true });
  });

  test("says that prediction and truth agree", async () => {
    const near = await prune(risk, { sparsity: 1 / 18, matrix: G, damping: DAMPING });
    expect(near.message).toBe("the measured increases of the loss agree with the quadratic model");
  });
});

test("another matrix for the compensation", async () => {
  const K = await kfac(risk);
  const found = await prune(risk, { sparsity: 0.5, matrix: K, compensationMatrix: G, damping: DAMPING });
  const { values, candidates } = await saliency(risk, { matrix: K, damping: DAMPING });
  const least = [...candidates].sort((a, b) => values[a]! - values[b]!).slice(0, 9);
  expect([...found.removed].sort()).toEqual(least.sort());
  expectClose(found.theta, (await compensate(risk, { indices: least, matrix: G, damping: DAMPING })).theta);
  await K.dispose();
});

test("the inverse of the saliencies' matrix preconditions the compensation", async () => {
  // With C the inverse of the whole matrix, C_RR A_RR differs from the identity by a matrix of rank |Q|: conjugate gradients end after |Q| + 1 = 3 products.
  const inverse: LinearOperator = {
    ...dense({ rows: SIZE, columns: SIZE, data: Float64Array.from(C.flat()) }, { psd: true }),
    diagonal: async () => Float64Array.from(C, (row, i) => row[i]!),
  };
  const known: LinearOperator = {
    ...ggn(risk),
    diagonal: async () => Float64Array.from(M, (row, i) => row[i]! - DAMPING),
    inverse: () => inverse,
  };
  const settings = { damping: DAMPING, denseLimit: 1, solveTolerance: 1e-9 };
  const found = await prune(risk, { ...settings, sparsity: 2 / 18, matrix: known, compensationMatrix: ggn });
  expect(found.removed).toHaveLength(2);
  const alone = await compensate(risk, { ...settings, indices: found.removed, matrix: ggn });
  expectClose(found.theta, alone.theta);
  // Beside those of the system: the right-hand side, the verified residual, the increase, and the prediction.
  expect(found.matvecs).toBeLessThanOrEqual(3 + 4);
  expect(alone.matvecs).toBeGreaterThan(found.matvecs);
});

test("single weights of small saliency cost what the exact matrix predicts", async () => {
  // Scaled down, a weight leaves the quadratic region less and less: the error of the prediction falls as its cube.
  const H = await toDense(hessian(risk));
  const g = await risk.gradient();
  const loss = await risk.loss();
  const errors = [1e-2, 1e-3].map(async (factor) => {
    const theta = risk.theta();
    const d = -factor * theta[3]!;
    theta[3]! += d;
    const moved = risk.at(theta);
    return Math.abs((await moved.loss()) - loss - g[3]! * d - (H.data[3 * SIZE + 3]! * d * d) / 2);
  });
  const [coarse, fine] = await Promise.all(errors);
  expect(fine!).toBeLessThan(coarse! / 500);
});

describe("bad input", () => {
  const indefinite = diagonalOperator(Float64Array.from({ length: SIZE }, (_, i) => (i === 3 ? -1 : 1)));
  const cases: readonly (readonly [string, () => Promise<unknown>, RegExp])[] = [
    [
      "sparsity",
      () => prune(risk, { sparsity: 1.5 }),
      /sparsity, the share of weights to remove, as a number from 0 to 1, got 1\.5/,
    ],
    ["no sparsity", () => prune(risk, {}), /as a number from 0 to 1, got undefined/],
    [
      "method",
      () => saliency(risk, { method: "best" as never }),
      /method to be "magnitude", "firstOrder", "obd" or "obs", got "best"/,
    ],
    [
      "units",
      () => saliency(risk, { units: "heads" as never }),
      /units to be "weights", "rows", "columns" or "channels", got "heads"/,
    ],
    [
      "channels without a file",
      () => saliency(risk, { units: "channels" }),
      /finds channels in the graph of a file, but "small" has none; take units "rows" or lists of your own/,
    ],
    ["option", () => prune(risk, { sparsty: 0.5 } as never), /unknown option `sparsty`; did you mean `sparsity`/],
    ["risk", () => prune({} as Risk, { sparsity: 0.5 }), /prune expects a risk made by empiricalRisk/],
    [
      "tensors",
      () => prune(risk, { sparsity: 0.5, tensors: "conv*" }),
      /no parameter to prune that matches conv\*; there are w1, b1, w2, b2/,
    ],
    [
      "pattern",
      () => prune(risk, { pattern: "4:2" }),
      /pattern as "N:M", N weights kept of M consecutive ones .*got "4:2"/,
    ],
    ["large pattern", () => prune(risk, { pattern: "10:20" }), /at most 1000 choices/],
    [
      "pattern and sparsity",
      () => prune(risk, { pattern: "2:4", sparsity: 0.5 }),
      /a pattern alone, in one step, got it with sparsity 0\.5/,
    ],
    [
      "pattern of rows",
      () => prune(risk, { pattern: "2:4", units: "rows" }),
      /a pattern for single weights; leave units out/,
    ],
    [
      "steps",
      () => prune(risk, { sparsity: 0.5, steps: 2, matrix: G }),
      /matrix as a function of a risk for more than one step/,
    ],
    [
      "sequential",
      () => prune(risk, { sparsity: 0.5, elimination: "sequential", method: "obd" }),
      /elimination "sequential" with method "obs"/,
    ],
    [
      "sequential by products",
      () => prune(risk, { sparsity: 0.5, elimination: "sequential", inverse: "estimate", seed: 0 }),
      /a matrix in dense blocks for elimination "sequential", got one by products; take woodFisher\(risk\)/,
    ],
    [
      "matrix",
      () => saliency(risk, { matrix: 3 as never }),
      /matrix to be an operator, as ggn\(risk\) gives it.*got number/,
    ],
    [
      "size",
      () => saliency(risk, { matrix: diagonalOperator(new Float64Array(3)) }),
      /a matrix of 24 weights, got 3 x 3/,
    ],
    [
      "inverse",
      () => saliency(risk, { inverse: "none" as never }),
      /inverse to be "auto", "dense" or "estimate", got "none"/,
    ],
    ["damping", () => saliency(risk, { damping: -1 }), /damping to be zero or a positive finite number, got -1/],
    ["seed", () => saliency(risk, { inverse: "estimate" }), /saliency draws random vectors and expects seed/],
    ["indices", () => compensate(risk, { indices: [24] }), /whole numbers from 0 to 23, got 24/],
    ["no indices", () => compensate(risk, { indices: [] }), /whole numbers from 0 to 23, got none/],
    [
      "indefinite",
      () =>
        compensate(risk, { indices: [0], matrix: { ...indefinite, inverse: undefined } as unknown as LinearOperator }),
      /positive definite matrix, but with damping 0\.001 it is not \(.*\); raise the damping, or take ggn\(risk\)/,
    ],
    [
      "indefinite by products",
      () => compensate(risk, { indices: [0], gradient: true, matrix: indefinite, inverse: "estimate" }),
      /positive definite matrix, but with damping 0\.001 .*; raise the damping, or take ggn\(risk\)/,
    ],
    [
      "limit",
      () => denseCurvature(ggn(risk), { limit: 10 }),
      /at most 10 rows dense, got 24 \(.* GB with the inverse\); take woodFisher\(risk\), kfac\(risk\)/,
    ],
    ["dense limit", () => saliency(risk, { inverse: "dense", denseLimit: 10 }), /at most 10 rows dense, got 24/],
    ["block size", () => woodFisher(risk, { blockSize: 0 }), /blockSize to be a positive integer, got 0/],
    ["blocks", () => woodFisher(risk, { blocks: "all" as never }), /blocks to be "across" or "within", got all/],
  ];
  test.each(cases)("%s", async (_, call, message) => {
    const error = await call().then(
      () => undefined,
      (cause: unknown) => cause,
    );
    expect(error).toBeInstanceOf(CurvatureError);
    expect((error as CurvatureError).message).toMatch(message);
  });
});
