import { expect, test } from "vitest";
import { kernelPolynomial, lanczosQuadrature, schattenNorm, spectralSum } from "../../src/linalg/index.ts";
import { shiftedSpectra } from "./quadratureCoverage.ts";
import { describeQuadratureCoverage } from "./quadratureCoverageSuite.ts";

// 400 runs are in quadratureCoverage.long.ts. Of 64 runs, 86 of 100 lie 3.3 deviations below 95, and an interval 0.6 times as wide holds in 76.
describeQuadratureCoverage({ runs: 64, few: [20], most: 1, least: { many: 0.86, few: 0.8 } });

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
