import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bicgstab } from "../../src/linalg/bicgstab.ts";
import { cg } from "../../src/linalg/cg.ts";
import { cgBlock } from "../../src/linalg/cgBlock.ts";
import { cgls } from "../../src/linalg/cgls.ts";
import { damped } from "../../src/linalg/damped.ts";
import { cholesky, choleskySolve, qr, svd } from "../../src/linalg/dense/index.ts";
import { dense } from "../../src/linalg/dense.ts";
import { diagonal } from "../../src/linalg/diagonal.ts";
import { explainSolver } from "../../src/linalg/explainSolver.ts";
import { functionOperator } from "../../src/linalg/functionOperator.ts";
import { gmres } from "../../src/linalg/gmres.ts";
import { lowRank } from "../../src/linalg/lowRank.ts";
import { lsmr } from "../../src/linalg/lsmr.ts";
import { minres } from "../../src/linalg/minres.ts";
import { minresQlp } from "../../src/linalg/minresQlp.ts";
import { multiShiftCg } from "../../src/linalg/multiShiftCg.ts";
import type { LinearOperator } from "../../src/linalg/operator.ts";
import { jacobiPreconditioner, preconditioner } from "../../src/linalg/preconditioner.ts";
import { richardson } from "../../src/linalg/richardson.ts";
import { solve } from "../../src/linalg/solve.ts";
import { solverInverse } from "../../src/linalg/solverInverse.ts";
import type { SolverOptions, SolverResult } from "../../src/linalg/solverMethod.ts";
import { steihaug } from "../../src/linalg/steihaug.ts";
import { column, type Vector } from "../../src/tensors/index.ts";
import {
  counted,
  distance,
  failing,
  geometric,
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
      /^b has a part of norm .* outside of the range of A; of the rest: .*; that part is known to half of the digits only, too few for the tolerance; loosen tolerance, or use lsmr$/,
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
    const result = await gmres(A, b, { tolerance: 1e-10, restart: 5 });
    expect(result.status, result.message).toBe("converged");
    const steps = Number(/after (\d+) steps/.exec(result.message)![1]);
    expect(result.matvecs).toBe(steps + Math.ceil(steps / 5));
    const M5 = diagonal(range(n, (i) => 1 / M.data[i * n + i]!));
    const scaled = functionOperator({
      shape: [n, n],
      matvec: async (x) => A.matvec(x.map((v, i) => v * 2 ** (i % 9))),
    });
    const right = diagonal(range(n, (i) => 2 ** -(i % 9)));
    const plain = await gmres(scaled, b, { tolerance: 1e-9, restart: 50 });
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
    expect(await gmres(shift, e1, { restart: 12 })).toMatchObject({ status: "converged" });
    const stalled = await gmres(shift, e1, { restart: 4 });
    expect(stalled.status).toBe("stagnated");
    expect(stalled.message).toMatch(/raise restart, loosen tolerance, or take a preconditioner$/);
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

describe("minres", () => {
  test("with a preconditioner in fewer products, its residual in the Euclidean norm", async () => {
    const values = range(80, (i) => (i % 2 ? -1 : 1) * 1.08 ** i);
    const size = values.map(Math.abs);
    const b = randomVector(80, 3);
    const A = rotated(values);
    const near = dense(
      { rows: 80, columns: 80, data: rotatedMatrix(size.map((x, i) => x * (1 + 0.1 * (i % 3)))) },
      { symmetric: true, psd: true },
    );
    const plain = await minres(A, b, { matvecs: 2000 });
    const better = await minres(A, b, { preconditioner: preconditioner(near) });
    expect(better.status, better.message).toBe("converged");
    expect(better.matvecs).toBeLessThan(plain.matvecs / 3);
    expect(await trueResidual(A, better.x, b)).toBeLessThan(1.01e-8 * length(b));
  });
  test("refuses a preconditioner that is not positive definite", async () => {
    const result = await minres(rotated([1, 2, 3]), randomVector(3, 1), {
      preconditioner: diagonal(Float64Array.of(-1, -1, -1)),
    });
    expect(result.status).toBe("breakdown");
    expect(result.message).toMatch(/^the preconditioner gives r' M r = -.*: it is not positive definite/);
  });
});

describe("multiShiftCg", () => {
  const values = geometric(60, 0.85);
  const b = randomVector(60, 1);
  const dampings = [1e-2, 0.001, 1, 0.1];
  test("solves all dampings with the products of the smallest, and one more each", async () => {
    const A = counted(rotated(values));
    const result = await multiShiftCg(A, b, { dampings });
    expect(result.status, result.message).toBe("converged");
    dampings.forEach((damping, i) => {
      const truth = spectral(values, b, (value) => 1 / (value + damping));
      expect(distance(column(result.x, i), truth)).toBeLessThan(1e-8 * length(b) * (1 / damping));
    });
    const alone = await cg(damped(rotated(values), 0.001), b, { tolerance: 0.5e-8 });
    // Rounding decides a few steps, and how often each of the two has its residual recomputed.
    expect(Math.abs(result.matvecs - dampings.length - (alone.matvecs - 1))).toBeLessThanOrEqual(5);
  });
  test("reports negative curvature with its direction, and refuses dampings that are none", async () => {
    const A = rotated(range(20, (i) => i - 3));
    const result = await multiShiftCg(A, b.slice(0, 20), { dampings: [1, 2] });
    expect(result.status).toBe("indefinite");
    const Ad = await A.matvec(result.direction!);
    const curvature = 1 + Array.from(Ad).reduce((so, y, i) => so + y * result.direction![i]!, 0);
    expect(result.curvature).toBeCloseTo(curvature, 10);
    expect(curvature).toBeLessThan(0);
    expect(result.message).toMatch(/raise the smallest damping$/);
    await expect(multiShiftCg(A, b.slice(0, 20), { dampings: [] })).rejects.toThrow("list of finite numbers, got []");
  });
});

describe("steihaug", () => {
  const g = randomVector(30, 1);
  const model = async (A: LinearOperator, x: Vector) => {
    const Ax = await A.matvec(x);
    return Array.from(x).reduce((so, value, i) => so + value * (g[i]! + Ax[i]! / 2), 0);
  };
  test("inside: the Newton step; at the boundary: no longer than the radius, and better than Cauchy's point", async () => {
    const values = range(30, (i) => 1 + i);
    const A = counted(rotated(values));
    const inside = await steihaug(A, g, { radius: 1e3 });
    expect(inside).toMatchObject({ status: "converged", reached: "interior" });
    expect(A.count()).toBe(inside.matvecs);
    expect(
      distance(
        inside.x,
        spectral(values, g, (value) => -1 / value),
      ),
    ).toBeLessThan(1e-7);
    const edge = await steihaug(rotated(values), g, { radius: 0.5 });
    expect(edge.reached).toBe("boundary");
    expect(length(edge.x)).toBeCloseTo(0.5, 12);
    expect(edge.model).toBeCloseTo(await model(A, edge.x), 12);
    const cauchy = g.map((value) => (-0.5 * value) / length(g));
    expect(edge.model).toBeLessThanOrEqual(await model(A, cauchy));
  });
  test("does not claim a tolerance that rounding cannot hold", async () => {
    const A = rotated(
      range(30, (i) => 1 + i),
      { dtype: "float32" },
    );
    const result = await steihaug(A, g, { radius: 1e3, tolerance: 1e-10 });
    expect(result).toMatchObject({ status: "stagnated", reached: "interior" });
    expect(result.message).toMatch(
      /^rounding in float32 allows no less than about .*, .* is asked for; minimum inside of/,
    );
    const Ax = await rotated(range(30, (i) => 1 + i)).matvec(result.x);
    const residual = length(g.map((value, i) => value + Ax[i]!));
    expect(result.residualNorm).toBeGreaterThan(residual);
    expect(result.residualNorm).toBeLessThan(100 * residual);
  });
  test("follows negative curvature to the boundary", async () => {
    const A = rotated(range(30, (i) => i - 25));
    const result = await steihaug(A, g, { radius: 2 });
    expect(result.reached).toBe("negative curvature");
    expect(length(result.x)).toBeCloseTo(2, 12);
    expect(result.curvature).toBeLessThan(0);
    expect(result.model).toBeCloseTo(await model(A, result.x), 10);
    await expect(steihaug(A, g, { radius: 0 })).rejects.toThrow(
      "steihaug expects radius to be a positive finite number, got 0",
    );
  });
});

describe("cgBlock", () => {
  const values = geometric(50, 0.85);
  const B = randomMatrix(50, 3, 5);
  test("gives what cg gives for each column, with their products made together", async () => {
    const A = counted(rotated(values), { matmat: true });
    const result = await cgBlock(A, B);
    expect(result.status, result.message).toBe("converged");
    expect(A.count()).toBe(result.matvecs);
    expect(A.calls()).toBeLessThan(A.count() / 2);
    for (let k = 0; k < 3; k++) {
      const single = await cg(rotated(values), column(B, k));
      expect(column(result.x, k)).toEqual(single.x);
      expect(result.results[k]!.matvecs).toBe(single.matvecs);
    }
  });
  test("shares its budget, says which column failed, and resumes after a failure", async () => {
    const A = counted(rotated(values), { matmat: true });
    const short = await cgBlock(A, B, { matvecs: 31 });
    expect(short.status).toBe("budget");
    expect(A.count()).toBeLessThanOrEqual(31);
    const indefinite = await cgBlock(rotated(range(50, (i) => i - 5)), B);
    expect(indefinite.status).toBe("indefinite");
    expect(indefinite.message).toMatch(/^\d of 3 right-hand sides are solved; of another: A has negative curvature/);
    const broken = failing(rotated(values), 14, () => {
      throw new RangeError("gone");
    });
    const error = await cgBlock(broken, B).catch((thrown: { state: never }) => thrown);
    const resumed = await cgBlock(rotated(values), B, { state: structuredClone((error as { state: never }).state) });
    expect(resumed).toEqual(await cgBlock(rotated(values), B));
    await expect(cgBlock(A, B, { matvecs: 2 })).rejects.toThrow("at least the number of right-hand sides, 3, got 2");
  });
});

describe("solve", () => {
  const values = geometric(30, 0.85);
  const b = randomVector(30, 2);
  const plain = rotated(values);
  test("picks by what is declared, and explains it", async () => {
    const cases: readonly [LinearOperator, string, RegExp][] = [
      [{ ...plain, psd: true }, "cg", /psd is declared/],
      [plain, "minres", /symmetric is declared but not psd/],
      [{ ...plain, symmetric: false }, "gmres", /square and not symmetric/],
      [diagonal(values), "inverse", /closed form/],
      [dense(randomMatrix(30, 9, 1)), "lsmr", /shape \[30, 9\] is not square/],
    ];
    for (const [A, method, why] of cases) {
      expect(explainSolver(A)).toEqual({ method, why: expect.stringMatching(why) });
      const result = await solve(A, b);
      expect([result.method, result.status], result.message).toEqual([method, "converged"]);
    }
    const bare = functionOperator({ shape: [3, 2], matvec: () => new Float64Array(3) });
    expect(() => explainSolver(bare)).toThrow(/rectangular operator to have adjoint\(\), got one of shape \[3, 2\]/);
  });
  test("takes a damping and a method by name, and refuses others", async () => {
    const { x, method } = await solve(plain, b, { damping: 0.5, method: "bicgstab" });
    expect(method).toBe("bicgstab");
    expect(
      distance(
        x,
        spectral(values, b, (value) => 1 / (value + 0.5)),
      ),
    ).toBeLessThan(1e-7);
    await expect(solve(plain, b, { method: "lu" as "cg" })).rejects.toThrow(
      "solve expects method to be one of inverse,",
    );
    await expect(solve(plain, b, { method: "inverse" })).rejects.toThrow(/expects an operator with inverse\(\)/);
  });
  test("a closed inverse that is not one is found out by its residual", async () => {
    const wrong = { ...diagonal(values), inverse: () => diagonal(values) };
    const result = await solve(wrong, b);
    expect(result.status).toBe("stagnated");
    expect(result.residualNorm).toBeCloseTo(await trueResidual(wrong, result.x, b), 12);
  });
});

describe("solverInverse and preconditioners", () => {
  const values = geometric(30, 0.85);
  const b = randomVector(30, 2);
  const matrix = { rows: 30, columns: 30, data: rotatedMatrix(values) };
  const A = dense(matrix, { symmetric: true, psd: true });
  const logdet = values.reduce((so, value) => so + Math.log(value + 0.1), 0);

  test("the inverse by any method keeps trace and logdet where A knows them", async () => {
    for (const method of ["cg", "minres", "gmres", "lsmr"] as const) {
      const inverse = solverInverse(A, { method, damping: 0.1, tolerance: 1e-11 });
      expect(
        distance(
          await inverse.matvec(b),
          spectral(values, b, (value) => 1 / (value + 0.1)),
        ),
      ).toBeLessThan(1e-8);
      expect(await inverse.logdet!({ damping: 0 })).toBeCloseTo(-logdet, 9);
      expect(await inverse.trace!()).toBeCloseTo(
        values.reduce((so, value) => so + 1 / (value + 0.1), 0),
        8,
      );
      const again = await inverse.inverse!({ damping: 0 }).matvec(b);
      expect(
        distance(
          again,
          spectral(values, b, (value) => value + 0.1),
        ),
      ).toBeLessThan(1e-12);
      expect(() => inverse.inverse!({ damping: 1 })).toThrow(/known for damping 0 only, got 1/);
      await expect(inverse.logdet!({ damping: 1 })).rejects.toThrow(/known for damping 0 only, got 1/);
    }
    expect(solverInverse(rotated(values)).logdet).toBeUndefined();
  });

  test("throws instead of returning a bad vector", async () => {
    await expect(solverInverse(rotated(values), { matvecs: 3 }).matvec(b)).rejects.toThrow(
      /^solverInverse has no solution by minres \(budget\)/,
    );
    await expect(solverInverse(rotated(values)).matvec(b, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "aborted",
    });
  });

  test("preconditioners from any operator with an inverse, with log-determinants", async () => {
    const U = randomMatrix(30, 3, 8);
    for (const P of [diagonal(values), lowRank(U, Float64Array.of(3, 2, 1)), A]) {
      const M = preconditioner(P, { damping: 0.1 });
      const x = await M.matvec(b);
      const back = await damped(P, 0.1).matvec(x);
      expect(distance(back, b)).toBeLessThan(1e-10);
      expect(await M.logdet!({ damping: 0 })).toBeCloseTo(-(await P.logdet!({ damping: 0.1 })), 10);
      await expect(M.logdet!({ damping: 2 })).rejects.toThrow(/known for damping 0 only, got 2/);
    }
    expect(() => preconditioner(rotated(values))).toThrow(/expects an operator with inverse\(\), got one without/);
  });

  test("Jacobi: the diagonal's inverse, with entries that are not positive raised", async () => {
    const M = await jacobiPreconditioner(diagonal(Float64Array.of(4, -1, 2)), { damping: 1 });
    expect(Array.from(await M.matvec(Float64Array.of(1, 1, 1)))).toEqual([1 / 5, 1 / 5, 1 / 3]);
    await expect(jacobiPreconditioner(rotated(values))).rejects.toThrow(/knows its diagonal, got one that does not/);
    await expect(jacobiPreconditioner(rotated([1]), { entries: Float64Array.of(-1) })).rejects.toThrow(
      /a diagonal with a positive entry, got at most 0/,
    );
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
