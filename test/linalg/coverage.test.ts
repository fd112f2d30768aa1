import { describe, expect, test } from "vitest";
import { hutchinsonDiagonal, hutchinsonTrace, squaredFrobeniusNorm } from "../../src/linalg/index.ts";
import { checkpoints } from "../../src/linalg/statistics/index.ts";
import { sampled } from "../sampled.ts";
import { coverage, spectra, traceAndEntry } from "./coverage.ts";

// Every quantity on every spectrum with 400 runs is in coverage.long.ts; here the cheap ones, and fewer runs of the others.

const small = spectra(32);
const names = Object.keys(small) as (keyof typeof small)[];

describe.each(sampled(names, 2))("intervals of confidence 0.95, spectrum %s", (name) => {
  test("trace and diagonal entry with 100 probes, 91 to 99.5 of 100 runs", async () => {
    const matrix = spectra(101)[name];
    const inside = { trace: 0, entry: 0 };
    for (let seed = 0; seed < 120; seed++) {
      const { trace, entry } = await traceAndEntry(matrix, { probes: 100, seed });
      inside.trace += Number(trace);
      inside.entry += Number(entry);
    }
    for (const count of Object.values(inside)) {
      expect(count).toBeGreaterThanOrEqual(0.91 * 120);
      expect(count).toBeLessThanOrEqual(0.995 * 120);
    }
  });

  test("log-determinant with 40 probes", async () => {
    const share = await coverage("log-determinant", small[name], { runs: 60, probes: 40, steps: 12 });
    expect(share).toBeGreaterThanOrEqual(0.88);
  });

  test.each([10, 20, 30])(
    "trace and diagonal entry with %i probes, 85 of 100 runs, and the result says that they are few",
    async (probes) => {
      const inside = { trace: 0, entry: 0 };
      for (let seed = 0; seed < 60; seed++) {
        const { trace, entry } = await traceAndEntry(small[name], { probes, seed });
        inside.trace += Number(trace) / 60;
        inside.entry += Number(entry) / 60;
      }
      for (const share of Object.values(inside)) expect(share).toBeGreaterThanOrEqual(0.85);
      const { interval, message } = await hutchinsonTrace(small[name].A, { matvecs: probes, seed: 0 });
      expect(interval).toMatchObject({ confidence: 0.95, probes, fewProbes: true });
      expect(message).toContain("few for an interval");
    },
  );
});

describe("stopping by tolerance", () => {
  test.each([
    ["flat", 0.015],
    ["geometric", 0.06],
    ["outlier", 0.45],
    ["outlier", 0.7],
  ] as const)(
    "covers 93 of 100 runs, and not 0.6 times as wide, spectrum %s, tolerance %s",
    async (name, tolerance) => {
      const { A, values } = spectra(120)[name];
      const truth = values.reduce((so, x) => so + x, 0);
      const runs = 60;
      let [inside, narrow, stopped] = [0, 0, 0];
      for (let seed = 0; seed < runs; seed++) {
        const { trace, interval, status } = await hutchinsonTrace(A, { matvecs: 119, seed, tolerance });
        if (interval.lower <= truth && truth <= interval.upper) inside++;
        if (2 * Math.abs(truth - trace) <= 0.6 * (interval.upper - interval.lower)) narrow++;
        if (status === "converged") stopped++;
        if (status === "converged") expect(interval.upper - trace).toBeLessThanOrEqual(tolerance * Math.abs(trace));
      }
      expect(stopped / runs).toBeGreaterThan(0.3);
      expect(inside / runs).toBeGreaterThanOrEqual(0.93);
      expect(narrow / runs).toBeLessThan(0.93);
    },
    120_000,
  );

  test("looks at fixed numbers of probes only, whatever the block size", async () => {
    expect(checkpoints(10)).toEqual([10]);
    expect(checkpoints(100)).toEqual([32, 48, 72, 100]);
    const { A } = spectra(100).flat;
    for (const blockSize of [1, 7, 64]) {
      const { matvecs } = await hutchinsonTrace(A, { matvecs: 99, seed: 0, tolerance: 0.03, blockSize });
      expect([32, 48, 72, 99]).toContain(matvecs);
    }
  });

  test("refuses a confidence that is none", async () => {
    await expect(hutchinsonTrace(small.flat.A, { matvecs: 9, seed: 0, confidence: 95 })).rejects.toThrow(
      "hutchinsonTrace expects confidence to be between 0 and 1, got 95; pass for example 0.95",
    );
  });

  test("a higher confidence asks for more probes and gives wider intervals", async () => {
    const { A } = spectra(200).flat;
    const run = (confidence: number) => hutchinsonTrace(A, { matvecs: 199, seed: 0, tolerance: 0.012, confidence });
    expect((await run(0.999)).matvecs).toBeGreaterThan((await run(0.6)).matvecs);
    const fixed = (confidence: number) => hutchinsonTrace(A, { matvecs: 50, seed: 0, confidence });
    const width = async (confidence: number) => {
      const { interval } = await fixed(confidence);
      return interval.upper - interval.lower;
    };
    expect(await width(0.99)).toBeGreaterThan(1.2 * (await width(0.95)));
  });

  test("is about all entries of a diagonal together, and the norm", async () => {
    const { A, dense, values } = spectra(150).flat;
    const diagonal = await hutchinsonDiagonal(A, { matvecs: 149, seed: 0, tolerance: 0.2 });
    expect(diagonal.status).toBe("converged");
    const error = Math.hypot(...Array.from(diagonal.values, (x, i) => x - dense[i * 151]!));
    const size = Math.hypot(...Array.from(values, (_, i) => dense[i * 151]!));
    expect(error).toBeLessThan(0.2 * size);
    const norm = await squaredFrobeniusNorm(A, { matvecs: 149, seed: 0, tolerance: 0.1 });
    expect(norm.status).toBe("converged");
  });
});
