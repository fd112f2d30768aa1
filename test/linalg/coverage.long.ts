import { describe, expect, test } from "vitest";
import { coverage, quantities, spectra } from "./coverage.ts";

// 400 runs of every quantity on every spectrum, as the error bars of this library are promised.

const matrices = spectra(60);

describe.each(Object.keys(matrices) as (keyof typeof matrices)[])("spectrum %s", (name) => {
  describe.each(Object.keys(quantities) as (keyof typeof quantities)[])("%s", (quantity) => {
    test("95 % intervals of 100 probes hold in 92 to 98 % of 400 runs", async () => {
      // Budgets that reach n would be exact.
      const matrix = quantity === "trace" || quantity === "diagonal entry" ? spectra(128)[name] : matrices[name];
      const share = await coverage(quantity, matrix, { runs: 400, probes: 100, steps: 20 });
      expect(share).toBeGreaterThanOrEqual(0.92);
      expect(share).toBeLessThanOrEqual(0.98);
    });

    test.each([10, 20, 30])("of %i probes in at least 85 %", async (probes) => {
      const share = await coverage(quantity, matrices[name], { runs: 400, probes, steps: 20 });
      expect(share).toBeGreaterThanOrEqual(0.85);
    });
  });
});
