import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import {
  arrays,
  empiricalRisk,
  ggn,
  hessian,
  loadModel,
  meanSquaredError,
  type Risk,
  readNpy,
} from "../../src/index.ts";

const file = (name: string) => fileURLToPath(new URL(`nan_origin/${name}`, import.meta.url));
const array = (name: string) => readNpy(readFileSync(file(name)), { name });

const cases = {
  // A division by 0 in the branch that Where does not take.
  "where.onnx": { inputs: { r: "r.npy" }, targets: "t.npy" },
  // The norm of a difference that is 0 whatever the weights.
  "distance.onnx": { inputs: { a: "a.npy", b: "b.npy" }, targets: "td.npy" },
} as const;

async function riskOf(name: keyof typeof cases, dtype: "float32" | "float64"): Promise<Risk> {
  const { inputs, targets } = cases[name];
  const tensors = Object.fromEntries(Object.entries(inputs).map(([input, each]) => [input, array(each)]));
  const data = arrays({ inputs: tensors, targets: array(targets), batchSize: 4 });
  return empiricalRisk({ model: await loadModel(file(name)), loss: meanSquaredError(), data, dtype });
}

/** Central difference of a function of the weights along v. */
async function along<T>(risk: Risk, v: Float64Array, f: (moved: Risk) => Promise<T>): Promise<readonly [T, T]> {
  const theta = risk.theta();
  const at = (h: number) => f(risk.at(Float64Array.from(theta, (value, i) => value + h * v[i])));
  return [await at(STEP), await at(-STEP)];
}

const STEP = 1e-5;

describe("derivatives are 0 where the value does not depend on the weights", () => {
  test.each(Object.keys(cases) as (keyof typeof cases)[])("%s, against differences in float64", async (name) => {
    const risk = await riskOf(name, "float64");
    const gradient = Float64Array.from(await risk.gradient());
    const v = Float64Array.from({ length: risk.size }, (_, i) => Math.cos(0.37 * i + 0.1));
    const [up, down] = await along(risk, v, (moved) => moved.loss());
    const slope = gradient.reduce((sum, g, i) => sum + g * v[i], 0);
    expect(Math.abs(slope - (up - down) / (2 * STEP))).toBeLessThan(1e-8 * Math.abs(slope));
    const product = Float64Array.from(await hessian(risk).matvec(v));
    const [above, below] = await along(risk, v, (moved) => moved.gradient());
    const largest = product.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    product.forEach((value, i) => {
      expect(Math.abs(value - (above[i] - below[i]) / (2 * STEP))).toBeLessThan(1e-7 * largest);
    });
    const single = await riskOf(name, "float32");
    for (const matrix of [hessian, ggn]) {
      const [exact, rounded] = [await matrix(risk).matvec(v), await matrix(single).matvec(v)];
      expect(exact.every(Number.isFinite)).toBe(true);
      rounded.forEach((value, i) => {
        expect(Math.abs(value - exact[i])).toBeLessThan(1e-4 * largest);
      });
    }
    await single.dispose();
    await risk.dispose();
  });
});
