import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CgOptions, type CgState, cg, cgSteps, damped, type LinearOperator } from "../../src/linalg/index.ts";
import type { Vector } from "../../src/tensors/index.ts";
import {
  counted,
  distance,
  geometric,
  length,
  randomVector,
  range,
  rotated,
  spectral,
  trueResidual,
} from "./knownOperators.ts";

/** Jacobi preconditioner for a diagonal. */
const inverseOf = (d: ArrayLike<number>): LinearOperator => ({
  shape: [d.length, d.length],
  dtype: "float64",
  symmetric: true,
  psd: true,
  matvec: async (x) => Float64Array.from(x, (value, i) => value / d[i]!),
});

describe("cg solves", () => {
  const spectra: Readonly<Record<string, Float64Array>> = {
    flat: range(80, (i) => 1 + i / 80),
    geometric: geometric(60, 0.85),
    "one outlier": range(100, (i) => (i === 0 ? 1e4 : 1)),
    repeated: range(90, (i) => [4, 4, 1][i % 3]!),
    clustered: range(50, (i) => 1 + 1e-6 * i),
    "size 1": Float64Array.of(5),
    "size 2": Float64Array.of(5, 0.1),
  };
  for (const [name, values] of Object.entries(spectra)) {
    test(name, async () => {
      const A = counted(rotated(values));
      const b = randomVector(values.length, 2);
      const result = await cg(A, b, { tolerance: 1e-10 });
      expect(result.status, result.message).toBe("converged");
      const truth = spectral(values, b, (value) => 1 / value);
      const condition = Math.max(...values) / Math.min(...values);
      expect(distance(result.x, truth)).toBeLessThanOrEqual(1e-10 * condition * length(truth) + 1e-13);
      expect(Math.abs(result.residualNorm - (await trueResidual(A, result.x, b)))).toBeLessThan(1e-12);
      expect(result.residualNorm).toBeLessThanOrEqual(1e-10 * length(b));
      expect(A.count()).toBe(result.matvecs + 1);
    });
  }

  test("a singular system whose right-hand side is in the range, to the solution of least norm", async () => {
    const values = range(60, (i) => (i < 20 ? 1 + i : 0));
    const b = spectral(values, randomVector(60, 3), (value) => value);
    const result = await cg(rotated(values), b, { tolerance: 1e-10 });
    expect(result.status, result.message).toBe("converged");
    expect(
      distance(
        result.x,
        spectral(values, b, (value) => (value > 0 ? 1 / value : 0)),
      ),
    ).toBeLessThan(1e-8);
  });

  test("b = 0 without a product, and in as many steps as there are distinct eigenvalues", async () => {
    const values = range(90, (i) => [4, 2, 1][i % 3]!);
    expect(await cg(rotated(values), new Float64Array(90))).toMatchObject({
      status: "converged",
      matvecs: 0,
      residualNorm: 0,
    });
    expect((await cg(rotated(values), randomVector(90, 1), { tolerance: 1e-12 })).matvecs).toBe(3 + 1);
  });

  test("from a start: one product for it, none more where it solves already", async () => {
    const values = geometric(40, 0.9);
    const b = randomVector(40, 5);
    const truth = spectral(values, b, (value) => 1 / value);
    const A = counted(rotated(values));
    expect(await cg(A, b, { x0: truth, tolerance: 1e-10 })).toMatchObject({ status: "converged", matvecs: 1 });
    expect(A.count()).toBe(1);
    const cold = await cg(rotated(values), b, { tolerance: 1e-10 });
    const near = truth.map((x) => x * (1 + 1e-6));
    const warm = await cg(rotated(values), b, { x0: near, tolerance: 1e-10 });
    expect(warm.status).toBe("converged");
    expect(warm.matvecs).toBeLessThan(cold.matvecs);
  });

  test("with a preconditioner in fewer products", async () => {
    const scales = geometric(120, 1.1);
    const inner = rotated(range(120, (i) => 1 + i / 240));
    const times = (x: Vector) => Float64Array.from(x, (value, i) => value * Math.sqrt(scales[i]!));
    const A: LinearOperator = { ...inner, matvec: async (x) => times(await inner.matvec(times(x))) };
    const b = randomVector(120, 8);
    const plain = await cg(A, b, { tolerance: 1e-8, matvecs: 3000 });
    const M = counted(inverseOf(scales));
    const preconditioned = await cg(A, b, { tolerance: 1e-8, preconditioner: M });
    expect(preconditioned.status, preconditioned.message).toBe("converged");
    expect(preconditioned.matvecs).toBeLessThan(plain.matvecs / 4);
    expect(M.count()).toBeLessThanOrEqual(preconditioned.matvecs);
    expect(await trueResidual(A, preconditioned.x, b)).toBeLessThanOrEqual(1e-8 * length(b) * 1.001);
  });

  test("float32 operators, to a tolerance that fits them", async () => {
    const b = randomVector(60, 1);
    const values = range(60, (i) => 1 + i);
    const result = await cg(rotated(values, { dtype: "float32" }), b);
    expect(result.status, result.message).toBe("converged");
    expect(result.x).toBeInstanceOf(Float32Array);
    expect(
      distance(
        result.x,
        spectral(values, b, (value) => 1 / value),
      ),
    ).toBeLessThan(1e-3);
  });

  test("any positive definite system, by property", async () => {
    const cases = fc.tuple(
      fc.array(fc.double({ min: 0.1, max: 10, noNaN: true }), { minLength: 1, maxLength: 12 }),
      fc.nat(),
    );
    await fc.assert(
      fc.asyncProperty(cases, async ([values, seed]) => {
        const b = randomVector(values.length, seed);
        const result = await cg(rotated(values), b, { tolerance: 1e-9 });
        expect(result.status, result.message).toBe("converged");
        expect(
          distance(
            result.x,
            spectral(values, b, (value) => 1 / value),
          ),
        ).toBeLessThan(1e-6 * (1 + length(b)));
      }),
      { numRuns: 60 },
    );
  });
});

describe("cg says what is wrong", () => {
  test("indefinite: negative curvature with its direction, and the best x before", async () => {
    const values = range(50, (i) => (i === 0 ? -0.5 : 1 + i));
    const A = rotated(values);
    const b = randomVector(50, 1);
    const result = await cg(A, b);
    expect(result.status).toBe("indefinite");
    expect(result.message).toMatch(
      /^A has negative curvature -\d.*; add damping, take a positive semidefinite matrix, or descend along direction$/,
    );
    const Ad = await A.matvec(result.direction!);
    const curvature = Array.from(Ad).reduce((so, y, i) => so + y * result.direction![i]!, 0);
    expect(curvature).toBeLessThan(0);
    expect(result.curvature).toBeCloseTo(curvature, 12);
    expect(length(result.direction!)).toBeCloseTo(1, 12);
    expect(result.residualNorm).toBeCloseTo(await trueResidual(A, result.x, b), 10);
  });

  test("a negative definite matrix at the first step, with direction b", async () => {
    const b = randomVector(10, 1);
    const result = await cg(rotated(range(10, () => -2)), b);
    expect(result).toMatchObject({ status: "indefinite", matvecs: 1 });
    expect(result.residualNorm).toBeCloseTo(length(b), 12);
    expect(result.curvature).toBeCloseTo(-2, 12);
    expect(
      distance(
        result.direction!,
        b.map((x) => x / length(b)),
      ),
    ).toBeLessThan(1e-14);
  });

  test("breakdown: the zero matrix", async () => {
    const result = await cg(rotated(range(10, () => 0)), randomVector(10, 1));
    expect(result).toMatchObject({ status: "breakdown", matvecs: 1 });
    expect(result.message).toMatch(/^A has curvature zero along the search direction: it is singular;.*; add damping/);
  });

  test("a singular system that has no solution never counts as converged", async () => {
    for (const dtype of ["float64", "float32"] as const) {
      const A = rotated(
        range(40, (i) => (i < 20 ? 1 + i : 0)),
        { dtype },
      );
      const b = randomVector(40, 1);
      const result = await cg(A, b);
      expect(["breakdown", "stagnated", "indefinite"]).toContain(result.status);
      const outside = spectral(
        range(40, (i) => (i < 20 ? 1 : 0)),
        b,
        (value) => 1 - value,
      );
      expect(result.residualNorm).toBeGreaterThan(0.99 * length(outside));
      expect(result.residualNorm).toBeLessThan(2 * length(b));
    }
  });

  test("stagnated: a tolerance that rounding does not allow", async () => {
    const values = geometric(40, 0.7);
    for (const [dtype, tolerance] of [
      ["float32", 1e-10],
      ["float64", 0],
    ] as const) {
      const A = rotated(values, { dtype });
      const b = randomVector(40, 1);
      const result = await cg(A, b, { tolerance });
      expect(result.status, result.message).toBe("stagnated");
      expect(result.message).toMatch(
        /residual norm \S+ \(\S+ \|\|b\|\|\) after \d+ steps, .* asked for; loosen tolerance, or use a float64 operator; checkSymmetric tells .*$/,
      );
      const residual = await trueResidual(A, result.x, Float64Array.from(b));
      expect(Math.abs(result.residualNorm - residual)).toBeLessThan(dtype === "float32" ? 1e-3 : 1e-10);
    }
  });

  test("a preconditioner that is not positive definite", async () => {
    const M = inverseOf(range(10, () => -1));
    const result = await cg(rotated(range(10, () => 2)), randomVector(10, 1), { preconditioner: M });
    expect(result.status).toBe("breakdown");
    expect(result.message).toMatch(
      /^the preconditioner gives r' M r = -.*: it is not positive definite; .*positive definite preconditioner$/,
    );
  });

  test("a preconditioner whose products are not finite", async () => {
    const M = inverseOf(range(10, () => 0));
    const result = await cg(rotated(range(10, () => 2)), randomVector(10, 1), { preconditioner: M });
    expect(result.status).toBe("nonfinite");
    expect(result.message).toMatch(/^product 1 of the preconditioner of cg has entries that are infinite or NaN;/);
  });

  test("budget: never exceeded, with the true residual of the best x, every recompute included", async () => {
    const values = geometric(80, 0.8);
    const b = randomVector(80, 1);
    for (const options of [
      { matvecs: 1 },
      { matvecs: 2 },
      { matvecs: 7 },
      { matvecs: 12, recompute: 3 },
      { matvecs: 9, x0: b, recompute: 1 },
    ]) {
      const A = counted(rotated(values));
      const result = await cg(A, b, { tolerance: 1e-12, ...options });
      expect(result.status).toBe("budget");
      expect(A.count()).toBe(result.matvecs);
      expect(result.matvecs).toBeLessThanOrEqual(options.matvecs);
      expect(Math.abs(result.residualNorm - (await trueResidual(A, result.x, b)))).toBeLessThan(1e-12);
      expect(result.message).toMatch(/asked for; raise matvecs, loosen tolerance, add damping or a preconditioner$/);
    }
  });

  test("one product a step, one more every `recompute` steps, one at the end", async () => {
    const b = randomVector(60, 1);
    const steps = async (options: CgOptions) => {
      const { matvecs, message } = await cg(rotated(range(60, (i) => 1 + i)), b, { tolerance: 1e-8, ...options });
      return [matvecs, Number(/after (\d+) steps/.exec(message)![1])] as const;
    };
    const [plain, made] = await steps({ recompute: 1000 });
    expect(plain).toBe(made + 1);
    const [often, again] = await steps({ recompute: 5 });
    expect(often).toBe(again + Math.floor(again / 5) + (again % 5 === 0 ? 0 : 1));
  });

  test("vectors that do not fit", async () => {
    const A = rotated(range(10, () => 2));
    await expect(cg(A, new Float64Array(9))).rejects.toThrow(
      "cg expects b to be a Float32Array or Float64Array of 10 entries as the operator has columns, got 9 entries",
    );
    await expect(cg(A, new Float64Array(10), { x0: new Float64Array(3) })).rejects.toThrow("cg expects x0 to be");
    await expect(cg(A, new Float64Array(10), { preconditioner: inverseOf([1]) })).rejects.toThrow(
      "cg (preconditioner) expects b to be",
    );
    await expect(cg(A, new Float64Array(10), { recompute: 0 })).rejects.toThrow(
      "cg expects recompute to be a positive integer, got 0",
    );
  });
});

describe("cg and the vectors it holds", () => {
  const A = rotated(geometric(700, 0.97));
  const b = randomVector(700, 3);
  const x0 = randomVector(700, 4);

  test("writes over its own alone: not over b, x0, a state, or what the operator was given", async () => {
    const states: CgState[] = [];
    const copies: CgState[] = [];
    const steps = cgSteps(A, b, { x0, matvecs: 40, recompute: 7 });
    let next = await steps.next();
    while (!next.done) {
      states.push(next.value);
      copies.push(structuredClone(next.value));
      next = await steps.next();
    }
    expect(states).toEqual(copies);
    const [bBefore, xBefore] = [b.slice(), x0.slice()];
    const whole = await cg(A, b, { x0, matvecs: 40, recompute: 7 });
    expect(whole).toEqual(next.value);
    const resumed = await cg(A, b, { x0, matvecs: 40, recompute: 7, state: states[20]! });
    expect(resumed.x).toEqual(whole.x);
    expect(states[20]).toEqual(copies[20]);
    expect([b, x0]).toEqual([bBefore, xBefore]);
  });

  test("an operator that returns its argument is taken at its word", async () => {
    const identity: LinearOperator = { ...A, matvec: async (x) => x };
    expect((await cg(identity, b, { tolerance: 0 })).x).toEqual(b);
    const shifted = await cg(damped(identity, 1), b);
    expect(
      distance(
        shifted.x,
        b.map((value) => value / 2),
      ),
    ).toBeLessThan(1e-14);
  });
});
