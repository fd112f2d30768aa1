import { describe, expect, test } from "vitest";
import {
  type LanczosQuadratureState,
  type LinearOperator,
  lanczos,
  lanczosQuadrature,
  lanczosQuadratureSteps,
  logDeterminant,
} from "../../src/linalg/index.ts";
import { stream } from "../../src/random/index.ts";
import { length, range, rotated, spectral } from "./knownOperators.ts";

/** Outliers that a Lanczos run finds within some twenty steps, after which its vectors lose their orthogonality. */
const values = range(300, (i) => [100, 50, 20][i] ?? i / 300);
const A = rotated(values);

/** The sign vector of a probe, as the run draws it. */
function signs(seed: number, probe: number): Float64Array {
  const v = new Float64Array(values.length);
  stream(seed, "probe", probe).signs(v);
  return v;
}

describe("quadrature without a basis", () => {
  const options = { steps: 150, probes: 1, seed: 3, reorthogonalize: false };

  test("is that of the full process while vectors are orthogonal", async () => {
    const full = await lanczosQuadrature(A, { ...options, steps: 8, reorthogonalize: true });
    const plain = await lanczosQuadrature(A, { ...options, steps: 8 });
    plain.quadrature[0]!.nodes.forEach((node, i) => {
      expect(Math.abs(node - full.quadrature[0]!.nodes[i]!)).toBeLessThan(1e-10 * 100);
      expect(plain.quadrature[0]!.weights[i]!).toBeCloseTo(full.quadrature[0]!.weights[i]!, 8);
    });
  });

  test("shares the weight of an eigenvalue among the copies of it", async () => {
    const { quadrature } = await lanczosQuadrature(A, options);
    const { nodes, weights } = quadrature[0]!;
    const v = signs(3, 0);
    for (const outlier of [100, 50, 20]) {
      const near = Array.from(nodes.keys()).filter((j) => Math.abs(nodes[j]! - outlier) < 1e-6);
      expect(near.length).toBeGreaterThan(1);
      const mass = near.reduce((sum, j) => sum + weights[j]!, 0);
      const exact = length(spectral(values, v, (x) => (x === outlier ? 1 : 0))) ** 2 / values.length;
      expect(mass / exact).toBeCloseTo(1, 8);
    }
  });

  test.each([
    ["e^-x", (x: number) => Math.exp(-x)],
    ["log(x + 0.1)", (x: number) => Math.log(x + 0.1)],
    ["x / (x + 0.1)", (x: number) => x / (x + 0.1)],
  ])("gives v' f(A) v for %s", async (_, f) => {
    const { quadrature } = await lanczosQuadrature(A, options);
    const { nodes, weights } = quadrature[0]!;
    const sum = nodes.reduce((total, node, j) => total + weights[j]! * f(node), 0);
    const v = signs(3, 0);
    const exact = spectral(values, v, f).reduce((total, x, i) => total + x * v[i]!, 0) / values.length;
    expect(Math.abs(sum - exact)).toBeLessThan(1e-9 * Math.abs(exact));
  });

  test("goes on from a state bit by bit, and refuses one of a run with a basis", async () => {
    const several = { ...options, steps: 40, probes: 3 };
    const whole = await lanczosQuadrature(A, several);
    const states: LanczosQuadratureState[] = [];
    for await (const state of lanczosQuadratureSteps(A, several)) states.push(structuredClone(state));
    for (const at of [0, 57, 119]) {
      const resumed = await lanczosQuadrature(A, { ...several, state: states[at]! });
      expect(resumed.quadrature).toEqual(whole.quadrature);
    }
    await expect(lanczosQuadrature(A, { ...several, state: states[57]!, reorthogonalize: true })).rejects.toThrow(
      /state/,
    );
  });

  test("ends where the Krylov space does", async () => {
    const two = rotated(range(50, (i) => (i < 20 ? 3 : 1)));
    const { quadrature, matvecs } = await lanczosQuadrature(two, {
      steps: 30,
      probes: 2,
      seed: 0,
      reorthogonalize: false,
    });
    expect(matvecs).toBe(4);
    for (const { nodes } of quadrature) expect(Array.from(nodes, (x) => Number(x.toFixed(10)))).toEqual([1, 3]);
  });

  test("keeps the bounds of a log-determinant around it", async () => {
    const { logdet, standardError, bounds } = await logDeterminant(A, { damping: 0.1, ...options, probes: 20 });
    const truth = values.reduce((sum, x) => sum + Math.log(x + 0.1), 0);
    expect(Math.abs(logdet - truth)).toBeLessThan(4 * standardError);
    expect(bounds.lower).toBeLessThanOrEqual(logdet + 1e-6 * Math.abs(logdet));
    expect(bounds.upper).toBeGreaterThanOrEqual(logdet - 1e-6 * Math.abs(logdet));
  });

  test("is what large bases are left for", async () => {
    const n = 70_000;
    const d = Float64Array.from({ length: n }, (_, i) => (i % 100) / 10);
    const large: LinearOperator = {
      shape: [n, n],
      dtype: "float64",
      symmetric: true,
      psd: true,
      matvec: async (x) => Float64Array.from(x, (value, i) => d[i]! * value),
    };
    const methods = async (steps: number) => {
      const first = await lanczosQuadratureSteps(large, { steps, probes: 1, seed: 0 }).next();
      return (first.value as LanczosQuadratureState).current!.method;
    };
    expect(await methods(40)).toBe("lanczos");
    expect(await methods(64)).toBe("lanczosRecurrence");
  });
});

test("the full process has no copies where the recurrence has", async () => {
  const start = signs(3, 0);
  const { basis } = await lanczos(A, { steps: 150, start });
  expect(basis.columns).toBe(150);
  const { quadrature } = await lanczosQuadrature(A, { steps: 150, probes: 1, seed: 3, reorthogonalize: true });
  expect(Array.from(quadrature[0]!.nodes).filter((x) => x > 10)).toHaveLength(3);
});
