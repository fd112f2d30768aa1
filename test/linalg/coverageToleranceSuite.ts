import { describe, expect, test } from "vitest";
import { checkpoints } from "../../src/linalg/statistics/index.ts";
import { matrices, methods, sequentialCoverage } from "./coverageTolerance.ts";

const names = Object.keys(matrices) as (keyof typeof matrices)[];
/** Checkpoints of each family: methods that average over probes start at 32, sketches at 8. */
const sketches = ["xtrace", "xnystrace"];

/** Holds runs that end by their tolerance to the share in which their intervals must hold. */
export function describeSequentialCoverage({ runs, least }: { readonly runs: number; readonly least: number }): void {
  describe.each(Object.entries(methods))(`%s with a tolerance, ${runs} runs`, (name, method) => {
    test.each(names)("intervals hold, and runs keep their budget, spectrum %s", async (spectrum) => {
      const matrix = matrices[spectrum];
      // A little more than a run of full length reaches, so that runs end at different checkpoints.
      const { value, interval, size } = await method.run(matrix.A, { seed: 0, tolerance: 0 });
      const tolerance = (1.6 * Math.max(interval.upper - value, value - interval.lower)) / size;
      const found = await sequentialCoverage(method, { matrix, tolerance, runs });
      expect(found.inside).toBeGreaterThanOrEqual(least);
      expect(found.converged).toBeGreaterThan(0.5);
      // The interval of every run that ended by the rule is as narrow as was asked for.
      expect(found.worst).toBeLessThanOrEqual(1 + 1e-12);
      if (name === "hutchPlusPlus") return;
      expect(found.early).toBeGreaterThan(0);
      const possible = sketches.includes(name) ? checkpoints(name === "xtrace" ? 35 : 40, 8) : checkpoints(110);
      for (const look of found.looks) expect(possible).toContain(look);
    });
  });
}
