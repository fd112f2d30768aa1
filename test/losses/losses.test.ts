import { describe, expect, test } from "vitest";
import { eigh } from "../../src/linalg/index.ts";
import { stream } from "../../src/random/index.ts";
import { type LossCase, lossCases, outputsOf } from "./lossCases.ts";
import { type Objective, objective } from "./objective.ts";

async function withObjective(lossCase: LossCase, use: (objective: Objective) => Promise<void>): Promise<void> {
  const compiled = await objective(lossCase.loss, lossCase);
  try {
    await use(compiled);
  } finally {
    await compiled.release();
  }
}

function randomDirection(length: number, seed: number): Float64Array {
  const random = stream(seed, "direction");
  return Float64Array.from({ length }, () => random.normal());
}

describe.each(Object.entries(lossCases))("%s", (_, lossCase) => {
  const f = outputsOf(lossCase, 1);

  test("sum and denominator are those of the formula in loops", () =>
    withObjective(lossCase, async ({ value, denominator }) => {
      const expected = lossCase.reference(f);
      expect((await value(f)).sum).toBeCloseTo(expected.sum, 11);
      expect(denominator).toBeCloseTo(expected.denominator, 13);
    }));

  test("the gradient is that of the formula by central differences", () =>
    withObjective(lossCase, async ({ derivatives }) => {
      const { gradient } = await derivatives(f, f);
      const step = 1e-5;
      for (let i = 0; i < f.length; i++) {
        const at = (by: number) => lossCase.reference(f.map((x, j) => (i === j ? x + by : x))).sum;
        expect(gradient[i]).toBeCloseTo((at(step) - at(-step)) / (2 * step), 7);
      }
    }));

  test("the second derivative is that of the gradient by central differences", () =>
    withObjective(lossCase, async ({ derivatives }) => {
      const u = randomDirection(f.length, 2);
      const step = 1e-5;
      const [above, below] = await Promise.all(
        [step, -step].map((by) =>
          derivatives(
            f.map((x, i) => x + by * u[i]),
            u,
          ),
        ),
      );
      const { product } = await derivatives(f, u);
      product.forEach((x, i) => {
        expect(x).toBeCloseTo((above.gradient[i] - below.gradient[i]) / (2 * step), 7);
      });
    }));

  test(`says truly that it is ${lossCase.loss.convex ? "" : "not "}convex in the outputs`, () =>
    withObjective(lossCase, async ({ derivatives }) => {
      let smallest = Number.POSITIVE_INFINITY;
      for (let seed = 1; seed <= 3; seed++) {
        const point = outputsOf(lossCase, seed).map((x) => 2 * x);
        const values = await hessianEigenvalues(derivatives, point);
        smallest = Math.min(smallest, values[0] / values[values.length - 1]);
      }
      if (lossCase.loss.convex) expect(smallest).toBeGreaterThan(-1e-12);
      else expect(smallest).toBeLessThan(-1e-3);
    }));
});

async function hessianEigenvalues(derivatives: Objective["derivatives"], f: Float64Array): Promise<Float64Array> {
  const n = f.length;
  const data = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const unit = new Float64Array(n);
    unit[i] = 1;
    data.set((await derivatives(f, unit)).product, i * n);
  }
  return (await eigh({ rows: n, columns: n, data })).values;
}
