import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import {
  adam,
  adamSteps,
  gradientDescent,
  gradientDescentSteps,
  hessianFree,
  hessianFreeSteps,
  levenbergMarquardt,
  levenbergMarquardtSteps,
  naturalGradient,
  naturalGradientSteps,
  newtonCg,
  newtonCgSteps,
  type TrainingResult,
} from "../../../src/applications/training/index.ts";
import {
  arrays,
  crossEntropy,
  empiricalRisk,
  functionModel,
  ggn,
  hessian,
  type LinearOperator,
  meanSquaredError,
  primitives,
  type Risk,
} from "../../../src/index.ts";
import { cholesky, choleskySolve, dense, diagonal, identity, stateStore, toDense } from "../../../src/linalg/index.ts";
import { stream } from "../../../src/random/index.ts";
import { rejectionOf } from "../../onnx/messageOf.ts";
import { difference } from "../../operators/closeness.ts";
import { digitsRisk, relative } from "../digits.ts";
import { smallRisk } from "../smallRisk.ts";

const folder = mkdtempSync(join(tmpdir(), "training-"));
afterAll(() => rmSync(folder, { recursive: true }));

const { add, matmul } = primitives;

function normal(dims: readonly number[], name: string) {
  const random = stream(11, name);
  return { data: Float64Array.from({ length: dims.reduce((a, b) => a * b) }, () => random.normal()), dims };
}

/** Linear regression with 8 weights: the objective is quadratic. */
async function linearRisk({ rows = 30, name = "rows" } = {}): Promise<Risk> {
  const model = functionModel({
    name: "linear",
    parameters: { w: normal([3, 2], "weights"), b: { data: Float64Array.of(0.3, -0.2), dims: [2] } },
    inputs: { x: { dims: [3], dtype: "float64" } },
    apply: (p, { x }) => add(matmul(x!, p.w!), p.b!),
  });
  const data = arrays({
    inputs: { x: normal([rows, 3], name) },
    targets: normal([rows, 2], `${name} values`),
    batchSize: 8,
  });
  return empiricalRisk({ model, loss: meanSquaredError(), data, dtype: "float64" });
}

/** Minimum of loss plus `decay / 2 |theta|^2` of a quadratic loss, by a dense solution. */
async function minimumOf(risk: Risk, decay: number): Promise<Float64Array> {
  const { data } = await toDense(hessian(risk));
  const [n, theta, g] = [risk.size, risk.theta(), await risk.gradient()];
  const A = data.map((entry, k) => entry + (k % (n + 1) === 0 ? decay : 0));
  const b = { rows: n, columns: 1, data: Float64Array.from(g, (entry, i) => entry + decay * theta[i]!) };
  const step = await choleskySolve(await cholesky({ rows: n, columns: n, data: A }), b);
  return Float64Array.from(theta, (entry, i) => entry - step.data[i]!);
}

const methods = {
  newtonCg: (risk: Risk, options = {}) => newtonCg(risk, options),
  hessianFree: (risk: Risk, options = {}) => hessianFree(risk, { damping: 0.1, ...options }),
  naturalGradient: (risk: Risk, options = {}) => naturalGradient(risk, { damping: 0.1, ...options }),
  levenbergMarquardt: (risk: Risk, options = {}) => levenbergMarquardt(risk, options),
  gradientDescent: (risk: Risk, options = {}) =>
    gradientDescent(risk, { learningRate: 0.2, momentum: 0.5, ...options }),
  adam: (risk: Risk, options = {}) => adam(risk, { learningRate: 0.02, ...options }),
};
const names = Object.keys(methods) as (keyof typeof methods)[];
const curved = names.filter((name) => name !== "gradientDescent" && name !== "adam");

describe("a quadratic objective", () => {
  test("is minimized by one step without damping, whose ratio is 1", async () => {
    const risk = await linearRisk();
    const minimum = await minimumOf(risk, 0.05);
    const runs: readonly Promise<TrainingResult>[] = [
      levenbergMarquardt(risk, { damping: 0, weightDecay: 0.05, solveTolerance: 1e-12 }),
      newtonCg(risk, { radius: 100, weightDecay: 0.05, tolerance: 1e-9 }),
    ];
    const [lm, newton] = await Promise.all(runs);
    expect(difference(lm!.theta, minimum)).toBeLessThan(1e-9);
    expect(lm!.steps).toHaveLength(1);
    expect(lm!.steps[0]!.ratio).toBeCloseTo(1, 9);
    expect(lm!).toMatchObject({ stopped: "gradient", status: "converged" });
    expect(difference(newton!.theta, minimum)).toBeLessThan(1e-7);
    expect(newton!.steps.every(({ ratio }) => Math.abs(ratio! - 1) < 1e-6)).toBe(true);
  });

  test.each(names)("%s reaches the minimum with weight decay", async (name) => {
    const risk = await linearRisk();
    const minimum = await minimumOf(risk, 0.05);
    const result = await methods[name](risk, { weightDecay: 0.05, tolerance: 1e-7, steps: 2000 });
    expect(result.status).toBe("converged");
    expect(difference(result.theta, minimum)).toBeLessThan(1e-5);
    // Status and numbers are those of the weights that are returned.
    const end = risk.at(result.theta);
    const [g, loss] = [await end.gradient(), await end.loss()];
    const own = g.map((entry, i) => entry + 0.05 * result.theta[i]!);
    expect(relative(Math.hypot(...own), result.gradientNorm)).toBeLessThan(1e-9);
    const decay = 0.025 * Math.hypot(...result.theta) ** 2;
    expect(relative(result.objective, loss + decay)).toBeLessThan(1e-12);
  });

  test.each(names)("%s leaves frozen parameters and moves the others to their own minimum", async (name) => {
    const risk = await linearRisk();
    const result = await methods[name](risk, { frozen: "w", steps: 2000, tolerance: 1e-7 });
    expect([...result.theta.subarray(0, 6)]).toEqual([...risk.theta().subarray(0, 6)]);
    const g = await risk.at(result.theta).gradient();
    expect(Math.hypot(g[6]!, g[7]!)).toBeLessThan(1e-6);
    expect(Math.hypot(...g.subarray(0, 6))).toBeGreaterThan(1e-3);
  });
});

describe("a network", () => {
  test.each(curved)("%s never raises the objective, and predictions are those of the quadratic model", async (name) => {
    const risk = await smallRisk();
    const result = await methods[name](risk, { steps: 12, weightDecay: 0.01 });
    const objectives = [...result.steps.map(({ objective }) => objective), result.objective];
    for (const [i, value] of objectives.slice(1).entries()) expect(value).toBeLessThanOrEqual(objectives[i]! + 1e-12);
    for (const { actualChange, accepted, predictedChange } of result.steps) {
      if (accepted) expect(actualChange!).toBeLessThan(0);
      expect(predictedChange!).toBeLessThanOrEqual(0);
    }
    expect(result.matvecs).toBe(result.steps.reduce((sum, { matvecs }) => sum + matvecs, 0));
  });

  test("the natural gradient takes any operator: with and without an inverse", async () => {
    const risk = await smallRisk();
    const loss = await risk.loss();
    // The inverse of the Gauss-Newton matrix in closed form, and the same by conjugate gradients.
    const inverted = async (of: Risk): Promise<LinearOperator> => {
      const { data } = await toDense(ggn(of));
      const G = dense({ rows: of.size, columns: of.size, data }, { psd: true });
      const inverse = ({ damping }: { readonly damping: number }): LinearOperator => ({
        ...identity(of.size),
        async matvec(x) {
          const A = data.map((entry, k) => entry + (k % (of.size + 1) === 0 ? damping : 0));
          const root = await cholesky({ rows: of.size, columns: of.size, data: A });
          return (await choleskySolve(root, { rows: of.size, columns: 1, data: Float64Array.from(x) })).data;
        },
      });
      return { ...G, inverse };
    };
    const options = { steps: 6, damping: 0.1, tolerance: 1e-12 };
    const closed = await naturalGradient(risk, { ...options, matrix: inverted });
    const iterative = await naturalGradient(risk, {
      ...options,
      matrix: ggn,
      solveTolerance: 1e-13,
      solveMatvecs: 500,
    });
    expect(difference(closed.theta, iterative.theta)).toBeLessThan(1e-6);
    expect(closed.objective).toBeLessThan(0.5 * loss);
    const plain = await naturalGradient(risk, {
      ...options,
      matrix: (of) => identity(of.size),
      refresh: 5,
      momentum: false,
    });
    expect(plain.objective).toBeLessThan(loss);
    expect(plain.objective).toBeGreaterThan(closed.objective);
  });

  test("a preconditioner gets further with the same products of a Hessian-free step", async () => {
    // Columns of very different size, which the diagonal undoes.
    const model = functionModel({
      name: "scaled",
      parameters: { w: normal([20, 1], "scaled") },
      inputs: { x: { dims: [20], dtype: "float64" } },
      apply: (p, { x }) => matmul(x!, p.w!),
    });
    const x = normal([300, 20], "columns");
    const data = arrays({
      inputs: { x: { dims: x.dims, data: x.data.map((entry, i) => entry * 10 ** ((3 * (i % 20)) / 19)) } },
      targets: normal([300, 1], "targets"),
    });
    const risk = await empiricalRisk({ model, loss: meanSquaredError(), data, dtype: "float64" });
    const jacobi = async (of: Risk, { damping }: { readonly damping: number }) => {
      const { data: G } = await toDense(ggn(of));
      return diagonal(Float64Array.from({ length: of.size }, (_, i) => 1 / (G[i * (of.size + 1)]! + damping)));
    };
    // Fewer products than there are different eigenvalues.
    const options = { steps: 1, damping: 1e-6, tolerance: 1e-10, solveMatvecs: 9 };
    const plain = await hessianFree(risk, options);
    const conditioned = await hessianFree(risk, { ...options, preconditioner: jacobi });
    const least = (await levenbergMarquardt(risk, { damping: 0, solveTolerance: 1e-12 })).objective;
    expect(conditioned.objective - least).toBeLessThan(0.1 * (plain.objective - least));
  });

  test("negative curvature is followed downhill", async () => {
    // All weights zero: a saddle but for the output bias.
    const theta = smallestTheta();
    const risk = await smallRisk({ theta });
    const { values } = { values: (await toDense(hessian(risk))).data };
    expect(values.length).toBe(24 * 24);
    const result = await newtonCg(risk, { steps: 60 });
    expect(result.objective).toBeLessThan(0.2);
    const lm = await levenbergMarquardt(risk, { matrix: hessian, damping: 1e-6, steps: 60 });
    expect(lm.objective).toBeLessThan(0.5 * (await risk.loss()));
  });
});

function smallestTheta(): Float64Array {
  const random = stream(5, "saddle");
  return Float64Array.from({ length: 24 }, () => 1e-3 * random.normal());
}

const generators = {
  newtonCg: (risk: Risk, o = {}) => newtonCgSteps(risk, o),
  hessianFree: (risk: Risk, o = {}) => hessianFreeSteps(risk, { damping: 0.1, ...o }),
  naturalGradient: (risk: Risk, o = {}) => naturalGradientSteps(risk, { damping: 0.1, refresh: 2, ...o }),
  levenbergMarquardt: (risk: Risk, o = {}) => levenbergMarquardtSteps(risk, o),
  gradientDescent: (risk: Risk, o = {}) => gradientDescentSteps(risk, { learningRate: 0.2, momentum: 0.5, ...o }),
  adam: (risk: Risk, o = {}) => adamSteps(risk, { learningRate: 0.02, ...o }),
};

describe("a run goes on bit for bit", () => {
  test.each(names)("%s, from its state after any step, on disk, all rows and some", async (name) => {
    const risk = await smallRisk();
    for (const batchRows of [undefined, 3]) {
      const options = {
        steps: 5,
        weightDecay: 0.01,
        validation: await risk.on(risk.data),
        ...(batchRows !== undefined && { batchRows, seed: 2 }),
      };
      const steps = generators[name];
      const whole = await runAll(steps(risk, options));
      const store = stateStore(join(folder, `${name}.state`), { settings: risk.settings });
      for (const at of [1, 3]) {
        const generator = steps(risk, options);
        for (let i = 0; i < at; i++) await store.save((await generator.next()).value);
        await generator.return(undefined as never);
        const resumed = await runAll(steps(risk, { ...options, state: await store.load() }));
        expect(resumed).toEqual(whole);
      }
    }
  });
});

async function runAll(generator: AsyncGenerator<unknown, TrainingResult, void>): Promise<TrainingResult> {
  for (;;) {
    const next = await generator.next();
    if (next.done === true) return next.value;
  }
}

describe("ends", () => {
  test("at a target, and with the weights of the least validation loss", async () => {
    const risk = await smallRisk();
    const target = 0.5 * (await risk.loss());
    const reached = await newtonCg(risk, { target });
    expect(reached).toMatchObject({ stopped: "target", status: "converged" });
    expect(reached.objective).toBeLessThanOrEqual(target);
    // Other labels on the same rows: what is learned is wrong there, so that the validation loss rises.
    const other = await smallRisk({ labels: [2, 0, 1, 1, 0, 2, 0] });
    const validation = await risk.on(other.data);
    const stopped = await newtonCg(risk, { validation, patience: 3, steps: 50, tolerance: 0 });
    expect(stopped).toMatchObject({ stopped: "validation", status: "converged" });
    const losses = stopped.steps.map(({ validationLoss }) => validationLoss!);
    expect(stopped.validation!.loss).toBe(Math.min(...losses));
    expect(await validation.at(stopped.theta).loss()).toBe(stopped.validation!.loss);
    expect(stopped.steps.length).toBe(stopped.validation!.step + 3);
  });

  test("when the signal fires, with the best so far", async () => {
    const risk = await smallRisk();
    const stop = new AbortController();
    const onProgress = ({ done }: { readonly done: number }) => done === 3 && stop.abort();
    const result = await adam(risk, { signal: stop.signal, onProgress: (at) => void onProgress(at) });
    expect(result).toMatchObject({ stopped: "aborted", status: "aborted" });
    expect(result.steps).toHaveLength(3);
  });

  test("where it diverges", async () => {
    const risk = await linearRisk();
    const result = await gradientDescent(risk, { learningRate: 1e150, steps: 20 });
    expect(result).toMatchObject({ stopped: "nonfinite", status: "nonfinite" });
    expect(result.message).toContain("lower the learning rate");
    expect(result.theta.every(Number.isFinite)).toBe(true);
  });
});

test("minibatches: each pass over the parts sees every row once", async () => {
  const risk = await linearRisk({ rows: 10 });
  const seen: number[] = [];
  const result = await gradientDescent(risk, { learningRate: 1e-300, batchRows: 4, seed: 1, steps: 6 });
  for (const { objective } of result.steps) seen.push(objective);
  // Weights do not move, so two passes have the same parts, of 4, 4 and 2 rows, whose losses make up the whole.
  const first = seen.slice(0, 3);
  expect([...seen.slice(3)].sort()).toEqual([...first].sort());
  const loss = await risk.loss();
  const totals = [
    [4, 4, 2],
    [4, 2, 4],
    [2, 4, 4],
  ].map((sizes) => sizes.reduce((sum, size, i) => sum + size * first[i]!, 0) / 10);
  expect(Math.min(...totals.map((total) => relative(total, loss)))).toBeLessThan(1e-12);
});

test("digits from a bad start reach the loss of the file", async () => {
  const trained = await digitsRisk();
  const random = stream(0, "bad start");
  const risk = trained.at(Float64Array.from({ length: trained.size }, () => 0.5 * random.normal()));
  const target = await trained.loss();
  for (const run of [
    newtonCg(risk, { target, matrix: ggn }),
    levenbergMarquardt(risk, { target, damping: 0.1, solveTolerance: 0.1, solveMatvecs: 30 }),
    naturalGradient(risk, { target, damping: 0.1, solveMatvecs: 10 }),
  ]) {
    const result = await run;
    expect(result.stopped).toBe("target");
    expect(await risk.at(result.theta).loss()).toBeLessThanOrEqual(target);
    expect(result.gradientEquivalents).toBeLessThan(500);
  }
  await trained.dispose();
});

test("messages", async () => {
  const risk = await smallRisk();
  const sum = await empiricalRisk({
    model: risk.model,
    loss: crossEntropy({ reduction: "sum" }),
    data: risk.data,
    dtype: "float64",
  });
  const other = await linearRisk();
  const cases: readonly (readonly [() => Promise<unknown>, string])[] = [
    [() => newtonCg(null as never), "newtonCg expects a risk made by empiricalRisk, got null"],
    [
      () => newtonCg(risk, { radius: 0 }),
      "newtonCg expects a positive radius and a largestRadius that is not below it, got 0 and 1000",
    ],
    [() => newtonCg(risk, { steps: 0 }), "newtonCg expects steps to be a positive integer, got 0"],
    [() => newtonCg(risk, { batchRows: 2 }), "newtonCg draws random vectors and expects seed to be a finite number"],
    [
      () => newtonCg(risk, { frozen: "nothing" }),
      "newtonCg finds no parameter to freeze that matches nothing; there are w1, b1, w2, b2",
    ],
    [() => newtonCg(risk, { frozen: "*" }), "newtonCg has nothing to train: all parameters are frozen; leave some out"],
    [() => newtonCg(risk, { weightDecay: -1 }), "newtonCg expects weightDecay to be zero or positive and finite"],
    [
      () => newtonCg(risk, { weightDecay: new Float64Array(2) }),
      "newtonCg expects weightDecay as a number or as 24 numbers, got 2",
    ],
    [
      () =>
        newtonCg(risk, {
          penalties: [{ value: async () => 0, gradient: async (x) => x, matrix: identity(3) }],
        }),
      "newtonCg expects penalties of 24 weights, got one of 3; it belongs to another network or other parameters",
    ],
    [
      () => newtonCg(risk, { validation: other }),
      "newtonCg expects validation to be the same model with the same parameters on other rows, as risk.on(data) gives it",
    ],
    [
      () => adam(risk, { batchRows: 2, seed: 0, state: { method: "newtonCg", columns: 24 } as never }),
      "adam expects the state of a run of its own with 24 weights, got one of newtonCg with 24",
    ],
    [
      () => adam(sum, { batchRows: 2, seed: 0 }),
      'batchRows: a loss with reduction "sum" cannot be trained on in parts; leave batchRows out',
    ],
    [
      () => adam(risk, { betas: [1, 0] }),
      "adam expects betas from 0 to below 1 and a positive epsilon, got 1,0 and 1e-8",
    ],
    [
      () => gradientDescent(risk, { learningRate: 0 }),
      "gradientDescent expects learningRate to be a positive finite number, got 0",
    ],
    [
      () => gradientDescent(risk, { learningRate: 1, momentum: 1 }),
      "gradientDescent expects momentum from 0 to below 1, got 1",
    ],
    [
      () => levenbergMarquardt(risk, { increase: 0.5 }),
      "levenbergMarquardt expects decrease from above 0 to 1 and increase of at least 1, got",
    ],
    [() => hessianFree(risk, { rate: 1 } as never), "hessianFree got the unknown option `rate`"],
  ];
  for (const [run, message] of cases) expect(await rejectionOf(run())).toContain(message);
});
