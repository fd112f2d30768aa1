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
import {
  arrays,
  bceWithLogits,
  crossEntropy,
  type Data,
  empiricalRisk,
  functionModel,
  gaussianNll,
  ggn,
  hessian,
  jacobian,
  type Loss,
  meanSquaredError,
  poissonNll,
  primitives,
  type Risk,
} from "../../../src/index.ts";
import { cholesky, choleskySolve, toDense } from "../../../src/linalg/index.ts";
import { stream } from "../../../src/random/index.ts";
import { ekfac, lowRankPlusDiagonal } from "../../../src/structured/index.ts";
import type { Matrix } from "../../../src/tensors/index.ts";
import { rejectionOf } from "../../onnx/messageOf.ts";
import { difference } from "../../operators/closeness.ts";
import { relative } from "../digits.ts";
import { plainLoss, smallRisk } from "../smallRisk.ts";

const { add, matmul, reshape, tanh } = primitives;

/** log det of a positive definite matrix, and its inverse. */
async function inverseOf(P: Matrix): Promise<{ readonly logdet: number; readonly inverse: Float64Array }> {
  const n = P.rows;
  const L = await cholesky(P);
  const identity = new Float64Array(n * n);
  let logdet = 0;
  for (let i = 0; i < n; i++) {
    identity[i * (n + 1)] = 1;
    logdet += 2 * Math.log(L.data[i * (n + 1)]);
  }
  return { logdet, inverse: (await choleskySolve(L, { rows: n, columns: n, data: identity })).data };
}

/** A J diag inverse J' of rows of a dense Jacobian [m, n]. */
function sandwiched(J: Matrix, inverse: Float64Array): Float64Array {
  const { rows: m, columns: n } = J;
  const result = new Float64Array(m * m);
  for (let a = 0; a < m; a++) {
    for (let b = 0; b < m; b++) {
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < n; j++) result[a * m + b] += J.data[i * m + a] * inverse[i * n + j] * J.data[j * m + b];
      }
    }
  }
  return result;
}

describe("conjugate Bayesian linear regression is exact", () => {
  const [rows, inputs, outputs] = [12, 3, 2];
  const [delta, sigma] = [0.7, 0.4];
  const random = stream(8, "linear");
  const x = Float64Array.from({ length: rows * inputs }, () => random.normal());
  const y = Float64Array.from({ length: rows * outputs }, () => random.normal());

  /** The posterior mean of W [inputs, outputs], (X'X / sigma^2 + delta)^-1 X'y / sigma^2. */
  async function optimum(): Promise<{ readonly W: Float64Array; readonly inverse: Float64Array }> {
    const P = new Float64Array(inputs * inputs);
    for (let i = 0; i < inputs; i++) {
      for (let j = 0; j < inputs; j++) {
        for (let n = 0; n < rows; n++) P[i * inputs + j] += (x[n * inputs + i] * x[n * inputs + j]) / sigma ** 2;
      }
      P[i * (inputs + 1)] += delta;
    }
    const { inverse } = await inverseOf({ rows: inputs, columns: inputs, data: P });
    const W = new Float64Array(inputs * outputs);
    for (let i = 0; i < inputs; i++) {
      for (let j = 0; j < inputs; j++) {
        for (let n = 0; n < rows; n++) {
          for (let c = 0; c < outputs; c++) {
            W[i * outputs + c] += (inverse[i * inputs + j] * x[n * inputs + j] * y[n * outputs + c]) / sigma ** 2;
          }
        }
      }
    }
    return { W, inverse };
  }

  async function linearRisk(): Promise<Risk> {
    const { W } = await optimum();
    const model = functionModel({
      name: "linear",
      parameters: { W: { data: W, dims: [inputs, outputs] } },
      inputs: { x: { dims: [inputs], dtype: "float64" } },
      apply: (p, { x: rowsOfX }) => matmul(rowsOfX!, p.W!),
    });
    const data = arrays({
      inputs: { x: { data: x, dims: [rows, inputs] } },
      targets: { data: y, dims: [rows, outputs] },
      batchSize: 5,
    });
    return empiricalRisk({ model, loss: meanSquaredError(), data, dtype: "float64" });
  }

  test.each(["full", "functionSpace", "kfac"] as const)(
    "%s: evidence of N(y; 0, X X' / delta + sigma^2), and predictive",
    async (structure) => {
      const risk = await linearRisk();
      const posterior = await laplace(risk, { structure, priorPrecision: delta, sigmaNoise: sigma });
      expect(posterior.stationarity.gradientNorm).toBeLessThan(1e-10);
      expect(posterior.warnings).toEqual([]);
      const kernel = new Float64Array(rows * rows);
      for (let a = 0; a < rows; a++) {
        for (let b = 0; b < rows; b++) {
          for (let i = 0; i < inputs; i++) kernel[a * rows + b] += (x[a * inputs + i] * x[b * inputs + i]) / delta;
        }
        kernel[a * (rows + 1)] += sigma ** 2;
      }
      const { logdet, inverse } = await inverseOf({ rows, columns: rows, data: kernel });
      let expected = 0;
      for (let c = 0; c < outputs; c++) {
        let energy = 0;
        for (let a = 0; a < rows; a++) {
          for (let b = 0; b < rows; b++) energy += y[a * outputs + c] * inverse[a * rows + b] * y[b * outputs + c];
        }
        expected -= (energy + logdet + rows * Math.log(2 * Math.PI)) / 2;
      }
      // Of a linear model Kronecker factors are the exact matrix.
      expect(relative((await logMarginalLikelihood(posterior)).value, expected)).toBeLessThan(1e-10);
      const { inverse: ofWeights } = await optimum();
      const { values } = await predict(posterior, risk.data);
      for (let n = 0; n < rows; n++) {
        let variance = 0;
        for (let i = 0; i < inputs; i++) {
          for (let j = 0; j < inputs; j++)
            variance += x[n * inputs + i] * ofWeights[i * inputs + j] * x[n * inputs + j];
        }
        expect(relative(values!.functionVariance[n * outputs], variance)).toBeLessThan(1e-9);
        expect(relative(values!.variance[n * outputs + 1], variance + sigma ** 2)).toBeLessThan(1e-9);
      }
      await posterior.dispose();
      await risk.dispose();
    },
  );
});

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

/** A network of 3 inputs, 2 tokens of 2 inputs or one row, whose loss is anything with a likelihood. */
async function otherRisk(kind: keyof typeof LOSSES): Promise<Risk> {
  const random = stream(3, kind);
  const { loss, outputs, targets, tokens = 1 } = LOSSES[kind];
  const rows = 6;
  const draw = (length: number, by = 1) => Float64Array.from({ length }, () => by * random.normal());
  const model = functionModel({
    name: kind,
    parameters: {
      w1: { data: draw(9), dims: [3, 3] },
      w2: { data: draw(3 * outputs, 0.5), dims: [3, outputs] },
      b2: { data: draw(outputs, 0.5), dims: [outputs] },
    },
    inputs: { x: { dims: tokens === 1 ? [3] : [tokens, 3], dtype: "float64" } },
    apply: (p, { x }) => add(matmul(tanh(matmul(x!, p.w1!)), p.w2!), reshape(p.b2!, [outputs])),
  });
  const dims = tokens === 1 ? [rows, 3] : [rows, tokens, 3];
  const data = arrays({
    inputs: { x: { data: draw(rows * tokens * 3), dims } },
    targets: targets(rows),
    batchSize: 4,
  });
  return empiricalRisk({ model, loss, data, dtype: "float64" });
}

const LOSSES: {
  readonly [name: string]: {
    readonly loss: Loss;
    readonly outputs: number;
    readonly tokens?: number;
    readonly targets: (rows: number) => { readonly data: Float64Array | Int32Array; readonly dims: readonly number[] };
    /** Second derivatives of the negative log-likelihood in the outputs of a term, [C, C]. */
    readonly curvature: (f: Float64Array) => number[][];
    /** -log p(y | f) of a term, with all its constants. */
    readonly nll: (f: Float64Array, y: readonly number[]) => number;
  };
} = {
  bernoulli: {
    loss: bceWithLogits(),
    outputs: 1,
    targets: (rows) => ({ data: Float64Array.from({ length: rows }, (_, k) => k % 2), dims: [rows, 1] }),
    curvature: (f) => diagonalOf(Array.from(f, (x) => 1 / (2 + Math.exp(x) + Math.exp(-x)))),
    nll: (f, y) => y.reduce((sum, target, c) => sum + Math.log1p(Math.exp(f[c])) - target * f[c], 0),
  },
  poisson: {
    loss: poissonNll(),
    outputs: 1,
    targets: (rows) => ({ data: Float64Array.from({ length: rows }, (_, k) => k % 5), dims: [rows, 1] }),
    curvature: (f) => diagonalOf(Array.from(f, Math.exp)),
    nll: (f, y) =>
      y.reduce((sum, count, c) => sum + Math.exp(f[c]) - count * f[c] + Math.log([1, 1, 2, 6, 24][count]!), 0),
  },
  heteroscedastic: {
    loss: gaussianNll(),
    outputs: 2,
    targets: (rows) => ({ data: Float64Array.from({ length: rows }, (_, k) => Math.sin(k)), dims: [rows, 1] }),
    curvature: (f) => diagonalOf([Math.exp(-f[1]), 0.5]),
    nll: (f, y) => (Math.log(2 * Math.PI) + f[1] + (y[0]! - f[0]) ** 2 * Math.exp(-f[1])) / 2,
  },
  tokens: {
    loss: crossEntropy({ classAxis: "last" }),
    outputs: 3,
    tokens: 2,
    targets: (rows) => ({ data: Int32Array.from({ length: rows * 2 }, (_, k) => k % 3), dims: [rows, 2] }),
    curvature(f) {
      const p = probabilities(f);
      return p.map((x, a) => p.map((z, b) => (a === b ? x : 0) - x * z));
    },
    nll: (f, y) => -Math.log(probabilities(f)[y[0]!]!),
  },
};

function diagonalOf(values: readonly number[]): number[][] {
  return values.map((x, a) => values.map((_, b) => (a === b ? x : 0)));
}

function probabilities(f: Float64Array): number[] {
  const e = Array.from(f, Math.exp);
  const sum = e.reduce((a, b) => a + b, 0);
  return e.map((x) => x / sum);
}

describe.each(Object.keys(LOSSES))("every likelihood: %s", (kind) => {
  const { curvature, nll, outputs: C } = LOSSES[kind]!;
  let risk: Risk;
  let posterior: LaplacePosterior;
  let J: Matrix;
  let targets: readonly number[];
  beforeAll(async () => {
    risk = await otherRisk(kind);
    posterior = await laplace(risk, { structure: "full", priorPrecision: 0.6 });
    J = await toDense(jacobian(risk));
    targets = [];
    for await (const batch of risk.data.batches()) targets = [...targets, ...Array.from(batch.targets!.data, Number)];
  });
  afterAll(async () => {
    await posterior.dispose();
    await risk.dispose();
  });

  /** P^-1 and log det P from the dense Jacobian and second derivatives written out by hand. */
  async function dense(f: Float64Array) {
    const n = risk.size;
    const P = new Float64Array(n * n);
    for (let t = 0; t < f.length / C; t++) {
      const M = curvature(f.slice(t * C, (t + 1) * C));
      for (let a = 0; a < C; a++) {
        for (let b = 0; b < C; b++) {
          for (let i = 0; i < n; i++) {
            for (let j = 0; j < n; j++)
              P[i * n + j] += M[a]![b]! * J.data[i * J.rows + t * C + a] * J.data[j * J.rows + t * C + b];
          }
        }
      }
    }
    for (let i = 0; i < n; i++) P[i * (n + 1)] += 0.6;
    return inverseOf({ rows: n, columns: n, data: P });
  }

  test("evidence and covariances against second derivatives by hand", async () => {
    const { f, covariance, variance } = await predict(posterior, risk.data, { covariance: true });
    const { logdet, inverse } = await dense(f);
    const each = targets.length / (f.length / C);
    let likelihood = 0;
    for (let t = 0; t < f.length / C; t++) {
      likelihood -= nll(f.slice(t * C, (t + 1) * C), targets.slice(t * each, (t + 1) * each));
    }
    const energy = 0.6 * posterior.mean.reduce((sum, x) => sum + x * x, 0);
    const expected = likelihood - (logdet - risk.size * Math.log(0.6) + energy) / 2;
    expect(relative((await logMarginalLikelihood(posterior)).value, expected)).toBeLessThan(1e-10);
    const whole = sandwiched(J, inverse);
    const blocks = Float64Array.from({ length: f.length * C }, (_, k) => {
      const [t, a, b] = [Math.floor(k / (C * C)), Math.floor(k / C) % C, k % C];
      return whole[(t * C + a) * f.length + t * C + b];
    });
    expect(difference(covariance!, blocks)).toBeLessThan(1e-9);
    expect(difference((await predict(posterior, risk.data)).variance, variance)).toBeLessThan(1e-12);
  });

  test("predictive moments and losses against 40,000 draws", async () => {
    // A precision at which moments of exp(f) are found by so many draws.
    const at = await posterior.withPrior({ priorPrecision: 10 });
    const predicted = await predict(at, risk.data, { covariance: true });
    const [point] = await priorCurve(posterior, {
      precisions: [10],
      validation: risk.data,
      ...(predicted.probabilities && { link: "monteCarlo" as const, samples: 20_000, seed: 0 }),
    });
    const { f, covariance, values } = predicted;
    const random = stream(1, "draws");
    const each = targets.length / (f.length / C);
    const draws = 40_000;
    let [loss, error] = [0, 0];
    for (let t = 0; t < f.length / C; t++) {
      const S = covariance!.slice(t * C * C, (t + 1) * C * C);
      const L = await cholesky({ rows: C, columns: C, data: S });
      let [sum, squares] = [0, 0];
      const [mean, second] = [new Float64Array(C), new Float64Array(C)];
      for (let k = 0; k < draws; k++) {
        const e = Float64Array.from({ length: C }, () => random.normal());
        const own = f.slice(t * C, (t + 1) * C);
        for (let a = 0; a < C; a++) for (let b = 0; b <= a; b++) own[a] += L.data[b * C + a] * e[b];
        const p = Math.exp(-nll(own, targets.slice(t * each, (t + 1) * each)));
        sum += p;
        squares += p * p;
        for (let c = 0; c < C; c++) {
          const rate = kind === "poisson" || (kind === "heteroscedastic" && c === 1) ? Math.exp(own[c]) : own[c];
          mean[c] += rate / draws;
          second[c] += rate ** 2 / draws;
        }
      }
      const p = sum / draws;
      loss -= Math.log(p);
      error += (squares / draws / p ** 2 - 1) / draws;
      if (values === undefined) continue;
      const spread = (c: number) => second[c] - mean[c] ** 2;
      if (kind === "poisson") {
        for (let c = 0; c < C; c++) {
          expect(Math.abs(values.mean[t * C + c] - mean[c])).toBeLessThan(5 * Math.sqrt(spread(c) / draws));
          // The kurtosis of a lognormal variable is w^4 + 2 w^3 + 3 w^2 - 3 with w = e^variance.
          const w = Math.exp(predicted.variance[t * C + c]!);
          const share = Math.sqrt((w ** 4 + 2 * w ** 3 + 3 * w ** 2 - 4) / draws);
          expect(relative(values.functionVariance[t * C + c], spread(c))).toBeLessThan(6 * share);
        }
      } else {
        expect(Math.abs(values.noiseVariance[t] - mean[1])).toBeLessThan(5 * Math.sqrt(spread(1) / draws));
        expect(relative(values.functionVariance[t], spread(0))).toBeLessThan(0.05);
      }
    }
    const terms = f.length / C;
    // The drawn loss has this error; that of the library is by quadrature, or by 20,000 draws of its own.
    expect(Math.abs(point!.validationLoss! - loss / terms)).toBeLessThan((6 * Math.sqrt(3 * error)) / terms);
  });
});

test("messages", async () => {
  const risk = await smallRisk();
  const plain = await smallRisk({ loss: plainLoss() });
  const posterior = await laplace(risk);
  const noTargets: Data = arrays({ inputs: { x: { data: new Float64Array(3), dims: [1, 3] } } });
  const flipped = await smallRisk({ labels: [1, 2, 0, 1, 0, 2, 2] });
  const cases: readonly (readonly [() => Promise<unknown>, string])[] = [
    [
      () => laplace(plain),
      "laplace needs a loss that is a negative log-likelihood of a known family, but plain declares none",
    ],
    [
      () => laplace(risk, { weights: "nothing" }),
      "laplace finds no weights that match nothing; there are w1, b1, w2, b2",
    ],
    [
      () => laplace(risk, { weights: { random: 99, seed: 0 } }),
      "laplace expects a subnetwork of 1 to 24 weights, got 99",
    ],
    [
      () => laplace(risk, { weights: { indices: [1, 1] } }),
      "laplace expects indices of a subnetwork to be different integers from 0 to 23",
    ],
    [
      () => laplace(risk, { weights: { largest: "size" as never, count: 2 } }),
      'largest "magnitude" or "variance", got "size"',
    ],
    [() => laplace(risk, { structure: "dense" as never }), 'laplace expects structure to be "full", "kfac"'],
    [
      () => laplace(risk, { structure: ggn(plain), weights: "b1" }),
      "laplace expects a matrix of the 3 weights of the posterior, got 24 x 24",
    ],
    [
      () => laplace(risk, { sigmaNoise: 0.1 }),
      "laplace: sigmaNoise is the noise of squared errors, but the loss is crossEntropy",
    ],
    [() => laplace(risk, { temperature: 0 }), "laplace expects temperature to be a positive finite number, got 0"],
    [() => laplace(risk, { priorPrecision: 0 }), "laplace expects priorPrecision to be positive and finite, got 0"],
    [() => laplace(risk, { priorPrecision: { w1: 1 } }), "one number for each of w1, b1, w2, b2, got none for b1"],
    [
      () => laplace(risk, { priorPrecision: new Float64Array(3).fill(1) }),
      "laplace expects priorPrecision as a number or as 24 numbers",
    ],
    [() => laplace(risk, { priorMean: new Float64Array(3) }), "laplace expects priorMean as a number or as 24 numbers"],
    [
      () => laplace(risk, { priorPrecision: Float64Array.from({ length: 24 }, (_, i) => 1 + i) }),
      "has no closed form with a prior precision that varies within it",
    ],
    [
      async () => laplace(risk, { structure: (await laplace(risk, { structure: "diagonal" })).matrix, weights: "w1" }),
      "laplace expects a matrix of the 9 weights",
    ],
    [
      () => laplace(risk, { structure: async (own) => (await ekfac(own)).withDamping(1) }),
      "the prior precision is the damping",
    ],
    [
      () =>
        laplace(flipped, { structure: async (own) => hessian(own), estimation: { steps: 24 } }).then((own) =>
          logMarginalLikelihood(own),
        ),
      "negative curvature",
    ],
    [() => posterior.withPrior({ sigmaNoise: 1 }), "withPrior: sigmaNoise is the noise of squared errors"],
    [
      () => predict(posterior, noTargets, { link: "moments" }),
      "predict expects link for the categorical likelihood to be",
    ],
    [() => predict(posterior, noTargets, { link: "monteCarlo" }), "predict draws random vectors and expects seed"],
    [
      () => optimizePrior(posterior, { method: "validation" }),
      'optimizePrior: method "validation" needs rows with targets as validation',
    ],
    [() => optimizePrior(posterior, { sigmaNoise: true }), "optimizePrior: the noise is optimized for squared errors"],
    [() => optimizePrior(posterior, { by: "weight" }), 'has a closed form for structure: "diagonal" alone'],
    [() => priorCurve(posterior, { precisions: [] }), "priorCurve expects at least one precision, got none"],
    [() => priorCurve(posterior, { validation: noTargets }), "priorCurve expects rows with targets"],
    [() => priorCurve(posterior, { link: "network" }), 'priorCurve takes a link other than "network"'],
    [() => predict({} as never, noTargets), "predict expects a posterior, as await laplace(risk) gives it"],
  ];
  for (const [call, message] of cases) expect(await rejectionOf(call())).toContain(message);
});
