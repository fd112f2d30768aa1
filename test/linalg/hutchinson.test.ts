import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  hutchinsonDiagonal,
  hutchinsonMoments,
  hutchinsonSteps,
  hutchinsonTrace,
  squaredFrobeniusNorm,
} from "../../src/linalg/index.ts";
import { counted, failing, geometric, operatorOf, randomVector, rotated, rotatedMatrix } from "./knownOperators.ts";

const sum = (values: ArrayLike<number>) => Array.from(values).reduce((so, x) => so + x, 0);
const squares = (values: ArrayLike<number>) => Array.from(values).reduce((so, x) => so + x * x, 0);
const trivial = (values: readonly number[]) => {
  const A = new Float64Array(values.length ** 2);
  for (const [i, value] of values.entries()) A[i * values.length + i] = value;
  return operatorOf(A);
};

/** Share of seeds for which the 95 % interval holds the truth. */
async function coverage(
  runs: number,
  estimate: (seed: number) => Promise<{ value: number; standardError: number; truth: number }>,
) {
  let inside = 0;
  for (let seed = 0; seed < runs; seed++) {
    const { value, standardError, truth } = await estimate(seed);
    if (Math.abs(value - truth) <= 1.96 * standardError) inside++;
  }
  return inside / runs;
}

describe("error bars", () => {
  const spectra = {
    geometric: geometric(128, 0.95),
    outlier: Float64Array.from({ length: 128 }, (_, i) => (i === 0 ? 50 : Math.sin(i))),
  };
  for (const [name, values] of Object.entries(spectra)) {
    test(`the 95 % interval of the trace covers it in 90 to 99 % of runs: ${name}`, async () => {
      const A = rotated(values);
      const truth = sum(values);
      const share = await coverage(240, async (seed) => {
        const { trace, standardError } = await hutchinsonTrace(A, { matvecs: 100, seed });
        return { value: trace, standardError, truth };
      });
      expect(share).toBeGreaterThanOrEqual(0.9);
      expect(share).toBeLessThanOrEqual(0.99);
    });
  }

  test("intervals of norm, block trace and a diagonal entry cover as well, with Gaussian probes too", async () => {
    const values = geometric(80, 0.93);
    const dense = rotatedMatrix(values);
    const A = operatorOf(dense);
    const blockTrace = sum(Array.from({ length: 30 }, (_, i) => dense[(10 + i) * 80 + 10 + i]!));
    const inside = { norm: 0, block: 0, entry: 0 };
    const runs = 200;
    for (let seed = 0; seed < runs; seed++) {
      const blocks = [{ name: "middle", start: 10, end: 40 }];
      const distribution = seed % 2 === 0 ? "signs" : "gaussian";
      const {
        squaredFrobenius,
        blocks: [block],
        diagonal,
      } = await hutchinsonMoments(A, { matvecs: 60, seed, blocks, distribution });
      const holds = (value: number, standardError: number, truth: number) =>
        Number(Math.abs(value - truth) <= 1.96 * standardError);
      inside.norm += holds(squaredFrobenius.value, squaredFrobenius.standardError, squares(values));
      inside.block += holds(block!.trace, block!.standardError, blockTrace);
      inside.entry += holds(diagonal.values[5]!, diagonal.standardErrors[5]!, dense[5 * 80 + 5]!);
    }
    for (const count of Object.values(inside)) {
      expect(count / runs).toBeGreaterThanOrEqual(0.88);
      expect(count / runs).toBeLessThanOrEqual(0.995);
    }
  });

  test("the standard error of the trace is the one that theory gives for random signs", async () => {
    const values = geometric(128, 0.9);
    const dense = rotatedMatrix(values);
    const offDiagonal = squares(dense) - squares(Array.from({ length: 128 }, (_, i) => dense[i * 128 + i]!));
    const { standardError } = await hutchinsonTrace(operatorOf(dense), { matvecs: 127, seed: 3 });
    expect(standardError / Math.sqrt((2 * offDiagonal) / 127)).toBeGreaterThan(0.75);
    expect(standardError / Math.sqrt((2 * offDiagonal) / 127)).toBeLessThan(1.3);
  });
});

describe("exactness", () => {
  test("a budget of n gives trace, diagonal, norm and blocks of any matrix exactly, with n products", async () => {
    const matrices = fc
      .integer({ min: 1, max: 9 })
      .chain((n) =>
        fc.tuple(fc.constant(n), fc.array(fc.integer({ min: -9, max: 9 }), { minLength: n * n, maxLength: n * n })),
      );
    await fc.assert(
      fc.asyncProperty(matrices, fc.nat(), async ([n, entries], seed) => {
        const A = counted(operatorOf(Float64Array.from(entries), { symmetric: false }));
        const blocks = [
          { name: "first", start: 0, end: 1 },
          { name: "all", start: 0, end: n },
        ];
        const result = await hutchinsonMoments(A, { matvecs: n + 5, seed, blocks, blockSize: 3 });
        const diagonal = Array.from({ length: n }, (_, i) => entries[i * n + i]!);
        expect(result).toMatchObject({ status: "converged", exact: true, matvecs: n });
        expect(A.count()).toBe(n);
        expect(result.trace).toEqual({ value: sum(diagonal), standardError: 0 });
        expect(result.squaredFrobenius).toEqual({ value: squares(entries), standardError: 0 });
        expect(result.frobenius).toEqual({ value: Math.sqrt(squares(entries)), standardError: 0 });
        expect(Array.from(result.diagonal.values, (x) => x + 0)).toEqual(diagonal.map((x) => x + 0));
        expect(Array.from(result.diagonal.standardErrors)).toEqual(diagonal.map(() => 0));
        expect(result.blocks[0]).toEqual({ name: "first", trace: diagonal[0]! + 0, standardError: 0 });
        expect(result.blocks[1]!.trace).toBe(sum(diagonal));
      }),
      { numRuns: 60, examples: [[[1, [0]], 0]] },
    );
  });

  test("a diagonal matrix is exact with a single pair of sign probes, whose samples are all the trace", async () => {
    const A = trivial([1, 2, 3, 4, 5]);
    const { trace, standardError } = await hutchinsonTrace(A, { matvecs: 2, seed: 0 });
    expect({ trace, standardError }).toEqual({ trace: 15, standardError: 0 });
    const { values, standardErrors } = await hutchinsonDiagonal(A, { matvecs: 2, seed: 0 });
    expect(Array.from(values)).toEqual([1, 2, 3, 4, 5]);
    expect(Array.from(standardErrors)).toEqual([0, 0, 0, 0, 0]);
  });

  test("the zero matrix has trace, norm and error 0, by estimate and exactly", async () => {
    for (const matvecs of [4, 40]) {
      const result = await hutchinsonMoments(operatorOf(new Float64Array(400)), { matvecs, seed: 0, tolerance: 0.1 });
      expect(result.trace).toEqual({ value: 0, standardError: 0 });
      expect(result.frobenius).toEqual({ value: 0, standardError: 0 });
      expect(result.matvecs).toBe(Math.min(matvecs, 20));
    }
  });

  test("one probe leaves the error unknown", async () => {
    const { standardError, message } = await hutchinsonTrace(rotated(geometric(20, 0.5)), { matvecs: 1, seed: 0 });
    expect(standardError).toBe(Number.POSITIVE_INFINITY);
    expect(message).toBe("averaged 1 probes, few for an interval; no tolerance was asked for");
  });
});

test("the squared Frobenius norm of a matrix that is not square", async () => {
  const entries = randomVector(6 * 300, 4);
  const A = operatorOf(entries, { rows: 6, symmetric: false });
  const { squaredNorm, standardError } = await squaredFrobeniusNorm(A, { matvecs: 200, seed: 0 });
  expect(Math.abs(squaredNorm - squares(entries))).toBeLessThan(4 * standardError);
  expect(standardError).toBeLessThan(0.1 * squaredNorm);
  const tall = operatorOf(entries, { rows: 300, symmetric: false });
  const exact = await squaredFrobeniusNorm(tall, { matvecs: 6, seed: 0 });
  expect(exact.squaredNorm).toBeCloseTo(squares(entries), 8);
  expect(exact.standardError).toBe(0);
});

test("block traces add up to the trace, and trace, diagonal and blocks come from the same probes", async () => {
  const A = rotated(geometric(50, 0.9));
  const blocks = [
    { name: "a", start: 0, end: 20 },
    { name: "b", start: 20, end: 50 },
  ];
  const moments = await hutchinsonMoments(A, { matvecs: 20, seed: 7, blocks });
  expect(moments.blocks[0]!.trace + moments.blocks[1]!.trace).toBeCloseTo(moments.trace.value, 10);
  expect(sum(moments.diagonal.values)).toBeCloseTo(moments.trace.value, 10);
  const alone = await hutchinsonTrace(A, { matvecs: 20, seed: 7 });
  expect(alone.trace).toBe(moments.trace.value);
  expect(alone.standardError).toBe(moments.trace.standardError);
});

test("matmat is used in blocks, and neither it nor the size of blocks changes a bit", async () => {
  const A = rotated(geometric(64, 0.9));
  const one = await hutchinsonTrace(A, { matvecs: 30, seed: 1, blockSize: 1 });
  const together = counted(A, { matmat: true });
  expect(await hutchinsonTrace(together, { matvecs: 30, seed: 1 })).toEqual(one);
  expect([together.count(), together.calls()]).toEqual([30, 4]);
  expect(await hutchinsonTrace(A, { matvecs: 30, seed: 1, blockSize: 7 })).toEqual(one);
  expect((await hutchinsonTrace(A, { matvecs: 30, seed: 2 })).trace).not.toBe(one.trace);
});

describe("tolerance", () => {
  const A = rotated(Float64Array.from({ length: 400 }, (_, i) => 1 + (i % 7)));
  test("stops early once the relative error is small enough", async () => {
    const result = await hutchinsonTrace(A, { matvecs: 399, seed: 0, tolerance: 0.02 });
    expect(result.status).toBe("converged");
    expect(result.matvecs).toBeLessThan(200);
    expect(result.standardError).toBeLessThanOrEqual(0.02 * result.trace);
    expect(result.message).toMatch(/^half the interval is 0\.0\d+ of the estimate after \d+ probes, 0\.02 asked for$/);
  });
  test("says so when the budget ends first", async () => {
    const result = await hutchinsonTrace(A, { matvecs: 40, seed: 0, tolerance: 1e-7 });
    expect(result).toMatchObject({ status: "budget", matvecs: 40 });
    expect(result.message).toMatch(/1e-7 asked for; raise matvecs or loosen tolerance$/);
  });
  test("is about the diagonal, or the norm, where these are asked for", async () => {
    const diagonal = await hutchinsonDiagonal(A, { matvecs: 399, seed: 0, tolerance: 0.2 });
    expect(diagonal.status).toBe("converged");
    expect(squares(diagonal.standardErrors)).toBeLessThanOrEqual(0.04 * squares(diagonal.values));
    const norm = await squaredFrobeniusNorm(A, { matvecs: 399, seed: 0, tolerance: 0.05 });
    expect(norm.status).toBe("converged");
    expect(norm.standardError).toBeLessThanOrEqual(0.05 * norm.squaredNorm);
  });
});

test("an exact run that is interrupted is still an unbiased estimate, and honest about the entries it has not seen", async () => {
  const dense = rotatedMatrix(Float64Array.from({ length: 40 }, (_, i) => 1 + i));
  let inside = 0;
  for (let seed = 0; seed < 100; seed++) {
    const A = failing(operatorOf(dense), 31, (y) => y.fill(Number.NaN));
    const { trace, diagonal, status, exact, matvecs } = await hutchinsonMoments(A, { matvecs: 40, seed });
    expect({ status, exact, matvecs }).toEqual({ status: "nonfinite", exact: false, matvecs: 30 });
    if (Math.abs(trace.value - 820) <= 1.96 * trace.standardError) inside++;
    const seen = Array.from(diagonal.standardErrors, (error, i) => [i, error] as const).filter(
      ([, error]) => error === 0,
    );
    expect(seen.length).toBe(30);
    for (const [i] of seen) expect(diagonal.values[i]).toBe(dense[i * 41]);
    expect(Array.from(diagonal.values).filter(Number.isNaN).length).toBe(10);
  }
  expect(inside).toBeGreaterThanOrEqual(85);
});

test("a run resumed from any of its states gives the same bits", async () => {
  const A = rotated(geometric(40, 0.9));
  for (const matvecs of [20, 60]) {
    const options = { matvecs, seed: 5, blockSize: 4, blocks: [{ name: "a", start: 3, end: 9 }] };
    const whole = await hutchinsonMoments(A, options);
    for await (const state of hutchinsonSteps(A, options)) {
      expect(await hutchinsonMoments(A, { ...options, state: structuredClone(state) })).toEqual(whole);
    }
  }
});

describe("refusals", () => {
  const A = rotated(geometric(10, 0.9));
  test("options", async () => {
    const blocks = [{ name: "head", start: 4, end: 12 }];
    await expect(hutchinsonMoments(A, { matvecs: 4, seed: 0, blocks })).rejects.toThrow(
      'hutchinsonMoments expects block "head" to be a range of indices with 0 <= start < end <= 10, got 4 to 12',
    );
    await expect(hutchinsonTrace(A, { matvecs: 4, seed: 0, distribution: "cauchy" as "signs" })).rejects.toThrow(
      "hutchinsonTrace expects distribution to be signs or gaussian or sphere, got cauchy",
    );
    await expect(hutchinsonTrace(A, { matvecs: 4, seed: 0, blockSize: 0 })).rejects.toThrow(
      "hutchinsonTrace expects blockSize to be a positive integer, got 0",
    );
  });
  test("a state of another run", async () => {
    const { value } = await hutchinsonSteps(A, { matvecs: 4, seed: 0 }).next();
    if (!value || !("method" in value)) throw new Error("no state");
    await expect(hutchinsonMoments(A, { matvecs: 4, seed: 1, state: value })).rejects.toThrow(
      "hutchinsonMoments resumes from a state of method hutchinson with 10 columns and seed 1, got method hutchinson with 10 columns and seed 0; pass the state that the same call gave",
    );
    await expect(hutchinsonMoments(A, { matvecs: 4, seed: 0, distribution: "gaussian", state: value })).rejects.toThrow(
      "hutchinsonMoments expects the distribution and blocks that its state was made with; pass the same",
    );
  });
});
