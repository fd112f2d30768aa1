import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkAdjoint, eigh, type LinearOperator, toDense } from "../../src/linalg/index.ts";
import {
  empiricalFisher,
  empiricalRisk,
  fisher,
  ggn,
  gradientCovariance,
  gradientSecondMoment,
  hessian,
  jacobian,
  type Risk,
} from "../../src/operators/index.ts";
import type { MatrixFunction } from "./allMatrices.ts";
import { expectClose } from "./closeness.ts";
import { type DenseRisk, denseRisk } from "./denseRisk.ts";
import { centralDifference, type ModelAt, modelAt } from "./modelAt.ts";
import { onnxCases } from "./onnxCases.ts";
import { dataOf, randomTensor, riskCases } from "./riskCases.ts";

const cases = { ...riskCases, ...(await onnxCases()) };

describe.each(Object.entries(cases))("%s", (_, riskCase) => {
  let risk: Risk;
  let model: ModelAt;
  let expected: DenseRisk;
  beforeAll(async () => {
    const { model: given, loss } = riskCase;
    risk = await empiricalRisk({ model: given, loss, data: dataOf(riskCase, 4), dtype: "float64" });
    model = await modelAt(riskCase);
    expected = await denseRisk(riskCase, risk, await model.outputs(model.theta));
  });
  afterAll(async () => {
    await model.release();
    await risk.dispose();
  });

  const directions = () => [1, 2].map((seed) => randomTensor([risk.size], 40 + seed).data);

  test("loss and gradient are those of the formulas", async () => {
    expect(await risk.loss()).toBeCloseTo(expected.loss, 12);
    expectClose(await risk.gradient(), expected.gradient, 1e-12);
    expectClose(await risk.gradient(), await model.gradient(model.theta), 1e-12);
    expect([...risk.theta()]).toEqual([...model.theta]);
  });

  test("the Jacobian is the derivative of the outputs in the order of the data", async () => {
    const J = jacobian(risk);
    expect(J.shape).toEqual([riskCase.output.reduce((size, dim) => size * dim, 1), risk.size]);
    for (const v of directions())
      expectClose(await J.matvec(v), await centralDifference(model.outputs, { theta: model.theta, v }), 1e-8);
    await expect(checkAdjoint(J, { seed: 0 })).resolves.toMatchObject({ passed: true });
  });

  test("the Hessian is the derivative of the gradient, and symmetric", async () => {
    const H = hessian(risk);
    for (const v of directions())
      expectClose(await H.matvec(v), await centralDifference(model.gradient, { theta: model.theta, v }), 1e-7);
    const { data } = await toDense(H);
    const size = risk.size;
    expectClose(
      data,
      Float64Array.from(data, (_, i) => data[(i % size) * size + Math.floor(i / size)]),
      1e-12,
    );
  });

  const hasLikelihood = riskCase.loss.likelihood !== undefined;
  type Row = readonly [name: string, make: (risk: Risk) => LinearOperator, reference: keyof DenseRisk];
  const rows: { readonly [name in MatrixFunction]: readonly Row[] } = {
    // By central differences above.
    hessian: [],
    ggn: [["ggn", ggn, "ggn"]],
    empiricalFisher: [["empirical Fisher", empiricalFisher, "empiricalFisher"]],
    gradientCovariance: [["gradient covariance", gradientCovariance, "gradientCovariance"]],
    gradientSecondMoment: [["second moment of gradients", gradientSecondMoment, "gradientSecondMoment"]],
    fisher: hasLikelihood
      ? [
          ["Fisher of type 2", (own) => fisher(own, { type: 2 }), "fisher"],
          ["Fisher of type 1 with all labels", (own) => fisher(own, { type: 1, labels: "all" }), "fisher"],
        ]
      : [],
  };

  test.each(Object.values(rows).flat())(
    "%s is the sum over terms of J' M J, and psd where it says so",
    async (_name, make, key) => {
      const A = make(risk);
      const dense = await toDense(A);
      expectClose(dense.data, (expected[key] as { data: Float64Array }).data, 1e-12);
      expect(A.symmetric).toBe(true);
      const { values } = await eigh(dense);
      const [lowest, highest] = [values[0], values[values.length - 1]];
      expect(A.psd).toBe(key !== "ggn" || riskCase.loss.convex);
      if (A.psd) expect(lowest).toBeGreaterThan(-1e-13 * highest);
      else expect(lowest).toBeLessThan(-1e-6 * highest);
    },
  );
});
