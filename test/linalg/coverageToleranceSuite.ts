import { describe, expect, test } from "vitest";
import { checkpoints } from "../../src/linalg/statistics/index.ts";
import { sampled } from "../sampled.ts";
import { matrices, methods, sequentialCoverage } from "./coverageTolerance.ts";

const names = Object.keys(matrices) as (keyof typeof matrices)[];
/** Checkpoints of each family: methods that average over probes start at 32, sketches at 8. */
const sketches = ["xtrace", "xnystrace"];

/** How many runs are made on each spectrum, and in which share of them intervals must hold: on each, and on all together. */
export interface SequentialBounds {
  readonly runs: number;
  readonly least: number;
  readonly together: number;
}

/**
 * Holds runs that end by their tolerance to the shares in which their intervals must hold. Intervals 0.6 times as wide fail these: runs on
 * all spectra together tell them apart, which a few runs on one do not.
 */
export function describeSequentialCoverage({ runs, least, together }: SequentialBounds): void {
  describe.each(sampled(Object.entries(methods), 3))(`%s with a tolerance, ${runs} runs a spectrum`, (name, method) => {
    test("intervals hold, and runs keep their budget", async () => {
      const shares = { inside: 0, insideNarrow: 0 };
      for (const spectrum of names) {
        const matrix = matrices[spectrum];
        // A little more than a run of full length reaches, so that runs end at different checkpoints.
        const { value, interval, size } = await method.run(matrix.A, { seed: 0, tolerance: 0 });
        const tolerance = (1.6 * Math.max(interval.upper - value, value - interval.lower)) / size;
        const found = await sequentialCoverage(method, { matrix, tolerance, runs });
        expect(found.inside, spectrum).toBeGreaterThanOrEqual(least);
        shares.inside += found.inside / names.length;
        shares.insideNarrow += found.insideNarrow / names.length;
        expect(found.converged, spectrum).toBeGreaterThan(0.5);
        // The interval of every run that ended by the rule is as narrow as was asked for.
        expect(found.worst, spectrum).toBeLessThanOrEqual(1 + 1e-12);
        if (name === "hutchPlusPlus") continue;
        expect(found.early, spectrum).toBeGreaterThan(0);
        const possible = sketches.includes(name) ? checkpoints(name === "xtrace" ? 35 : 40, 8) : checkpoints(110);
        for (const look of found.looks) expect(possible, spectrum).toContain(look);
      }
      expect(shares.inside).toBeGreaterThanOrEqual(together);
      expect(shares.insideNarrow).toBeLessThan(together);
    });
  });
}
