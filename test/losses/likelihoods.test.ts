import { describe, expect, test } from "vitest";
import { jvp, vjp } from "../../src/autodiff/index.ts";
import { input, scalar, type Value } from "../../src/graph/index.ts";
import {
  bceWithLogits,
  crossEntropy,
  gaussianNll,
  type Likelihood,
  meanSquaredError,
  poissonNll,
  samplePoisson,
} from "../../src/losses/index.ts";
import { reduceSum } from "../../src/primitives/index.ts";
import { stream } from "../../src/random/index.ts";
import { compile } from "../../src/runtime/index.ts";
import type { Tensor } from "../../src/tensors/index.ts";
import { messageOf } from "../onnx/messageOf.ts";

/** One number of a label with its probability. */
type Weighted = readonly (readonly [label: number, probability: number])[];

/** Numbers z of a grid with weights that integrate smooth functions against a normal density to rounding (trapezoidal rule). */
function normal(mean: number, deviation: number): Weighted {
  const step = 0.25;
  return Array.from({ length: 73 }, (_, i) => {
    const z = (i - 36) * step;
    return [mean + deviation * z, (step * Math.exp(-(z * z) / 2)) / Math.sqrt(2 * Math.PI)] as const;
  });
}

function poisson(rate: number): Weighted {
  const result: [number, number][] = [[0, Math.exp(-rate)]];
  for (let k = 1; k < 60; k++) result.push([k, (result[k - 1][1] * rate) / k]);
  return result;
}

interface Case {
  readonly likelihood: Likelihood;
  /** Outputs of one term. */
  readonly f: readonly number[];
  /** For each number of a label, its values and their probabilities, independent of one another. */
  readonly labels: readonly Weighted[];
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const logits = [0.3, -1.2, 0.9, 0.1];
const total = logits.reduce((sum, x) => sum + Math.exp(x), 0);

const cases: Readonly<Record<string, Case>> = {
  categorical: {
    likelihood: crossEntropy().likelihood!,
    f: logits,
    labels: [logits.map((x, c) => [c, Math.exp(x) / total] as const)],
  },
  bernoulli: {
    likelihood: bceWithLogits({ positiveWeights: 3 }).likelihood!,
    f: [0.4, -1.5, 0.2],
    labels: [0.4, -1.5, 0.2].map((x) => [[1, sigmoid(x)] as const, [0, sigmoid(-x)] as const]),
  },
  "normal of variance 1/2": {
    likelihood: meanSquaredError().likelihood!,
    f: [0.7, -0.4],
    labels: [0.7, -0.4].map((x) => normal(x, Math.SQRT1_2)),
  },
  poisson: {
    likelihood: poissonNll().likelihood!,
    f: [1.1, -0.5],
    labels: [1.1, -0.5].map((x) => poisson(Math.exp(x))),
  },
  "normal of predicted variance": {
    likelihood: gaussianNll().likelihood!,
    f: [0.7, -0.4, -1, 0.6],
    labels: [normal(0.7, Math.exp(-0.5)), normal(-0.4, Math.exp(0.3))],
  },
};

/** All combinations of the numbers of a label. */
function combinations(labels: readonly Weighted[]): { values: number[]; probability: number }[] {
  return labels.reduce<{ values: number[]; probability: number }[]>(
    (known, next) =>
      known.flatMap(({ values, probability }) =>
        next.map(([label, p]) => ({ values: [...values, label], probability: probability * p })),
      ),
    [{ values: [], probability: 1 }],
  );
}

function labelTensor(likelihood: Likelihood, values: Float64Array, size: number): Tensor {
  return likelihood.label === "class"
    ? { data: BigInt64Array.from(values, (label) => BigInt(label)), dims: [values.length] }
    : { data: values, dims: [values.length / size, size] };
}

/** For the same outputs at many labels: scores s, (d^2 nll / df^2) u, and the likelihood's two expectations times u. */
async function scoresAt({ likelihood, f }: Case, values: Float64Array, u: readonly number[]) {
  const size = likelihood.labelSize(f.length);
  const labels = labelTensor(likelihood, values, size);
  const terms = labels.dims[0];
  const repeat = (row: readonly number[]) =>
    Float64Array.from({ length: terms * f.length }, (_, i) => row[i % f.length]);
  const [at, y, direction] = [
    input("f", [terms, f.length]),
    input("y", labels.dims, likelihood.label === "class" ? "int64" : "float"),
    input("u", [terms, f.length]),
  ];
  const [score] = vjp([reduceSum(likelihood.negativeLogLikelihood(at, y))], [at], [scalar(1)]);
  const [second] = jvp([score], [at], [direction]) as [Value];
  const outputs = {
    score,
    second,
    expected: likelihood.expectedHessian(at, direction),
    moment: likelihood.scoreMoment!(at, direction),
  };
  const program = await compile({ inputs: { f: at, y, u: direction }, outputs }, { precision: "float64" });
  try {
    const dims = [terms, f.length];
    const results = await program.run({ f: { data: repeat(f), dims }, y: labels, u: { data: repeat(u), dims } });
    const { score: s, second: h, expected: e, moment: m } = results;
    return [s, h, e, m].map(({ data }) => data as Float64Array) as [
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
    ];
  } finally {
    await program.release();
  }
}

describe.each(Object.entries(cases))("%s", (name, likelihoodCase) => {
  const { likelihood, f, labels } = likelihoodCase;
  const width = f.length;
  const size = likelihood.labelSize(width);
  const u = f.map((_, c) => Math.cos(1 + c));

  test("expected Hessian and score moment are the sums over all labels, and agree; the mean score is 0", async () => {
    const all = combinations(labels);
    const values = Float64Array.from(all.flatMap((label) => label.values));
    const [scores, seconds, expected, moment] = await scoresAt(likelihoodCase, values, u);
    const sums = { probability: 0, score: f.map(() => 0), second: f.map(() => 0), moment: f.map(() => 0) };
    all.forEach(({ probability }, t) => {
      sums.probability += probability;
      const along = u.reduce((sum, x, c) => sum + x * scores[t * width + c], 0);
      for (let c = 0; c < width; c++) {
        sums.score[c] += probability * scores[t * width + c];
        sums.second[c] += probability * seconds[t * width + c];
        sums.moment[c] += probability * scores[t * width + c] * along;
      }
    });
    expect(sums.probability).toBeCloseTo(1, 12);
    for (let c = 0; c < width; c++) {
      expect(sums.score[c]).toBeCloseTo(0, 12);
      expect(expected[c]).toBeCloseTo(sums.second[c], 11);
      expect(moment[c]).toBeCloseTo(sums.moment[c], 11);
      expect(moment[c]).toBeCloseTo(expected[c], 12);
    }
  });

  test("sampled labels have the mean score 0 and the second moment of the score, within 5 standard errors", async () => {
    const count = 20_000;
    const random = stream(3, name);
    const values = new Float64Array(count * size);
    for (let s = 0; s < count; s++) likelihood.sample(f, random, values.subarray(s * size, (s + 1) * size));
    const [scores, , , moment] = await scoresAt(likelihoodCase, values, u);
    for (let c = 0; c < width; c++) {
      const along = (s: number) => u.reduce((sum, x, k) => sum + x * scores[s * width + k], 0);
      expectMean((s) => scores[s * width + c], { count, mean: 0 });
      expectMean((s) => scores[s * width + c] * along(s), { count, mean: moment[c] });
    }
  });

  test("sampled labels have the mean and the variance of the predictive, within 5 standard errors", () => {
    const count = 20_000;
    const random = stream(4, name);
    const drawn = Array.from({ length: count }, () => {
      const label = new Float64Array(size);
      likelihood.sample(f, random, label);
      return label;
    });
    labels.forEach((each, c) => {
      const mean = each.reduce((sum, [label, p]) => sum + label * p, 0);
      const variance = each.reduce((sum, [label, p]) => sum + (label - mean) ** 2 * p, 0);
      expectMean((s) => drawn[s][c], { count, mean });
      expectMean((s) => (drawn[s][c] - mean) ** 2, { count, mean: variance });
    });
  });
});

function expectMean(value: (s: number) => number, { count, mean }: { readonly count: number; readonly mean: number }) {
  let [sum, squares] = [0, 0];
  for (let s = 0; s < count; s++) {
    sum += value(s);
    squares += value(s) ** 2;
  }
  const sample = sum / count;
  const standardError = Math.sqrt((squares / count - sample * sample) / count);
  expect(Math.abs(sample - mean)).toBeLessThan(5 * standardError);
}

test("every class has its own frequency", () => {
  const { likelihood, f, labels } = cases.categorical;
  const counts = f.map(() => 0);
  const random = stream(5, "frequencies");
  const label = new Float64Array(1);
  for (let s = 0; s < 20_000; s++) {
    likelihood.sample(f, random, label);
    counts[label[0]]++;
  }
  labels[0].forEach(([c, p]) => {
    expect(Math.abs(counts[c] / 20_000 - p)).toBeLessThan(5 * Math.sqrt((p * (1 - p)) / 20_000));
  });
});

test("a class of probability 0 is never drawn, and logits of any size can be drawn from", () => {
  const { likelihood } = cases.categorical;
  const label = new Float64Array(1);
  const random = stream(6, "extreme");
  const seen = new Set<number>();
  for (let s = 0; s < 200; s++) {
    likelihood.sample([1000, Number.NEGATIVE_INFINITY, 1000, -1000], random, label);
    seen.add(label[0]);
  }
  expect([...seen].sort()).toEqual([0, 2]);
});

test.each([0.01, 3, 9.99, 10, 40, 1e4, 1e12])("counts of rate %s have its mean, variance and third moment", (rate) => {
  const count = 20_000;
  const random = stream(7, "counts");
  const drawn = Array.from({ length: count }, () => samplePoisson(rate, random));
  expect(drawn.every((k) => Number.isInteger(k) && k >= 0)).toBe(true);
  expectMean((s) => drawn[s] - rate, { count, mean: 0 });
  expectMean((s) => (drawn[s] - rate) ** 2 / rate, { count, mean: 1 });
  expectMean((s) => (drawn[s] - rate) ** 3 / rate ** 1.5, { count, mean: 1 / Math.sqrt(rate) });
});

test("counts just above the change of algorithm have the probabilities of the distribution", () => {
  const [rate, count] = [12, 40_000];
  const random = stream(8, "counts");
  const frequencies = new Float64Array(60);
  for (let s = 0; s < count; s++) frequencies[samplePoisson(rate, random)] += 1 / count;
  poisson(rate).forEach(([k, p]) => {
    expect(Math.abs(frequencies[k] - p)).toBeLessThan(5 * Math.sqrt((p * (1 - p)) / count) + 1 / count);
  });
});

test("a count of infinite rate is refused", () => {
  expect(messageOf(() => samplePoisson(Number.POSITIVE_INFINITY, stream(0)))).toBe(
    "numeric: poissonNll: cannot draw a count of rate Infinity; the model's output is too large",
  );
});
