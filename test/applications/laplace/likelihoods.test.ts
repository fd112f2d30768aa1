import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type LaplacePosterior,
  laplace,
  logMarginalLikelihood,
  predict,
  priorCurve,
} from "../../../src/applications/laplace/index.ts";
import {
  arrays,
  bceWithLogits,
  crossEntropy,
  empiricalRisk,
  functionModel,
  gaussianNll,
  jacobian,
  type Loss,
  poissonNll,
  primitives,
  type Risk,
} from "../../../src/index.ts";
import { cholesky, toDense } from "../../../src/linalg/index.ts";
import { stream } from "../../../src/random/index.ts";
import type { Matrix } from "../../../src/tensors/index.ts";
import { difference } from "../../operators/closeness.ts";
import { relative } from "../digits.ts";
import { inverseOf } from "./denseInverse.ts";

const { add, matmul, reshape, tanh } = primitives;

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

/** A network of 3 inputs, 2 tokens of 2 inputs or one row, whose loss is anything with a likelihood. */
async function otherRisk(kind: string): Promise<Risk> {
  const random = stream(3, kind);
  const { loss, outputs, targets, tokens = 1 } = LOSSES[kind]!;
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
