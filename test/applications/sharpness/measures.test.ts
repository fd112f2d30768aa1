import { describe, expect, test } from "vitest";
import {
  averageSharpness,
  boxSharpness,
  fisherRaoNorm,
  gradientNoiseScale,
  pacBayesSharpness,
  relativeFlatness,
  samSharpness,
  stableLearningRate,
  worstCaseSharpness,
} from "../../../src/applications/sharpness/index.ts";
import {
  arrays,
  crossEntropy,
  empiricalRisk,
  functionModel,
  gradientCovariance,
  hessian,
  meanSquaredError,
  primitives,
  type Risk,
  type Tensor,
} from "../../../src/index.ts";
import { eigh, toDense } from "../../../src/linalg/index.ts";
import { stream } from "../../../src/random/index.ts";
import { rejectionOf } from "../../onnx/messageOf.ts";
import { relative } from "../digits.ts";
import { smallRisk } from "../smallRisk.ts";

const { add, matmul, relu, permute } = primitives;

function normal(
  dims: readonly number[],
  name: string,
): { readonly data: Float64Array; readonly dims: readonly number[] } {
  const random = stream(7, name);
  return { data: Float64Array.from({ length: dims.reduce((a, b) => a * b) }, () => random.normal()), dims };
}

/** Two layers of a ReLU network without biases, the second stored as [out, in]; the first scaled by a and the second by 1 / a, output by output. */
async function reluRisk(factors: readonly number[] = [1, 1, 1, 1, 1]): Promise<Risk> {
  const [w, v] = [normal([4, 5], "w"), normal([3, 5], "v")];
  const model = functionModel({
    name: "relu",
    parameters: {
      w: { dims: w.dims, data: w.data.map((x, i) => x * factors[i % 5]!) },
      v: { dims: v.dims, data: v.data.map((x, i) => x / factors[i % 5]!) },
    },
    inputs: { x: { dims: [4], dtype: "float64" } },
    apply: (p, { x }) => matmul(relu(matmul(x!, p.w!)), permute(p.v!, [1, 0])),
  });
  const targets: Tensor = { data: Int32Array.of(0, 1, 2, 1, 0, 2, 2, 0, 1, 1), dims: [10] };
  const data = arrays({ inputs: { x: normal([10, 4], "x") }, targets, batchSize: 4 });
  return empiricalRisk({ model, loss: crossEntropy(), data, dtype: "float64" });
}

/** Linear regression: the loss is quadratic. */
async function linearRisk(): Promise<Risk> {
  const model = functionModel({
    name: "linear",
    parameters: { w: normal([3, 2], "weights"), b: { data: Float64Array.of(0.3, -0.2), dims: [2] } },
    inputs: { x: { dims: [3], dtype: "float64" } },
    apply: (p, { x }) => add(matmul(x!, p.w!), p.b!),
  });
  const data = arrays({ inputs: { x: normal([9, 3], "rows") }, targets: normal([9, 2], "values") });
  return empiricalRisk({ model, loss: meanSquaredError(), data, dtype: "float64" });
}

describe("after the units of a ReLU network are rescaled", () => {
  const factors = [0.1, 3, 1, 20, 0.7];

  test("adaptive and relative measures stay, plain ones do not", async () => {
    const [risk, rescaled] = [await reluRisk(), await reluRisk(factors)];
    expect(relative(await rescaled.loss(), await risk.loss())).toBeLessThan(1e-12);
    const worst = (of: Risk, scale: "plain" | "adaptive", eta: number) =>
      worstCaseSharpness(of, { radius: 0.1, seed: 0, scale, eta });
    const values = async (of: Risk) => ({
      worst: (await worst(of, "adaptive", 0)).sharpness,
      one: (await samSharpness(of, { radius: 0.1, scale: "adaptive", eta: 0 })).sharpness,
      average: (await averageSharpness(of, { sigma: 0.1, seed: 1, samples: 8, matvecs: 35, scale: "adaptive", eta: 0 }))
        .secondOrder!.value,
      fisherRao: (await fisherRaoNorm(of)).ggn,
    });
    const [before, after] = [await values(risk), await values(rescaled)];
    for (const [name, value] of Object.entries(before)) {
      expect(relative(after[name as keyof typeof after], value), name).toBeLessThan(1e-6);
    }
    const plain = [(await worst(risk, "plain", 0)).sharpness, (await worst(rescaled, "plain", 0)).sharpness];
    expect(relative(plain[0]!, plain[1]!)).toBeGreaterThan(0.5);
  });

  test("relative flatness and the filter scale stay when a layer is scaled as a whole", async () => {
    const [risk, rescaled] = [await reluRisk(), await reluRisk([4, 4, 4, 4, 4])];
    const flatness = (of: Risk) => relativeFlatness(of, { seed: 0, matvecs: 100 });
    const [before, after] = [await flatness(risk), await flatness(rescaled)];
    expect(before.map(({ parameter, standardError }) => [parameter, standardError])).toEqual([
      ["w", 0],
      ["v", 0],
    ]);
    before.forEach(({ value }, i) => {
      expect(relative(after[i]!.value, value)).toBeLessThan(1e-9);
    });
    const filter = (of: Risk) => samSharpness(of, { radius: 0.1, scale: "filter", eta: 0 });
    expect(relative((await filter(rescaled)).sharpness, (await filter(risk)).sharpness)).toBeLessThan(1e-9);
  });

  test("relative flatness is the double sum over outputs, also where a weight is stored as [in, out]", async () => {
    const risk = await reluRisk();
    const H = await toDense(hessian(risk));
    const theta = risk.theta();
    // w is [in, out] = [4, 5]: weights of output s are entries 5 i + s; v is [out, in] = [3, 5], after it.
    const places = [
      { outputs: 5, inputs: 4, at: (s: number, i: number) => 5 * i + s },
      { outputs: 3, inputs: 5, at: (s: number, i: number) => 20 + 5 * s + i },
    ];
    const found = await relativeFlatness(risk, { seed: 0 });
    places.forEach(({ outputs, inputs, at }, layer) => {
      let sum = 0;
      for (let s = 0; s < outputs; s++) {
        for (let t = 0; t < outputs; t++) {
          let [product, trace] = [0, 0];
          for (let i = 0; i < inputs; i++) {
            product += theta[at(s, i)]! * theta[at(t, i)]!;
            trace += H.data[at(s, i) + 35 * at(t, i)]!;
          }
          sum += product * trace;
        }
      }
      expect(relative(found[layer]!.value, sum)).toBeLessThan(1e-9);
    });
  });
});

describe("where the loss is quadratic", () => {
  test("the worst case solves the trust-region subproblem, and the average is the second-order value", async () => {
    const risk = await linearRisk();
    const H = await toDense(hessian(risk));
    const { values, vectors } = await eigh(H);
    const g = await risk.gradient();
    // max g'd + d'Hd/2 over |d| = r: (s I - H) d = g with s above the largest eigenvalue, found by bisection of |d|.
    const radius = 0.7;
    const along = Float64Array.from(values, (_, k) =>
      Array.from(g).reduce((sum, entry, i) => sum + entry * vectors.data[k * 8 + i]!, 0),
    );
    const length = (s: number) => Math.hypot(...Array.from(values, (value, k) => along[k]! / (s - value)));
    let [low, high] = [values[7]!, values[7]! + 1e3];
    for (let i = 0; i < 200; i++)
      [low, high] = length((low + high) / 2) > radius ? [(low + high) / 2, high] : [low, (low + high) / 2];
    const d = Array.from(values, (value, k) => along[k]! / (high - value));
    const best = d.reduce((sum, step, k) => sum + along[k]! * step + (values[k]! * step * step) / 2, 0);
    const worst = await worstCaseSharpness(risk, { radius, seed: 0, tolerance: 1e-8 });
    expect(worst.status).toBe("converged");
    expect(relative(worst.sharpness, best)).toBeLessThan(1e-9);
    // Pairs of opposite perturbations leave the quadratic part alone, so that samples have the mean of e'He.
    const average = await averageSharpness(risk, { sigma: 0.2, seed: 1, samples: 2000, matvecs: 8 });
    const { sharpness, secondOrder } = average;
    expect(Math.abs(sharpness.value - secondOrder!.value)).toBeLessThan(4 * sharpness.standardError);
    expect(relative(secondOrder!.value, 0.02 * values.reduce((sum, value) => sum + value, 0))).toBeLessThan(1e-9);
    // The deviation that raises the loss by 0.1 on average.
    const pac = await pacBayesSharpness(risk, { seed: 2, samples: 400, tolerance: 1e-6 });
    const exact = Math.sqrt(0.2 / values.reduce((sum, value) => sum + value, 0));
    expect(Math.abs(pac.reached.value - 0.1)).toBeLessThan(1e-5);
    expect(relative(pac.sigma, exact)).toBeLessThan((4 * pac.reached.standardError) / 0.1);
    expect(pac.sharpness).toBe(1 / pac.sigma ** 2);
  });

  test("the box: its corners tell the maximum", async () => {
    const risk = await linearRisk();
    const theta = risk.theta();
    const loss = await risk.loss();
    let best = 0;
    for (let corner = 0; corner < 2 ** 8; corner++) {
      const moved = theta.map((x, i) => x + (corner & (2 ** i) ? 1 : -1) * 0.01 * (Math.abs(x) + 1));
      best = Math.max(best, (await risk.at(moved).loss()) - loss);
    }
    const box = await boxSharpness(risk, { epsilon: 0.01 });
    expect(box.status).toBe("converged");
    expect(relative(box.sharpness, (100 * best) / (1 + loss))).toBeLessThan(1e-9);
  });

  test("gradient descent diverges above the threshold of the learning rate, and not below", async () => {
    const risk = await linearRisk();
    for (const momentum of [0, 0.5]) {
      const { threshold, eigenvalue, lower, upper, ratio } = await stableLearningRate(risk, {
        seed: 0,
        momentum,
        learningRate: 1,
      });
      expect(relative(threshold * eigenvalue, 2 * (1 + momentum))).toBeLessThan(1e-12);
      expect(lower).toBeLessThanOrEqual(threshold);
      expect(upper).toBeGreaterThanOrEqual(threshold);
      expect(relative(ratio! * threshold, 1)).toBeLessThan(1e-12);
      const end = async (rate: number) => {
        let [theta, velocity] = [risk.theta(), risk.theta().fill(0)];
        for (let step = 0; step < 300; step++) {
          const g = await risk.at(theta).gradient();
          velocity = velocity.map((v, i) => momentum * v - rate * g[i]!);
          theta = theta.map((x, i) => x + velocity[i]!);
        }
        return risk.at(theta).loss();
      };
      expect(await end(0.97 * threshold)).toBeLessThan(await risk.loss());
      expect(await end(1.03 * threshold)).toBeGreaterThan(await risk.loss());
    }
  });
});

test("the gradient-noise scale is the traces of covariance and Hessian", async () => {
  const risk = await smallRisk();
  const [S, H, g] = [await toDense(gradientCovariance(risk)), await toDense(hessian(risk)), await risk.gradient()];
  const n = risk.size;
  const at = (M: typeof S, i: number, j: number) => M.data[i + n * j]!;
  let [trace, weighted, along, squared] = [0, 0, 0, 0];
  for (let i = 0; i < n; i++) {
    trace += at(S, i, i);
    squared += g[i]! ** 2;
    for (let j = 0; j < n; j++) {
      weighted += at(H, i, j) * at(S, j, i);
      along += g[i]! * at(H, i, j) * g[j]!;
    }
  }
  const exact = await gradientNoiseScale(risk, { seed: 0, matvecs: n });
  expect(relative(exact.simple.value, trace / squared)).toBeLessThan(1e-9);
  expect(relative(exact.hessianWeighted.value, weighted / along)).toBeLessThan(1e-9);
  expect(exact.simple.standardError).toBe(0);
  const sampled = await gradientNoiseScale(risk, { seed: 1, matvecs: 12 });
  expect(Math.abs(sampled.simple.value - exact.simple.value)).toBeLessThan(4 * sampled.simple.standardError);
  expect(sampled.matvecs).toBe(1 + 3 * 12);
  // Rows of the sum: 1/N sum of |g_n - g|^2 by single rows.
  expect(relative(exact.covarianceTrace.value, trace)).toBeLessThan(1e-9);
});

test("small radii: the worst case is the second-order value at a minimum", async () => {
  const risk = await linearRisk();
  // The minimum, by one Newton step from here.
  const { values, vectors } = await eigh(await toDense(hessian(risk)));
  const g = await risk.gradient();
  const theta = risk.theta();
  values.forEach((value, k) => {
    const u = vectors.data.subarray(8 * k, 8 * k + 8);
    const step = Array.from(g).reduce((sum, entry, i) => sum + entry * u[i]!, 0) / value;
    for (let i = 0; i < 8; i++) theta[i]! -= step * u[i]!;
  });
  const minimum = risk.at(theta);
  const worst = await worstCaseSharpness(minimum, { radius: 0.01, seed: 0 });
  expect(relative(worst.sharpness, worst.secondOrder)).toBeLessThan(1e-6);
  expect(relative(worst.eigenvalue, values[7]!)).toBeLessThan(1e-9);
});

describe("messages", () => {
  test("options out of range", async () => {
    const risk = await smallRisk();
    const cases: readonly (readonly [Promise<unknown>, string])[] = [
      [samSharpness(risk, { radius: 0 }), "samSharpness expects radius to be a positive finite number, got 0"],
      [
        samSharpness(risk, { radius: 1, scale: "layer" as never }),
        'samSharpness expects scale to be "plain", "adaptive", "filter" or a vector, got "layer"',
      ],
      [
        samSharpness(risk, { radius: 1, scale: new Float64Array(3) }),
        "samSharpness expects a scale of 24 entries, got 3",
      ],
      [
        samSharpness(risk, { radius: 1, scale: new Float64Array(24).fill(-1) }),
        "samSharpness expects a scale of finite numbers, not negative",
      ],
      [
        samSharpness(risk, { radius: 1, scale: "adaptive", eta: -1 }),
        "samSharpness expects eta to be zero or a positive finite number, got -1",
      ],
      [samSharpness(null as never, { radius: 1 }), "samSharpness expects a risk made by empiricalRisk, got null"],
      [
        samSharpness(risk, { radius: 1, rho: 2 } as never),
        "samSharpness got the unknown option `rho`; it has radius, scale, eta, signal",
      ],
      [
        averageSharpness(risk, { sigma: 1, seed: 0, samples: 1 }),
        "averageSharpness expects samples to be at least 2, got 1",
      ],
      [
        stableLearningRate(risk, { seed: 0, momentum: 1 }),
        "stableLearningRate expects momentum from 0 to below 1, got 1",
      ],
    ];
    for (const [promise, message] of cases) expect(await rejectionOf(promise)).toContain(message);
  });

  test("a gradient of zero has no step", async () => {
    const risk = await smallRisk({ theta: new Float64Array(24), labels: [0, 1, 2, 0, 1, 2, 0].slice(0, 7) });
    const zero = await samSharpness(risk, { radius: 0.1, scale: new Float64Array(24) });
    expect(zero).toMatchObject({ sharpness: 0, undefinedStep: true });
    expect(zero.message).toContain("take worstCaseSharpness, which starts from an eigenvector");
  });

  test("steps that run out, and a deviation that does not exist", async () => {
    const risk = await smallRisk();
    const worst = await worstCaseSharpness(risk, { radius: 0.5, seed: 0, steps: 1, tolerance: 1e-12 });
    expect(worst.status).toBe("budget");
    expect(worst.message).toContain("raise steps or loosen tolerance; the value is a lower bound");
    expect(await rejectionOf(pacBayesSharpness(risk, { seed: 0, samples: 2, scale: new Float64Array(24) }))).toContain(
      "numeric: pacBayesSharpness finds no perturbation that raises the loss by 0.1",
    );
  });
});
