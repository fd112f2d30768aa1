import { CurvatureError } from "../errors/index.ts";
import type { Stream } from "../random/index.ts";

/**
 * Draws a Poisson count. Below a rate of 10 it counts products of uniform numbers (Knuth, 1969); above it uses transformed rejection
 * (Hormann, 1993, algorithm PTRS), whose time does not grow with the rate.
 *
 * @throws CurvatureError "numeric" for a rate that is not finite
 */
export function samplePoisson(rate: number, random: Stream): number {
  if (!Number.isFinite(rate)) {
    throw new CurvatureError(
      "numeric",
      `poissonNll: cannot draw a count of rate ${rate}; the model's output is too large`,
    );
  }
  return rate < 10 ? countProducts(rate, random) : rejectTransformed(rate, random);
}

function countProducts(rate: number, random: Stream): number {
  const limit = Math.exp(-rate);
  let count = 0;
  for (let product = random.uniform(); product > limit; product *= random.uniform()) count++;
  return count;
}

function rejectTransformed(rate: number, random: Stream): number {
  const b = 0.931 + 2.53 * Math.sqrt(rate);
  const a = -0.059 + 0.02483 * b;
  const inverseAlpha = 1.1239 + 1.1328 / (b - 3.4);
  const inside = 0.9277 - 3.6224 / (b - 2);
  const logRate = Math.log(rate);
  for (;;) {
    const u = random.uniform() - 0.5;
    const v = random.uniform();
    const us = 0.5 - Math.abs(u);
    const k = Math.floor(((2 * a) / us + b) * u + rate + 0.43);
    if (us >= 0.07 && v <= inside) return k;
    if (k < 0 || (us < 0.013 && v > us)) continue;
    const proposal = Math.log(v) + Math.log(inverseAlpha) - Math.log(a / (us * us) + b);
    if (proposal <= k * logRate - rate - logFactorial(k)) return k;
  }
}

/** log k!, computed by Stirling's series above 9. */
function logFactorial(k: number): number {
  let [n, product] = [k, 1];
  while (n < 10) product *= ++n;
  const series = (1 / 12 - (1 / 360 - 1 / (1260 * n * n)) / (n * n)) / n;
  return (n + 0.5) * Math.log(n) - n + 0.5 * Math.log(2 * Math.PI) + series - Math.log(product);
}
