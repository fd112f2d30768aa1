import { expect, test } from "vitest";
import {
  arrays,
  constant,
  crossEntropy,
  curvatureReport,
  empiricalRisk,
  functionModel,
  hessian,
  primitives,
} from "../../src/index.ts";
import { toDense } from "../../src/linalg/index.ts";
import { stream } from "../../src/random/index.ts";

const { add, matmul, relu } = primitives;

/** A network of 3 inputs, 4 rectified hidden units and 3 outputs, its first layer times c and its second divided by c. */
async function scaledRisk(c: number) {
  const random = stream(9, "relative");
  const draws = (length: number, factor: number) => Float64Array.from({ length }, () => factor * random.normal());
  const model = functionModel({
    name: "scaled",
    parameters: { w1: { data: draws(12, c), dims: [3, 4] }, w2: { data: draws(12, 1 / c), dims: [4, 3] } },
    inputs: { x: { dims: [3], dtype: "float64" } },
    apply: (p, { x }) => add(matmul(relu(matmul(x!, p.w1!)), p.w2!), matmul(x!, constantOf())),
  });
  const x = { data: draws(60, 1), dims: [20, 3] };
  const targets = { data: Int32Array.from({ length: 20 }, (_, i) => i % 3), dims: [20] };
  return empiricalRisk({ model, loss: crossEntropy(), data: arrays({ inputs: { x }, targets }), dtype: "float64" });
}

function constantOf() {
  return constant({ data: Float64Array.from([1, 0, 0, 0, 1, 0, 0, 0, 1]), dims: [3, 3] });
}

const options = { seed: 2, probes: 48, steps: 4, eigenvalues: 1, dense: false, rounding: false } as const;

test("does not change when the network rescales its weights, while the trace does", async () => {
  const [plain, scaled] = [await scaledRisk(1), await scaledRisk(8)];
  const [a, b] = [await curvatureReport(plain, options), await curvatureReport(scaled, options)];
  expect(b.loss.value).toBeCloseTo(a.loss.value, 10);
  expect(b.matrices.hessian!.trace.value / a.matrices.hessian!.trace.value).toSatisfy(
    (ratio: number) => ratio > 2 || ratio < 0.5,
  );
  for (const name of ["trace", "frobenius", "directions"] as const) {
    expect(b.relative![name]!.value / a.relative![name]!.value).toBeCloseTo(1, 8);
  }
  expect(b.relative!.largest!.value / a.relative!.largest!.value).toBeCloseTo(1, 5);
  expect(b.relative!.raisingSize! / a.relative!.raisingSize!).toBeCloseTo(1, 8);
  await plain.dispose();
  await scaled.dispose();
});

test("is the dense matrix with rows and columns times the sizes of the weights; small disturbances add what it predicts", async () => {
  const risk = await scaledRisk(1);
  const { relative } = await curvatureReport(risk, options);
  const { data, rows } = await toDense(hessian(risk));
  const theta = risk.theta();
  let trace = 0;
  for (let i = 0; i < rows; i++) trace += theta[i]! ** 2 * data[i * rows + i]!;
  expect(relative!.trace).toMatchObject({ exact: true, standardError: 0 });
  expect(relative!.trace.value).toBeCloseTo(trace, 8);
  const [small] = relative!.disturbances;
  expect(small).toMatchObject({ size: 0.01, evaluations: 8 });
  expect(small!.predicted).toBeCloseTo((trace * 0.01 ** 2) / 2, 12);
  expect(Math.abs(small!.measured - small!.predicted)).toBeLessThan(5 * small!.standardError + 1e-9);
  // Twenty rows of three classes guessed at their frequencies.
  const shares = [7 / 20, 7 / 20, 6 / 20];
  expect(relative!.guessing).toBe(true);
  expect(relative!.reference).toBeCloseTo(-shares.reduce((sum, p) => sum + p * Math.log(p), 0), 12);
  expect((relative!.raisingSize! ** 2 * trace) / 2).toBeCloseTo(0.1 * relative!.reference, 10);
  await risk.dispose();
});
