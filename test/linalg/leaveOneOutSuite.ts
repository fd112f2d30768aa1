import { describe, expect, test } from "vitest";
import { diagPlusPlus, hutchPlusPlus, xdiag, xnysdiag, xnystrace, xtrace } from "../../src/linalg/index.ts";
import { haarMatrix } from "./haar.ts";
import { geometric, operatorOf, range } from "./knownOperators.ts";

const sum = (values: ArrayLike<number>) => Array.from(values).reduce((so, x) => so + x, 0);
const mean = (values: readonly number[]) => sum(values) / values.length;
const spread = (samples: readonly number[]) =>
  Math.sqrt(sum(samples.map((x) => (x - mean(samples)) ** 2)) / (samples.length * (samples.length - 1)));

/** How many runs are made, and in which share of them 95 % intervals of 8 and of 16 test vectors must hold. */
export interface LeaveOneOutBounds {
  readonly runs: number;
  readonly seeds: number;
  readonly least: readonly [eight: number, sixteen: number];
  readonly most: number;
  /** Of the stated variance over the true one. */
  readonly variance: readonly [low: number, high: number];
}

/** Holds estimates to no bias and their error bars to the bounds; intervals 0.6 times as wide fail them. */
export function describeLeaveOneOut({
  runs,
  seeds,
  least: [leastOf8, leastOf16],
  most,
  variance,
}: LeaveOneOutBounds): void {
  describe("estimates are unbiased and their error bars hold", () => {
    const n = 60;
    // Flat, geometric, and one eigenvalue that outweighs all others together.
    const spectra = {
      flat: range(n, (i) => 1 + (2 * i) / (n - 1)),
      geometric: geometric(n, 0.01 ** (1 / n)),
      outlier: range(n, (i) => (i === 0 ? 4 * n : 1 + (i % 5) / 5)),
    };
    const matrices = Object.entries(spectra).map(([name, values]) => {
      const data = haarMatrix(values);
      return { name, truth: sum(values), data, A: operatorOf(data) };
    });
    const signs =
      (method: typeof xtrace): typeof xtrace =>
      (A, o) =>
        method(A, { ...o, distribution: "signs" });
    const traces: Readonly<Record<string, { method: typeof xtrace; products: number }>> = {
      hutchPlusPlus: { method: hutchPlusPlus as typeof xtrace, products: 3 },
      xtrace: { method: xtrace, products: 2 },
      "xtrace with signs": { method: signs(xtrace), products: 2 },
      xnystrace: { method: xnystrace as typeof xtrace, products: 1 },
      "xnystrace with signs": { method: signs(xnystrace as typeof xtrace), products: 1 },
    };

    describe.each(matrices)("spectrum $name", ({ truth, data, A }) => {
      test.each(Object.entries(traces))(
        "%s: 95 % intervals hold in as many runs as they should with 8 and 16 test vectors; the error is the variance",
        async (_, { method, products }) => {
          for (const [vectors, least] of [
            [8, leastOf8],
            [16, leastOf16],
          ] as const) {
            const errors: number[] = [];
            let [inside, narrow, variances] = [0, 0, 0];
            for (let seed = 0; seed < runs; seed++) {
              const { trace, interval, standardError } = await method(A, { matvecs: products * vectors, seed });
              errors.push(trace - truth);
              variances += standardError ** 2;
              if (interval.lower <= truth && truth <= interval.upper) inside++;
              if (2 * Math.abs(truth - trace) <= 0.6 * (interval.upper - interval.lower)) narrow++;
            }
            expect(variances / sum(errors.map((x) => x * x))).toBeGreaterThan(variance[0]);
            expect(variances / sum(errors.map((x) => x * x))).toBeLessThan(variance[1]);
            expect(Math.abs(mean(errors))).toBeLessThan(3.5 * spread(errors));
            expect(inside / runs).toBeGreaterThanOrEqual(least);
            expect(inside / runs).toBeLessThanOrEqual(most);
            if (vectors === 16) expect(narrow / runs).toBeLessThan(least);
          }
        },
      );

      test.each([
        ["diagPlusPlus", diagPlusPlus, 3],
        ["xdiag", xdiag, 2],
        ["xnysdiag", xnysdiag, 1],
      ] as const)("%s: of the entries of the diagonal 90 of 100", async (_, method, products) => {
        const diagonal = range(n, (i) => data[i * (n + 1)]!);
        const errors: number[] = [];
        let inside = 0;
        for (let seed = 0; seed < seeds; seed++) {
          const { values, standardErrors, certainty } = await method(A, { matvecs: products * 14, seed });
          errors.push(values[7]! - diagonal[7]!);
          values.forEach((value, j) => {
            inside += Number(Math.abs(value - diagonal[j]!) <= certainty.quantile * standardErrors[j]!);
          });
        }
        expect(Math.abs(mean(errors))).toBeLessThan(3.5 * spread(errors));
        expect(inside / (seeds * n)).toBeGreaterThanOrEqual(0.9);
        expect(inside / (seeds * n)).toBeLessThanOrEqual(0.99);
      });
    });
  });
}
