import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cholesky, choleskySolve, qr, svd } from "../../src/linalg/dense/index.ts";
import {
  bicgstab,
  cg,
  cgls,
  dense,
  diagonal,
  functionOperator,
  gmres,
  type LinearOperator,
  lsmr,
  minres,
  minresQlp,
  preconditioner,
  richardson,
  type SolverOptions,
  type SolverResult,
} from "../../src/linalg/index.ts";
import type { Vector } from "../../src/tensors/index.ts";
import {
  counted,
  distance,
  length,
  operatorOf,
  randomVector,
  range,
  rotated,
  rotatedMatrix,
  spectral,
  trueResidual,
} from "./knownOperators.ts";
import { product, randomMatrix, transposed } from "./randomMatrices.ts";

type Solver = (A: LinearOperator, b: Vector, options?: SolverOptions<never>) => Promise<SolverResult>;

const solvers: Readonly<Record<string, Solver>> = { cg, minres, minresQlp, lsmr, cgls, gmres, bicgstab };

describe("a singular system that b does not fit", () => {
  const values = range(40, (i) => (i < 20 ? ((i % 3) - 1.5) * (i + 1) : 0));
  const b = randomVector(40, 2);
  const shortest = spectral(values, b, (value) => (value === 0 ? 0 : 1 / value));
  const outside = spectral(values, b, (value) => (value === 0 ? 1 : 0));

  test.each(["minresQlp", "lsmr", "cgls"])("%s finds the shortest least-squares solution", async (name) => {
    const A = counted(rotated(values));
    const result = await solvers[name]!(A, b);
    expect(result.status, result.message).toBe("converged");
    expect(distance(result.x, shortest)).toBeLessThan(1e-6);
    expect(result.residualNorm).toBeCloseTo(length(outside), 10);
    expect(result.residualNorm).toBeCloseTo(await trueResidual(A, result.x, b), 10);
    expect(A.count()).toBe(result.matvecs + 1);
  });

  test("minres says that this is the least residual; cg, gmres and bicgstab do not claim to have solved it", async () => {
    const least = await minres(rotated(values), b);
    expect(least.status).toBe("stagnated");
    expect(least.message).toMatch(/minresQlp or lsmr give the shortest x/);
    expect(least.residualNorm).toBeCloseTo(length(outside), 6);
    for (const name of ["cg", "gmres", "bicgstab"]) {
      const { status, residualNorm } = await solvers[name]!(rotated(values), b, { matvecs: 300 });
      expect(["indefinite", "breakdown", "stagnated", "budget"]).toContain(status);
      expect(residualNorm).toBeGreaterThan(0.99 * length(outside));
    }
  });

  test("minresQlp tells ||A r|| to half of the digits, and the shortest x to all of them", async () => {
    const result = await minresQlp(rotated(values), b, { tolerance: 1e-12 });
    expect(result.status).toBe("stagnated");
    expect(result.message).toMatch(
      /^b has a part of norm .* outside of the range of A; of the rest: .*; that part is known to half of the digits only, too few for the tolerance; loosen tolerance, or use lsmr; checkSymmetric tells .*$/,
    );
    expect(distance(result.x, shortest)).toBeLessThan(1e-7);
    expect(result.residualNorm).toBeCloseTo(length(outside), 10);
  });

  test("minresQlp keeps the part of x0 in the null space, lsmr and cgls too", async () => {
    const x0 = spectral(values, randomVector(40, 5), (value) => (value === 0 ? 1 : 0));
    for (const name of ["minresQlp", "lsmr", "cgls"]) {
      const { x } = await solvers[name]!(rotated(values), b, { x0 });
      const expected = shortest.map((value, i) => value + x0[i]!);
      expect(distance(x, expected)).toBeLessThan(1e-6);
    }
  });

  test("zero is solved by least squares, and nothing else", async () => {
    const zero = rotated(new Float64Array(8));
    for (const name of ["minresQlp", "lsmr", "cgls"]) {
      const result = await solvers[name]!(zero, b.slice(0, 8));
      expect(result.status, result.message).toBe("converged");
      expect(length(result.x)).toBe(0);
    }
    for (const name of ["cg", "minres", "gmres", "bicgstab"]) {
      expect(["breakdown", "stagnated"]).toContain((await solvers[name]!(zero, b.slice(0, 8))).status);
    }
  });
});

describe("rectangular systems", () => {
  for (const [m, n] of [
    [60, 20],
    [20, 60],
    [3, 1],
  ] as const) {
    const M = randomMatrix(m, n, 3);
    const A = dense(M);
    const b = randomVector(m, 4);
    test.each([
      ["lsmr", lsmr],
      ["cgls", cgls],
    ])(`%s solves ${m} x ${n} as the pseudoinverse does, two products a step`, async (_, method) => {
      const { U, values, V } = await svd(M);
      const shares = transposed(U);
      const c = product(shares, { rows: m, columns: 1, data: b }).data.map((value, i) => value / values[i]!);
      const truth = product(V, { rows: values.length, columns: 1, data: c }).data;
      const result = await method(A, b, { tolerance: 1e-11 });
      expect(result.status, result.message).toBe("converged");
      expect(distance(result.x, truth)).toBeLessThan(1e-8);
      const steps = Number(/after (\d+) steps/.exec(result.message)![1]);
      expect(result.matvecs).toBe(2 * steps + 1 + 2);
      expect(result.normalResidualNorm).toBeLessThan(1e-8);
    });
  }

  test("need an adjoint", async () => {
    const A = functionOperator({ shape: [3, 2], matvec: () => new Float64Array(3) });
    await expect(lsmr(A, randomVector(3, 1))).rejects.toThrow(/adjoint/);
    await expect(lsmr(dense(randomMatrix(3, 2, 1)), randomVector(2, 1))).rejects.toThrow(
      "lsmr expects b to be a Float32Array or Float64Array of 3 entries as the operator has rows, got 2 entries",
    );
  });
});

describe("systems that are not symmetric", () => {
  const n = 50;
  const M = randomMatrix(n, n, 6);
  for (let i = 0; i < n; i++) M.data[i * n + i]! += 20;
  const A = dense(M);
  const b = randomVector(n, 7);
  const reference = async () => {
    const { Q, R } = await qr(M);
    const x = product(transposed(Q), { rows: n, columns: 1, data: b }).data;
    for (let i = n - 1; i >= 0; i--) {
      for (let j = i + 1; j < n; j++) x[i] = x[i]! - R.data[j * n + i]! * x[j]!;
      x[i] = x[i]! / R.data[i * n + i]!;
    }
    return x;
  };

  test.each(["gmres", "bicgstab", "lsmr", "cgls"])("%s solves them", async (name) => {
    const result = await solvers[name]!(A, b, { tolerance: 1e-10 });
    expect(result.status, result.message).toBe("converged");
    expect(distance(result.x, await reference())).toBeLessThan(1e-9);
  });

  test("gmres with restarts, one product for each, and a preconditioner in fewer steps", async () => {
    const result = await gmres(A, b, { tolerance: 1e-10, basisSize: 5 });
    expect(result.status, result.message).toBe("converged");
    const steps = Number(/after (\d+) steps/.exec(result.message)![1]);
    expect(result.matvecs).toBe(steps + Math.ceil(steps / 5));
    const M5 = diagonal(range(n, (i) => 1 / M.data[i * n + i]!));
    const scaled = functionOperator({
      shape: [n, n],
      matvec: async (x) => A.matvec(x.map((v, i) => v * 2 ** (i % 9))),
    });
    const right = diagonal(range(n, (i) => 2 ** -(i % 9)));
    const plain = await gmres(scaled, b, { tolerance: 1e-9, basisSize: 50 });
    for (const method of [gmres, bicgstab]) {
      const better = await method(scaled, b, { tolerance: 1e-9, preconditioner: right });
      expect(better.status, better.message).toBe("converged");
      expect(better.matvecs).toBeLessThan(plain.matvecs);
      expect(await trueResidual(scaled, better.x, b)).toBeLessThan(1.01e-9 * length(b));
    }
    expect((await gmres(A, b, { preconditioner: M5 })).status).toBe("converged");
  });

  test("a cyclic shift stalls gmres until n steps, and for good with restarts", async () => {
    const shift = functionOperator({
      shape: [12, 12],
      matvec: (x) => x.map((_, i) => x[(i + 11) % 12]!) as Float64Array,
    });
    const e1 = range(12, (i) => (i === 0 ? 1 : 0));
    expect(await gmres(shift, e1, { basisSize: 12 })).toMatchObject({ status: "converged" });
    const stalled = await gmres(shift, e1, { basisSize: 4 });
    expect(stalled.status).toBe("stagnated");
    expect(stalled.message).toMatch(/raise basisSize, loosen tolerance, or take a preconditioner$/);
  });

  test("richardson converges by its step, and says when it diverges", async () => {
    const values = range(30, (i) => 1 + i / 10);
    const right = randomVector(30, 1);
    const result = await richardson(rotated(values), right, { scale: 0.4 });
    expect(result.status, result.message).toBe("converged");
    expect(
      distance(
        result.x,
        spectral(values, right, (value) => 1 / value),
      ),
    ).toBeLessThan(1e-7);
    const diverging = await richardson(rotated(values), right, { scale: 1 });
    expect(diverging.status).toBe("breakdown");
    expect(diverging.message).toMatch(/^it diverges: the residual grew to .*lower scale, raise damping, or use cg/);
    const exact = preconditioner(dense({ rows: 30, columns: 30, data: rotatedMatrix(values) }, { symmetric: true }));
    expect((await richardson(rotated(values), right, { preconditioner: exact })).matvecs).toBeLessThan(5);
    await expect(richardson(rotated(values), right)).rejects.toThrow(
      "richardson expects scale to be a positive finite number unless there is a preconditioner, got undefined",
    );
  });

  test("a budget of n steps breaks down on a singular matrix, with its cause", async () => {
    const nilpotent = dense({ rows: 2, columns: 2, data: Float64Array.of(0, 0, 1, 0) });
    const result = await gmres(nilpotent, Float64Array.of(0, 1));
    expect(result.status).toBe("breakdown");
    expect(result.message).toMatch(/A is singular on it.*lsmr/);
    const skew = dense({ rows: 2, columns: 2, data: Float64Array.of(0, 1, -1, 0) });
    const lost = await bicgstab(skew, Float64Array.of(1, 0));
    expect(lost.status).toBe("breakdown");
    expect(lost.message).toMatch(/use gmres, which cannot break down in this way/);
  });
});

test("any symmetric system, by property: minres and minresQlp agree with Cholesky on the squared one", async () => {
  const cases = fc.tuple(
    fc.array(fc.double({ min: 0.2, max: 5, noNaN: true }), { minLength: 1, maxLength: 9 }),
    fc.nat(),
  );
  await fc.assert(
    fc.asyncProperty(cases, async ([sizes, seed]) => {
      const n = sizes.length;
      const values = sizes.map((size, i) => ((seed >> i) % 2 === 0 ? size : -size));
      const M = { rows: n, columns: n, data: rotatedMatrix(values, seed) };
      const b = randomVector(n, seed);
      const L = await cholesky(product(M, M));
      const truth = await choleskySolve(L, product(M, { rows: n, columns: 1, data: b }));
      for (const method of [minres, minresQlp]) {
        const { x, status, message } = await method(operatorOf(M.data), b, { tolerance: 1e-10 });
        expect(status, message).toBe("converged");
        expect(distance(x, truth.data)).toBeLessThan(1e-6 * (1 + length(truth.data)));
      }
    }),
    { numRuns: 30 },
  );
});
