import { describe, expect, test } from "vitest";
import { laplace, logMarginalLikelihood, predict } from "../../../src/applications/laplace/index.ts";
import { arrays, empiricalRisk, functionModel, meanSquaredError, primitives, type Risk } from "../../../src/index.ts";
import { stream } from "../../../src/random/index.ts";
import { relative } from "../digits.ts";
import { inverseOf } from "./denseInverse.ts";

const { matmul } = primitives;

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
