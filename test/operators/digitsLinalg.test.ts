import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  blockEigsh,
  cg,
  cgColumns,
  cholesky,
  choleskySolve,
  damped,
  effectiveDimension,
  eigsh,
  eigshGeneralized,
  type LanczosQuadratureState,
  type LinearOperator,
  lanczosQuadrature,
  lobpcg,
  logDeterminant,
  minres,
  minresQlp,
  multiShiftCg,
  solverInverse,
  toDense,
} from "../../src/linalg/index.ts";
import { ggn, hessian, type Risk } from "../../src/operators/index.ts";
import { column, type Vector } from "../../src/tensors/index.ts";
import { expectVector, type Fixture, readFixture, type StoredLoss } from "./fixture.ts";

// Eigenvalues and solutions of a trained network's matrices in float64, against numbers from PyTorch and curvlinops.

let fixture: Fixture;
let risk: Risk;
let stored: StoredLoss;
let H: LinearOperator;
let G: LinearOperator;
let gradient: Vector;

beforeAll(async () => {
  fixture = await readFixture("digits_mlp_op13");
  stored = fixture.stored("train", "cross_entropy");
  risk = await fixture.open({ caseName: "train", loss: "cross_entropy" });
  [H, G, gradient] = [hessian(risk), ggn(risk), await risk.gradient()];
});
afterAll(() => risk.dispose());

/** Limit of the acceptance of eigenvalues, over the largest one. */
const EIGENVALUE_LIMIT = 1e-8;

function expectClose(actual: ArrayLike<number>, expected: readonly number[], limit: number): void {
  expect(actual.length).toBe(expected.length);
  expected.forEach((value, i) => {
    expect(Math.abs(actual[i]! - value)).toBeLessThanOrEqual(limit);
  });
}

const inner = (x: Vector, y: Vector) => Array.from(x).reduce((so, value, i) => so + value * y[i]!, 0);

describe("the Hessian", () => {
  test("its 20 largest and 5 smallest eigenvalues, by eigsh", async () => {
    const top = stored.hessian.eigenvalues_top20!;
    const largest = await eigsh(H, { k: 20, seed: 0 });
    expect(largest.status, largest.message).toBe("converged");
    expectClose(largest.values, top, EIGENVALUE_LIMIT * top[0]!);
    const smallest = await eigsh(H, { k: 5, which: "smallest", seed: 0, basisSize: 120 });
    expect(smallest.status, smallest.message).toBe("converged");
    expectClose(smallest.values, stored.hessian.eigenvalues_bottom10!.slice(0, 5), EIGENVALUE_LIMIT * top[0]!);
  });

  test("the same by blockEigsh and lobpcg", async () => {
    const top = stored.hessian.eigenvalues_top20!;
    const blocks = await blockEigsh(H, { k: 6, seed: 0 });
    expect(blocks.status, blocks.message).toBe("converged");
    expectClose(blocks.values, top.slice(0, 6), EIGENVALUE_LIMIT * top[0]!);
    const conjugate = await lobpcg(H, { k: 3, which: "largest", seed: 0, tolerance: 1e-6 });
    expect(conjugate.status, conjugate.message).toBe("converged");
    expectClose(conjugate.values, top.slice(0, 3), EIGENVALUE_LIMIT * top[0]!);
  });

  test("is indefinite: cg says so with a direction of negative curvature, minres solves it damped", async () => {
    const shift = 5e-4;
    const ended = await cg(damped(H, shift), gradient, { matvecs: 2000 });
    expect(ended.status, ended.message).toBe("indefinite");
    const Hd = await H.matvec(ended.direction!);
    expect(inner(Hd, ended.direction!)).toBeLessThan(-shift);
    const solved = await minres(damped(H, 0.1), gradient, { tolerance: 1e-9 });
    expect(solved.status, solved.message).toBe("converged");
  });
});

describe("the Gauss-Newton matrix, damped", () => {
  test("its solution for the gradient is the fixture's, by every solver", async () => {
    const { damping, solution_for_mean_gradient: expected } = stored.ggn.damped!;
    const A = damped(G, damping);
    const limits = { v: fixture.v, w: fixture.w, limit: 1e-8 };
    const options = { tolerance: 1e-11 };
    for (const method of [cg, minres, minresQlp]) {
      const { x, status, message } = await method(A, gradient, options);
      expect(status, message).toBe("converged");
      expectVector(x, expected, limits);
    }
    const { x } = await multiShiftCg(G, gradient, { dampings: [damping, 1], tolerance: 1e-11 });
    expectVector(column(x, 0).slice(), expected, limits);
    expectVector(await solverInverse(G, { damping, ...options }).matvec(gradient), expected, limits);
  });

  test("several right-hand sides at once", async () => {
    const { damping, solution_for_mean_gradient: expected } = stored.ggn.damped!;
    const B = { rows: gradient.length, columns: 2, data: Float64Array.of(...gradient, ...fixture.v) };
    const result = await cgColumns(damped(G, damping), B, { tolerance: 1e-11 });
    expect(result.status, result.message).toBe("converged");
    expectVector(column(result.x, 0).slice(), expected, { v: fixture.v, w: fixture.w, limit: 1e-8 });
  });
});

describe("functions of the Gauss-Newton matrix, of the first 50 images", () => {
  let few: Risk;
  let state: LanczosQuadratureState;
  let stored: StoredLoss;
  let G: LinearOperator;
  beforeAll(async () => {
    stored = fixture.stored("train50", "cross_entropy");
    few = await fixture.open({ caseName: "train50", loss: "cross_entropy" });
    G = ggn(few);
    // As many steps as there are parameters give all eigenvalues: both functions are exact from the state of this run, without a product.
    const n = G.shape[1];
    const { quadrature, matvecs } = await lanczosQuadrature(G, { steps: n, probes: 1, seed: 0 });
    state = { method: "lanczosQuadrature", columns: n, matvecs, seed: 0, quadrature };
  });
  afterAll(() => few.dispose());

  /** Limit of exact results, over the result. */
  const LIMIT = 1e-9;
  const slq = { steps: 25, probes: 10 };
  type Stated = Pick<Awaited<ReturnType<typeof effectiveDimension>>, "interval" | "bounds">;

  /** Number of 10 runs whose interval holds the truth; each is narrow, and its quadrature adds next to nothing to it. */
  async function held(truth: number, run: (seed: number) => Promise<Stated>): Promise<number> {
    let inside = 0;
    for (let seed = 0; seed < 10; seed++) {
      const { interval, bounds } = await run(seed);
      const width = interval.upper - interval.lower;
      expect(width).toBeLessThan(0.6 * Math.abs(truth));
      expect(bounds.upper - bounds.lower).toBeLessThan(1e-3 * width);
      inside += Number(interval.lower <= truth && truth <= interval.upper);
    }
    return inside;
  }

  test("its log-determinant, damped, is the fixture's: within intervals of few probes, and to 1e-9 with n steps", async () => {
    const { damping, logdet: expected } = stored.ggn.damped!;
    const inside = await held(expected, async (seed) => {
      const { matvecs, status, message, ...rest } = await logDeterminant(G, { ...slq, seed, damping });
      expect([status, matvecs]).toEqual(["converged", 250]);
      expect(message).toContain("10 probes, few for an interval");
      return rest;
    });
    expect(inside).toBeGreaterThanOrEqual(8);
    const n = G.shape[1];
    const exact = await logDeterminant(G, { damping, steps: n, probes: 1, seed: 0, state });
    expect([exact.status, exact.standardError, exact.matvecs]).toEqual(["converged", 0, n]);
    expect(Math.abs(exact.logdet / expected - 1)).toBeLessThanOrEqual(LIMIT);
  });

  test("its effective dimension is that of the dense matrix by its Cholesky factor", async () => {
    const { damping } = stored.ggn.damped!;
    const n = G.shape[1];
    const { data } = await toDense(G);
    const dense = { rows: n, columns: n, data: Float64Array.from(data) };
    const shifted = { ...dense, data: dense.data.map((x, at) => (at % (n + 1) === 0 ? x + damping : x)) };
    const L = await cholesky(shifted);
    const inverse = await choleskySolve(L, identityMatrix(n));
    // tr A (A + d I)^-1 = n - d tr (A + d I)^-1.
    let trace = 0;
    for (let i = 0; i < n; i++) trace += inverse.data[i * (n + 1)]!;
    const expected = n - damping * trace;
    const logdet = 2 * Array.from({ length: n }, (_, i) => Math.log(L.data[i * (n + 1)]!)).reduce((so, x) => so + x, 0);
    expect(Math.abs(logdet / stored.ggn.damped!.logdet - 1)).toBeLessThanOrEqual(LIMIT);
    const inside = await held(expected, (seed) => effectiveDimension(G, { ...slq, seed, damping }));
    expect(inside).toBeGreaterThanOrEqual(8);
    const exact = await effectiveDimension(G, { damping, steps: n, probes: 1, seed: 0, state });
    expect([exact.status, exact.standardError]).toEqual(["converged", 0]);
    expect(Math.abs(exact.dimension / expected - 1)).toBeLessThanOrEqual(LIMIT);
  });
});

function identityMatrix(n: number) {
  const data = new Float64Array(n * n);
  for (let i = 0; i < n; i++) data[i * (n + 1)] = 1;
  return { rows: n, columns: n, data };
}

test("the Hessian against the damped Gauss-Newton matrix: eigenvalues of the pencil, with their residuals", async () => {
  const damping = 0.1;
  const result = await eigshGeneralized(H, G, { k: 3, seed: 0, damping });
  expect(result.status, result.message).toBe("converged");
  for (const [i, value] of result.values.entries()) {
    const x = column(result.vectors, i);
    const [Hx, Bx] = [await H.matvec(x), await damped(G, damping).matvec(x)];
    expect(inner(Bx, x)).toBeCloseTo(1, 7);
    expect(inner(Hx, x)).toBeCloseTo(value, 7);
  }
});
