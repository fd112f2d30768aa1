import { afterEach, expect, test, vi } from "vitest";
import type { LinearOperator } from "../../src/linalg/index.ts";
import { type EmpiricalRiskOptions, empiricalRisk, ggn, hessian, type Risk } from "../../src/operators/index.ts";
import { allMatrices, withLikelihood } from "./allMatrices.ts";
import { dataOf, randomTensor, riskCases } from "./riskCases.ts";

// Bits of products depend on what `risk.settings` records, and on nothing that happens to be so.

const memory = vi.hoisted(() => ({ free: 16e9, machine: 64e9, sessions: 0 }));
vi.mock(import("#runtime"), async (original) => {
  const runtime = await original();
  return {
    ...runtime,
    freeMemory: () => memory.free,
    machineMemory: () => memory.machine,
    openSession(...given) {
      memory.sessions++;
      return runtime.openSession(...given);
    },
  };
});
afterEach(() => {
  memory.free = 16e9;
  memory.machine = 64e9;
});

/** A model whose products have other bits by their whole program than from kept residuals: the engine moves a transposition across them. */
const riskCase = riskCases["cross-entropy with classes on the second axis"]!;

const open = (options: Partial<EmpiricalRiskOptions> & { readonly batchSize?: number } = {}) =>
  empiricalRisk({
    model: riskCase.model,
    loss: riskCase.loss,
    data: dataOf(riskCase, options.batchSize ?? 4),
    dtype: "float64",
    ...options,
  });

async function using<T>(risk: Risk, use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } finally {
    await risk.dispose();
  }
}

/** Products with every matrix, one after the other, with what `between` does. */
async function products(risk: Risk, between: () => Promise<unknown> = async () => {}) {
  const x = randomTensor([risk.size], 3).data;
  const found: Record<string, ArrayLike<number>> = {};
  for (const [name, make] of Object.entries(allMatrices) as [string, (risk: Risk) => LinearOperator][]) {
    await between();
    found[name] = await make(risk).matvec(x);
  }
  return found;
}

test("the default cache depends on the machine alone, and is recorded with what else bits depend on", async () => {
  const settings = [];
  for (const [free, machine] of [
    [16e9, 64e9],
    [1e9, 64e9],
    [1e9, 8e9],
  ] as const) {
    Object.assign(memory, { free, machine });
    const risk = await open({ threads: 1 });
    settings.push(risk.settings);
    await risk.dispose();
  }
  const recorded = { dtype: "float64", batchSize: 4, cache: 2 ** 31, threads: 1 };
  expect(settings).toEqual([recorded, recorded, { ...recorded, cache: 1e9 }]);
  const risk = await open({ cache: 7, batchSize: 5 });
  await using(risk, async () => {
    expect(risk.settings).toEqual({ dtype: "float64", batchSize: 5, cache: 7, threads: "all" });
    expect(risk.at(risk.theta()).settings).toEqual(risk.settings);
    const other = await risk.on(dataOf(riskCase, 3));
    expect(other.settings).toEqual({ ...risk.settings, batchSize: 3 });
  });
});

test("products have the same bits whatever memory is free and whatever other products push out", async () => {
  for (const cache of [0, 600, 2_000, 8_000, undefined]) {
    const setting = cache === undefined ? {} : { cache };
    memory.free = 16e9;
    const alone = await open(setting);
    expect(withLikelihood(alone)).toBe(true);
    const expected = await using(alone, () => products(alone));
    memory.free = 2e8;
    const disturbed = await open(setting);
    const x = randomTensor([disturbed.size], 5).data;
    const between = async () => {
      await hessian(disturbed).matvec(x);
      await ggn(disturbed).matmat!({ rows: x.length, columns: 3, data: randomTensor([3 * x.length], 6).data });
    };
    await using(disturbed, async () => {
      expect(await products(disturbed, between)).toEqual(expected);
      expect(await products(disturbed, between)).toEqual(expected);
    });
  }
});

test("values beside the residuals count: a batch whose values fill the cache keeps none", async () => {
  // For G v of all rows at once, residuals take 2 kB, and computing them about as much again.
  for (const [cache, sessions] of [
    [0, 1],
    [3_000, 1],
    [100_000, 2],
  ] as const) {
    const risk = await open({ cache, batchSize: 100 });
    await using(risk, async () => {
      memory.sessions = 0;
      await ggn(risk).matvec(randomTensor([risk.size], 3).data);
      // Residuals and what is linear in the vector are programs of their own.
      expect(memory.sessions).toBe(sessions);
    });
  }
});
