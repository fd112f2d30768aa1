import { expect, test } from "vitest";
import {
  distinctPart,
  drawnLayers,
  linearLabel,
  logarithmicScale,
  smoothedDensity,
  wholeExponents,
} from "../../src/report/figures/index.ts";

test("the smoothed exact density integrates to the share of the eigenvalues that it is given", () => {
  const grid = Array.from({ length: 2001 }, (_, i) => -1 + i / 1000);
  const density = smoothedDensity([-0.3, 0, 0, 0.4], { grid, density: [], width: 0.02 }, 8);
  const integral = density.reduce((sum, y) => sum + y / 1000, 0);
  expect(integral).toBeCloseTo(0.5, 10);
  const mean = density.reduce((sum, y, i) => sum + (y * (grid[i] as number)) / 1000, 0) / integral;
  expect(mean).toBeCloseTo(0.025, 10);
});

test("drawn layers are those of largest mean curvature in size, in the order of the network", () => {
  const layers = [3, -8, 1, 6, 0].map((trace, i) => ({
    name: String(i),
    parameters: 2,
    trace,
    standardError: 0,
    tensors: [],
  }));
  expect(drawnLayers(layers, 3)).toEqual([0, 1, 3]);
  expect(drawnLayers(layers, 9)).toEqual([0, 1, 2, 3, 4]);
});

test("names lose the folders that they share, and only whole ones", () => {
  expect(distinctPart(["model.layers.10.a", "model.layers.11.a"])).toEqual(["10.a", "11.a"]);
  expect(distinctPart(["0", "2"])).toEqual(["0", "2"]);
  expect(distinctPart(["model.a"])).toEqual(["model.a"]);
  expect(distinctPart(["net/ab", "net/ac"])).toEqual(["ab", "ac"]);
});

test("a logarithmic axis is used for positive values far apart, with ticks inside its domain", () => {
  expect(logarithmicScale([1, 2, 3])).toBeUndefined();
  expect(logarithmicScale([0, 100])).toBeUndefined();
  expect(logarithmicScale([-1, 100])).toBeUndefined();
  for (const values of [
    [0.02, 0.8],
    [3e-7, 5],
    [1, 6],
    [2e3, 8e9],
  ]) {
    const scale = logarithmicScale(values) as NonNullable<ReturnType<typeof logarithmicScale>>;
    expect(scale.ticks.length).toBeGreaterThanOrEqual(2);
    expect(scale.ticks.length).toBeLessThanOrEqual(8);
    for (const tick of scale.ticks) expect(tick >= scale.domain[0] && tick <= scale.domain[1]).toBe(true);
    expect(scale.domain[0]).toBeLessThan(Math.min(...values));
    expect(scale.domain[1]).toBeGreaterThan(Math.max(...values));
  }
});

test("tick labels have no more digits than they need", () => {
  expect([0, 0.2, -0.0002, 1500, 0.1 + 0.2].map(linearLabel)).toEqual(["0", "0.2", "−0.0002", "1,500", "0.3"]);
  expect(linearLabel(2e-5).replaceAll("\u00a0", " ")).toBe("2 × 10⁻⁵");
  expect(wholeExponents(-2.5, 1.2)).toEqual([-2, -1, 0, 1]);
  expect(wholeExponents(-20, 0, 5).length).toBeLessThanOrEqual(5);
});
