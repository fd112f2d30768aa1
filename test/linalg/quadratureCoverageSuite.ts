import { beforeAll, describe, expect, test } from "vitest";
import { sampled } from "../sampled.ts";
import { type Coverage, quadratureCoverage, shiftedSpectra, statements } from "./quadratureCoverage.ts";

/** How many runs are made, and in which share of them intervals of confidence 0.95 must hold. */
export interface CoverageBounds {
  readonly runs: number;
  readonly few: readonly number[];
  readonly most: number;
  readonly least: { readonly many: number; readonly few: number };
}

/** Holds the intervals of all statements over quadratures to the bounds, on every spectrum; intervals 0.6 times as wide fail them. */
export function describeQuadratureCoverage({ runs, few: counts, most, least }: CoverageBounds): void {
  describe.each(sampled(Object.keys(shiftedSpectra) as (keyof typeof shiftedSpectra)[], 1))(
    `intervals of confidence 0.95 over Lanczos quadratures, ${runs} runs, spectrum %s`,
    (spectrum) => {
      let found: Readonly<Record<string, Readonly<Record<number, Coverage>>>>;
      beforeAll(async () => {
        found = await quadratureCoverage(await shiftedSpectra[spectrum](40), { runs, probes: [...counts, 100] });
      }, 600_000);

      test.each(Object.keys(statements))("%s: holds in as many runs as it should, and not too many", (name) => {
        const { 100: many, ...few } = found[name]!;
        expect(many!.inside).toBeGreaterThanOrEqual(least.many);
        expect(many!.inside).toBeLessThanOrEqual(most);
        expect(many!.insideNarrow).toBeLessThan(least.many);
        for (const { inside } of Object.values(few)) expect(inside).toBeGreaterThanOrEqual(least.few);
      });

      test.each(Object.keys(statements))(
        "%s: in every run the quadrature error is below 1 / 10 standard error",
        (name) => {
          for (const { quadratureError } of Object.values(found[name]!)) expect(quadratureError).toBeLessThan(0.1);
        },
      );

      test.each(Object.keys(statements))("%s: says that it rests on few probes", (name) => {
        for (const [probes, { fewProbes, message }] of Object.entries(found[name]!)) {
          expect(fewProbes).toBe(Number(probes) <= 30);
          expect(message.includes("few for an interval")).toBe(fewProbes);
        }
      });
    },
  );
}
