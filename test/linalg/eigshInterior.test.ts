import { describe, expect, test } from "vitest";
import { dense, eigshInterior, eigshInteriorSteps } from "../../src/linalg/index.ts";
import { column } from "../../src/tensors/index.ts";
import { counted, distance, failing, range, residualOf, rotated, rotatedMatrix } from "./knownOperators.ts";
import { departureFromOrthonormal } from "./randomMatrices.ts";

describe("eigshInterior", () => {
  const values = range(60, (i) => (i - 20) / 10);
  test("finds the eigenvalues inside of the spectrum nearest to a shift, by minres", async () => {
    const A = counted(rotated(values));
    const result = await eigshInterior(A, { k: 3, shift: 0.52, seed: 0 });
    expect(result.status, result.message).toBe("converged");
    expect(distance(result.values, [0.5, 0.6, 0.4])).toBeLessThan(1e-9);
    expect(A.count()).toBe(result.matvecs);
    expect(departureFromOrthonormal(result.vectors)).toBeLessThan(1e-7);
    for (let i = 0; i < 3; i++) {
      const residual = await residualOf(A, column(result.vectors, i), result.values[i]!);
      expect(Math.abs(residual - result.residualNorms[i]!)).toBeLessThan(1e-13);
    }
  });
  test("with an inverse at hand at no products but the residuals", async () => {
    const A = counted(rotated(values));
    const inverse = dense(
      { rows: 60, columns: 60, data: rotatedMatrix(values.map((x) => 1 / (x - 0.52))) },
      { symmetric: true },
    );
    const result = await eigshInterior(A, { k: 3, shift: 0.52, seed: 0, inverse });
    expect(distance(result.values, [0.5, 0.6, 0.4])).toBeLessThan(1e-12);
    expect(result.matvecs).toBe(3);
  });
  test("stays within its budget, and says why a system was not solved", async () => {
    for (const matvecs of [5, 50, 150]) {
      const A = counted(rotated(values));
      const result = await eigshInterior(A, { k: 2, shift: 0.52, seed: 0, matvecs });
      expect(result.status).toBe("budget");
      expect(A.count()).toBe(result.matvecs);
      expect(result.matvecs).toBeLessThanOrEqual(matvecs);
    }
    const poisoned = failing(rotated(values), 90, (y) => y.fill(Number.NaN));
    const ended = await eigshInterior(poisoned, { k: 2, shift: 0.52, seed: 0 });
    expect(ended.status).toBe("nonfinite");
    expect(ended.message).toMatch(/system \d was not solved: product \d+ of minres has entries/);
    await expect(eigshInterior(rotated(values), { k: 2, shift: Number.NaN, seed: 0 })).rejects.toThrow(
      "shift to be a finite number",
    );
  });
  test("resumes after a failure to the same bits", async () => {
    const options = { k: 2, shift: 0.52, seed: 0 };
    const broken = failing(rotated(values), 200, () => {
      throw new RangeError("gone");
    });
    const error = await eigshInterior(broken, options).catch((thrown: { state: never }) => thrown);
    const state = structuredClone((error as { state: never }).state);
    const resumed = await eigshInterior(rotated(values), { ...options, state });
    expect(resumed).toEqual(await eigshInterior(rotated(values), options));
    await expect(eigshInteriorSteps(rotated([1, 2]), { ...options, state }).next()).rejects.toThrow(
      "resumes from a state",
    );
  });
});
