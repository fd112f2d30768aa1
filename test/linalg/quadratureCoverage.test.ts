import { beforeAll, describe, expect, test } from "vitest";
import { kernelPolynomial, lanczosQuadrature, schattenNorm, spectralSum } from "../../src/linalg/index.ts";
import { type Coverage, quadratureCoverage, shiftedSpectra, statements } from "./quadratureCoverage.ts";

const RUNS = 400;

describe.each(Object.keys(shiftedSpectra) as (keyof typeof shiftedSpectra)[])(
  "intervals of confidence 0.95 over Lanczos quadratures, spectrum %s",
  (spectrum) => {
    let found: Readonly<Record<string, Readonly<Record<number, Coverage>>>>;
    beforeAll(async () => {
      const matrix = await shiftedSpectra[spectrum](40);
      found = await quadratureCoverage(matrix, { runs: RUNS, probes: [10, 20, 30, 100] });
    }, 600_000);

    test.each(Object.keys(statements))("%s: 92 to 98 of 100 runs with 100 probes, 85 with few", (name) => {
      const { 100: many, ...few } = found[name]!;
      expect(many!.inside).toBeGreaterThanOrEqual(0.92);
      expect(many!.inside).toBeLessThanOrEqual(0.98);
      for (const { inside } of Object.values(few)) expect(inside).toBeGreaterThanOrEqual(0.85);
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

test("a run of fewer probes is the beginning of a longer one", async () => {
  const { A, steps } = await shiftedSpectra.flat(40);
  const long = await lanczosQuadrature(A, { steps, probes: 9, seed: 3 });
  const short = await lanczosQuadrature(A, { steps, probes: 4, seed: 3 });
  expect(short.quadrature).toEqual(long.quadrature.slice(0, 4));
});

test("every other result of this kind says so as well", async () => {
  const { A } = await shiftedSpectra.flat(40);
  const options = { steps: 5, probes: 12, seed: 0 };
  const results = [
    await spectralSum(A, Math.exp, options),
    await schattenNorm(A, { ...options, p: 2 }),
    await kernelPolynomial(A, options),
    await lanczosQuadrature(A, options),
  ];
  for (const { message } of results) expect(message).toMatch(/^averaged 12 probes, few for an interval/);
});
