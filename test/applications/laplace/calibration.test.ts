import { expect, test } from "vitest";
import { calibration, laplace, predict, uncertaintyReport } from "../../../src/applications/laplace/index.ts";
import { arrays, empiricalRisk, functionModel, meanSquaredError, primitives } from "../../../src/index.ts";
import { stream } from "../../../src/random/index.ts";
import { rejectionOf } from "../../onnx/messageOf.ts";
import { relative } from "../digits.ts";
import { smallRisk } from "../smallRisk.ts";

const { matmul } = primitives;

test("scores of classes, counted by hand", async () => {
  const risk = await smallRisk();
  const posterior = await laplace(risk, { structure: "full" });
  const random = stream(2, "strange");
  const x = Float64Array.from({ length: 30 }, () => 3 * random.normal());
  const strange = arrays({ inputs: { x: { data: x, dims: [10, 3] } } });
  const { after, before } = await calibration(posterior, risk.data, { bins: 5, outOfDistribution: strange });
  const { probabilities: p, pointProbabilities: q } = await predict(posterior, risk.data);
  const { probabilities: other } = await predict(posterior, strange);
  const labels = [0, 1, 2, 0, 2, 1, 1];
  const top = (of: Float64Array, n: number) => [...of.subarray(3 * n, 3 * n + 3)];
  for (const [scores, of] of [
    [after, p!],
    [before, q!],
  ] as const) {
    const rows = labels.map((label, n) => ({ own: top(of, n), label }));
    const brier = rows.map(({ own, label }) => own.reduce((sum, x, c) => sum + (x - Number(c === label)) ** 2, 0));
    expect(relative(scores.classes!.brier, brier.reduce((a, b) => a + b) / 7)).toBeLessThan(1e-12);
    const hits = rows.filter(({ own, label }) => own.indexOf(Math.max(...own)) === label);
    expect(scores.classes!.accuracy).toBeCloseTo(hits.length / 7, 12);
    let error = 0;
    for (let bin = 0; bin < 5; bin++) {
      const inside = rows.filter(({ own }) => Math.max(...own) >= bin / 5 && Math.max(...own) < (bin + 1) / 5);
      const right = inside.filter(({ own, label }) => own.indexOf(Math.max(...own)) === label).length;
      error += Math.abs(right - inside.reduce((sum, { own }) => sum + Math.max(...own), 0)) / 7;
      expect(scores.classes!.bins[bin]!.count).toBe(inside.length);
    }
    expect(relative(scores.classes!.expectedCalibrationError, error)).toBeLessThan(1e-12);
  }
  let wins = 0;
  for (let a = 0; a < 10; a++) {
    for (let b = 0; b < 7; b++) wins += Number(Math.max(...top(other!, a)) < Math.max(...top(p!, b)));
  }
  expect(after.outOfDistribution).toBeCloseTo(wins / 70, 12);
  await posterior.dispose();
});

test("intervals cover as they say on data from the model itself", async () => {
  const [inputs, train, held] = [4, 30, 4000];
  const [delta, sigma] = [1.5, 0.5];
  const random = stream(11, "from the model");
  const draw = (length: number, by = 1) => Float64Array.from({ length }, () => by * random.normal());
  const truth = draw(inputs, 1 / Math.sqrt(delta));
  const rowsOf = (count: number) => {
    const x = draw(count * inputs);
    const y = Float64Array.from({ length: count }, (_, n) => {
      let sum = sigma * random.normal();
      for (let i = 0; i < inputs; i++) sum += x[n * inputs + i]! * truth[i]!;
      return sum;
    });
    return arrays({ inputs: { x: { data: x, dims: [count, inputs] } }, targets: { data: y, dims: [count, 1] } });
  };
  const model = functionModel({
    name: "linear",
    parameters: { W: { data: new Float64Array(inputs), dims: [inputs, 1] } },
    inputs: { x: { dims: [inputs], dtype: "float64" } },
    apply: (p, { x }) => matmul(x!, p.W!),
  });
  const risk = await empiricalRisk({ model, loss: meanSquaredError(), data: rowsOf(train), dtype: "float64" });
  const start = await laplace(risk, { structure: "full", priorPrecision: delta, sigmaNoise: sigma });
  // The joint is quadratic: one Newton step leads to its maximum, where the weights have a posterior.
  expect(start.stationarity.newtonGain).toBeGreaterThan(start.stationarity.limit);
  expect(start.warnings.join()).toContain("the weights are no maximum of likelihood and prior together");
  const g = (await risk.gradient()).map((x) => (x * train) / (2 * sigma ** 2));
  const step = await start.precision.solve({ rows: inputs, columns: 1, data: g });
  const posterior = await laplace(risk.at(risk.theta().map((x, i) => x - step.data[i]!)), {
    structure: "full",
    priorPrecision: delta,
    sigmaNoise: sigma,
  });
  expect(posterior.stationarity.newtonGain).toBeLessThan(1e-15);
  const { after, before } = await calibration(posterior, rowsOf(held));
  for (const { level, coverage, standardError } of after.values!.intervals) {
    expect(Math.abs(coverage - level)).toBeLessThan(4 * standardError + 0.03);
  }
  // Without the uncertainty of the function, intervals are too narrow.
  before.values!.intervals.forEach(({ coverage, width }, k) => {
    expect(coverage).toBeLessThan(after.values!.intervals[k]!.coverage);
    expect(width).toBeLessThan(after.values!.intervals[k]!.width);
  });
  expect(after.negativeLogLikelihood.value).toBeLessThan(before.negativeLogLikelihood.value + 0.01);
  await risk.dispose();
});

test("the report takes the prior that was asked for, and compares it", async () => {
  const risk = await smallRisk();
  const posterior = await laplace(risk, { structure: "kfac", priorPrecision: 0.3 });
  const precisions = [0.1, 1, 10];
  const given = await uncertaintyReport(posterior, { prior: "given", precisions });
  expect(given.report.priorPrecision).toBe(0.3);
  expect(given.report.calibration).toBeUndefined();
  expect(given.report.curve.map(({ priorPrecision }) => priorPrecision)).toEqual(precisions);
  const validated = await uncertaintyReport(posterior, { prior: "validation", test: risk.data, precisions });
  expect(validated.report.priorPrecision).toBe(validated.report.bestOnTest!.priorPrecision);
  expect(validated.report.decisions).toContain(
    "the prior was chosen on the test rows themselves, whose scores are then too good",
  );
  const byTensor = await uncertaintyReport(posterior, { by: "tensor", precisions });
  expect(Object.keys(byTensor.report.priorPrecision)).toEqual(["w1", "b1", "w2", "b2"]);
  expect(byTensor.posterior.prior.by).toBe("tensor");
  const cases: readonly (readonly [() => Promise<unknown>, string])[] = [
    [
      () => uncertaintyReport(posterior, { prior: "validation" }),
      'uncertaintyReport: prior "validation" chooses by rows with targets',
    ],
    [() => calibration(posterior, risk.data, { levels: [2] }), "calibration expects levels between 0 and 1, got 2"],
    [
      () => calibration(posterior, arrays({ inputs: { x: { data: new Float64Array(3), dims: [1, 3] } } })),
      "calibration expects rows with targets",
    ],
  ];
  for (const [call, message] of cases) expect(await rejectionOf(call())).toContain(message);
});
