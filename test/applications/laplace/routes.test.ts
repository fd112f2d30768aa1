import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type LaplaceOptions,
  type LaplacePosterior,
  laplace,
  logMarginalLikelihood,
  optimizePrior,
  predict,
  priorCurve,
} from "../../../src/applications/laplace/index.ts";
import { ggn, type Risk } from "../../../src/index.ts";
import { ekfac, lowRankPlusDiagonal } from "../../../src/structured/index.ts";
import { rejectionOf } from "../../onnx/messageOf.ts";
import { difference } from "../../operators/closeness.ts";
import { relative } from "../digits.ts";
import { smallRisk } from "../smallRisk.ts";

describe("a small network of three classes", () => {
  let risk: Risk;
  let full: LaplacePosterior;
  beforeAll(async () => {
    risk = await smallRisk();
    full = await laplace(risk, { structure: "full", priorPrecision: 0.8 });
  });
  afterAll(async () => {
    await full.dispose();
    await risk.dispose();
  });

  test("function space is the full posterior", async () => {
    const kernel = await laplace(risk, { structure: "functionSpace", priorPrecision: 0.8 });
    const [a, b] = [await logMarginalLikelihood(full), await logMarginalLikelihood(kernel)];
    expect(relative(b.value, a.value)).toBeLessThan(1e-10);
    const [p, q] = [await predict(full, risk.data), await predict(kernel, risk.data)];
    expect(difference(q.variance, p.variance)).toBeLessThan(1e-9);
    const weights = Float64Array.from({ length: 24 }, (_, i) => 0.5 + (i % 4));
    const [c, d] = [
      await full.withPrior({ priorPrecision: weights }),
      await kernel.withPrior({ priorPrecision: weights }),
    ];
    expect(relative((await logMarginalLikelihood(d)).value, (await logMarginalLikelihood(c)).value)).toBeLessThan(
      1e-10,
    );
    expect(difference((await predict(d, risk.data)).variance, (await predict(c, risk.data)).variance)).toBeLessThan(
      1e-9,
    );
    const best = await optimizePrior(kernel);
    expect(relative(best.priorPrecision as number, (await optimizePrior(full)).priorPrecision as number)).toBeLessThan(
      1e-9,
    );
    await kernel.dispose();
  });

  test("products alone: exact where the Lanczos runs are, else within the errors they state", async () => {
    const exact = await laplace(risk, {
      structure: "matrixFree",
      priorPrecision: 0.8,
      estimation: { tolerance: 1e-12 },
    });
    const known = await logMarginalLikelihood(full);
    const found = await logMarginalLikelihood(exact);
    expect(relative(found.value, known.value)).toBeLessThan(1e-9);
    expect(found.standardError).toBe(0);
    expect(
      difference((await predict(exact, risk.data)).variance, (await predict(full, risk.data)).variance),
    ).toBeLessThan(1e-8);
    const best = await optimizePrior(exact);
    expect(relative(best.priorPrecision as number, (await optimizePrior(full)).priorPrecision as number)).toBeLessThan(
      1e-8,
    );
    const byTensor = { w1: 1, b1: 2, w2: 3, b2: 4 };
    const [a, b] = [
      await exact.withPrior({ priorPrecision: byTensor }),
      await full.withPrior({ priorPrecision: byTensor }),
    ];
    expect(relative((await logMarginalLikelihood(a)).value, (await logMarginalLikelihood(b)).value)).toBeLessThan(1e-9);
    const few = await laplace(risk, {
      structure: ggn,
      priorPrecision: 0.8,
      estimation: { steps: 8, probes: 40, seed: 3 },
    });
    const estimate = await logMarginalLikelihood(few);
    expect(estimate.standardError).toBeGreaterThan(0);
    expect(Math.abs(estimate.value - known.value)).toBeLessThan(4 * estimate.standardError);
    expect(few.structure).toBe("matrix by products");
  });

  test.each([
    ["full", {}],
    ["kfac", {}],
    ["lowRank", { rank: 4, seed: 0 }],
    ["matrixFree", {}],
  ] as const)("samples of %s have the posterior's covariance", async (structure, more) => {
    const posterior = await laplace(risk, { structure, priorPrecision: 0.8, ...more });
    const count = structure === "matrixFree" ? 80 : 20_000;
    const n = risk.size;
    const draws = await posterior.sample({ count, seed: 5 });
    const identity = new Float64Array(n * n);
    for (let i = 0; i < n; i++) identity[i * (n + 1)] = 1;
    const { data: covariance } = await posterior.precision.solve({ rows: n, columns: n, data: identity });
    for (let i = 0; i < n; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = 0;
        for (let k = 0; k < count; k++) {
          sum += (draws.data[k * n + i] - posterior.mean[i]) * (draws.data[k * n + j] - posterior.mean[j]);
        }
        const variance = covariance[i * (n + 1)] * covariance[j * (n + 1)] + covariance[i * n + j] ** 2;
        expect(Math.abs(sum / count - covariance[i * n + j])).toBeLessThan(5 * Math.sqrt(variance / count));
      }
    }
    // Sample k does not depend on how many are drawn.
    const one = await posterior.sample({ count: 1, seed: 5 });
    expect(difference(one.data, draws.data.subarray(0, n))).toBeLessThan(1e-9);
    await posterior.dispose();
  });

  test("the derivative of the evidence in log delta is half of gamma - delta |theta|^2, by differences", async () => {
    for (const structure of ["kfac", "ekfac", "lowRank", "blockDiagonal", "functionSpace"] as const) {
      const posterior = await laplace(risk, { structure, rank: 3, seed: 0, priorPrecision: 0.8 });
      const at = async (t: number) =>
        (await logMarginalLikelihood(await posterior.withPrior({ priorPrecision: 0.8 * Math.exp(t) }))).value;
      const h = 1e-4;
      const slope = ((await at(h)) - (await at(-h))) / (2 * h);
      const gamma = (await posterior.precision.effectiveParameters()).value;
      const energy = 0.8 * posterior.mean.reduce((sum, x) => sum + x * x, 0);
      expect(Math.abs(slope - (gamma - energy) / 2)).toBeLessThan(1e-6 * (gamma + energy));
      const { slope: left, evidence, priorPrecision } = await optimizePrior(posterior);
      expect(left).toBeLessThan(1e-7);
      for (const factor of [0.7, 1.4]) {
        const other = await posterior.withPrior({ priorPrecision: factor * (priorPrecision as number) });
        expect((await logMarginalLikelihood(other)).value).toBeLessThan(evidence.value);
      }
      await posterior.dispose();
    }
  });

  test("one precision a tensor: stationary, and better than neighbours, for coupled and uncoupled blocks", async () => {
    const structures: readonly LaplaceOptions[] = [
      { structure: "blockDiagonal" },
      { structure: "full" },
      { structure: "ekfac" },
      {
        structure: (own) =>
          lowRankPlusDiagonal(ggn(own), { rank: 3, seed: 0, diagonal: new Float64Array(24).fill(0.01) }),
      },
    ];
    for (const options of structures) {
      const posterior = await laplace(risk, { ...options, priorPrecision: 0.8 });
      const { slope, evidence, priorPrecision } = await optimizePrior(posterior, { by: "tensor" });
      expect(slope).toBeLessThan(1e-6);
      const best = priorPrecision as { readonly [name: string]: number };
      for (const name of Object.keys(best)) {
        for (const factor of [0.8, 1.25]) {
          const other = await posterior.withPrior({ priorPrecision: { ...best, [name]: factor * best[name]! } });
          expect((await logMarginalLikelihood(other)).value).toBeLessThan(evidence.value);
        }
      }
      await posterior.dispose();
    }
  });

  test("one precision a weight: each at its own maximum; 0 and infinity are told", async () => {
    const posterior = await laplace(risk, { structure: "diagonal" });
    const { priorPrecision, evidence } = await optimizePrior(posterior, { by: "weight" });
    const best = priorPrecision as Float64Array;
    const value = async (precision: Float64Array) =>
      (await logMarginalLikelihood(await posterior.withPrior({ priorPrecision: precision }))).value;
    expect(relative(await value(best), evidence.value)).toBeLessThan(1e-10);
    for (const index of [0, 7, 23]) {
      for (const factor of [0.9, 1.1]) {
        expect(await value(best.map((x, i) => (i === index ? factor * x : x)))).toBeLessThan(evidence.value);
      }
    }
    const theta = risk.theta();
    theta[3] = 0;
    // Without an effect of hidden unit 0 on the outputs, the data say nothing of the weights into it: columns 0 of w1 and b1.
    for (const output of [0, 1, 2]) theta[12 + output] = 0;
    const moved = await laplace(risk.at(theta), { structure: "diagonal" });
    const { improper, posterior: none, message } = await optimizePrior(moved, { by: "weight" });
    expect([...improper!.zeros]).toEqual([0, 3, 6, 9]);
    expect([...improper!.infinities]).toEqual([12, 13, 14]);
    expect(none).toBeUndefined();
    expect(message).toContain("the best precision of 4 weights is 0");
  });

  test("subnetworks, matrices of one's own, and the prior's mean", async () => {
    const magnitude = await laplace(risk, { structure: "full", weights: { largest: "magnitude", count: 5 } });
    const theta = risk.theta();
    const least = Math.min(...magnitude.mean.map(Math.abs));
    expect(theta.filter((x) => Math.abs(x) >= least)).toHaveLength(5);
    const variance = await laplace(risk, { structure: "diagonal", weights: { largest: "variance", count: 5 } });
    const all = await laplace(risk, { structure: "diagonal" });
    const variances = await all.precision.inverseDiagonal!();
    const chosen = new Set(variance.indices);
    const smallest = Math.min(...Array.from(variance.indices!, (at) => variances[at]!));
    variances.forEach((x, i) => {
      if (!chosen.has(i)) expect(x).toBeLessThanOrEqual(smallest * (1 + 1e-12));
    });
    const random = await laplace(risk, { structure: ggn, weights: { random: 6, seed: 1 } });
    const same = await laplace(risk, { structure: "full", weights: { indices: random.indices! } });
    expect(new Set(random.indices).size).toBe(6);
    expect(
      relative((await logMarginalLikelihood(random)).value, (await logMarginalLikelihood(same)).value),
    ).toBeLessThan(1e-10);
    const named = await laplace(risk, { structure: (own) => ekfac(own), weights: ["w2", "b*"] });
    expect(named.groups.map(({ name }) => name)).toEqual(["b1", "w2", "b2"]);
    expect(named.structure).toContain("matrix of");
    // At its own mean the prior takes nothing of the evidence.
    const centred = await full.withPrior({ priorMean: theta });
    expect((await logMarginalLikelihood(centred)).priorEnergy).toBe(0);
    expect(await rejectionOf(optimizePrior(centred))).toContain("largest at a prior precision of infinity");
  });

  test("the curve over precisions is that of single posteriors, and validation takes the least loss", async () => {
    const posterior = await laplace(risk, { structure: "kfac" });
    const curve = await priorCurve(posterior, { precisions: [0.1, 1, 10], validation: risk.data });
    for (const { priorPrecision, logMarginalLikelihood: evidence, validationLoss } of curve) {
      const at = await posterior.withPrior({ priorPrecision });
      expect(relative((await logMarginalLikelihood(at)).value, evidence)).toBeLessThan(1e-12);
      const { probabilities } = await predict(at, risk.data);
      const labels = [0, 1, 2, 0, 2, 1, 1];
      const loss = labels.reduce((sum, label, n) => sum - Math.log(probabilities![3 * n + label]), 0) / 7;
      expect(relative(validationLoss!, loss)).toBeLessThan(1e-10);
    }
    const found = await optimizePrior(posterior, {
      method: "validation",
      validation: risk.data,
      precisions: [0.1, 1, 10],
    });
    const least = Math.min(...curve.map((point) => point.validationLoss!));
    expect(found.validationLoss).toBe(least);
    expect(found.message).toContain("at an end of the precisions tried");
  });
});
