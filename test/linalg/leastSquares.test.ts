import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { svd } from "../../src/linalg/dense/index.ts";
import {
  cgls,
  cglsSteps,
  dense,
  diagonal,
  functionOperator,
  type LinearOperator,
  lsmr,
  lsmrSteps,
  preconditioner,
  solve,
} from "../../src/linalg/index.ts";
import { runToEnd } from "../../src/linalg/runs/index.ts";
import type { Matrix, Precision } from "../../src/tensors/index.ts";
import { counted, distance, geometric, length, orthogonal, randomVector, range } from "./knownOperators.ts";
import { diagonalMatrix, product, randomMatrix, transposed } from "./randomMatrices.ts";

fc.configureGlobal({ seed: 1 });

// Damped and preconditioned least squares against the singular value decomposition.

const methods = { lsmr, cgls } as const;
type Name = keyof typeof methods;
const names = Object.keys(methods) as Name[];

/** `U diag(values) V'` of m rows and n columns, with random orthonormal U and V. */
function withSingularValues(values: ArrayLike<number>, m: number, n: number) {
  const U = { rows: m, columns: values.length, data: orthogonal(m, 5).slice(0, m * values.length) };
  const V = { rows: n, columns: values.length, data: orthogonal(n, 6).slice(0, n * values.length) };
  return product(product(U, diagonalMatrix(values)), transposed(V));
}

/** `V f(values) U' b` for the decomposition that a dense kernel gives. */
async function filtered(M: Matrix, b: Float64Array, f: (value: number) => number): Promise<Float64Array> {
  const { U, values, V } = await svd(M);
  const shares = product(transposed(U), { rows: b.length, columns: 1, data: b }).data;
  const c = shares.map((share, i) => share * f(values[i]!));
  return product(V, { rows: c.length, columns: 1, data: c }).data;
}

const multiplied = (M: Matrix, x: Float64Array) => product(M, { rows: x.length, columns: 1, data: x }).data;

/** Norms of the residual and of the gradient `A' (b - A x) - damping x`, computed here. */
function normsAt(M: Matrix, { b, x, damping }: { b: Float64Array; x: Float64Array; damping: number }) {
  const Ax = multiplied(M, x);
  const residual = b.map((value, i) => value - Ax[i]!);
  const gradient = multiplied(transposed(M), residual).map((value, i) => value - damping * x[i]!);
  return { residual: length(residual), gradient: length(gradient) };
}

const shapes: Readonly<Record<string, Matrix & { data: Float64Array }>> = {
  tall: withSingularValues(geometric(20, 0.8), 60, 20),
  wide: withSingularValues(geometric(20, 0.8), 20, 60),
  "tall, rank deficient": withSingularValues(
    range(20, (i) => (i < 8 ? 8 - i : 0)),
    50,
    20,
  ),
  "wide, rank deficient": withSingularValues(
    range(20, (i) => (i < 8 ? 8 - i : 0)),
    20,
    50,
  ),
  square: withSingularValues(geometric(30, 0.85), 30, 30),
  "one column": randomMatrix(7, 1, 1),
  "one row": randomMatrix(1, 7, 1),
  zero: diagonalMatrix(new Float64Array(5)),
};

describe.each(names)("%s with damping", (name) => {
  test.each(Object.entries(shapes))("%s: min ||b - A x||^2 + damping ||x||^2", async (_, M) => {
    const b = randomVector(M.rows, 3);
    for (const damping of [1e-3, 0.5, 40]) {
      const truth = await filtered(M, b, (value) => value / (value * value + damping));
      const result = await methods[name](dense(M), b, { damping, tolerance: 1e-12 });
      expect(result.status, result.message).toBe("converged");
      expect(distance(result.x, truth)).toBeLessThan(1e-8);
      const { residual, gradient } = normsAt(M, { b, x: Float64Array.from(result.x), damping });
      expect(Math.abs(result.residualNorm - residual)).toBeLessThan(1e-12 * length(b));
      // Where A' b is zero the run ends before a product is made for the gradient.
      expect(Math.abs((result.normalResidualNorm ?? 0) - gradient)).toBeLessThan(1e-12 * length(b));
    }
  });

  test("two products a step, one at the start and two at the end, as without", async () => {
    const M = shapes.tall!;
    const b = randomVector(60, 3);
    const adjointCount = counted(dense(transposed(M)));
    const A = counted({ ...dense(M), adjoint: () => adjointCount });
    const result = await methods[name](A, b, { damping: 0.1 });
    const steps = Number(/after (\d+) steps/.exec(result.message)![1]);
    expect(result.matvecs).toBe(2 * steps + 1 + 2);
    expect(A.count() + adjointCount.count()).toBe(result.matvecs);
    expect(result.message).toMatch(
      /^sqrt\(\|\|r\|\|\^2 \+ damping \|\|x\|\|\^2\) .*, \|\|A' r - damping x\|\| .* after/,
    );
  });

  test("goes on from x0 to the same minimizer, and in float32", async () => {
    const M = shapes.tall!;
    const b = randomVector(60, 3);
    const truth = await filtered(M, b, (value) => value / (value * value + 0.1));
    const warm = await methods[name](dense(M), b, { damping: 0.1, x0: randomVector(20, 8), tolerance: 1e-12 });
    expect(distance(warm.x, truth)).toBeLessThan(1e-9);
    const single = { ...M, data: Float32Array.from(M.data) };
    const rounded = await methods[name](dense(single), b, { damping: 0.1, tolerance: 1e-6 });
    expect(rounded.status, rounded.message).toBe("converged");
    expect(rounded.x).toBeInstanceOf(Float32Array);
    expect(distance(rounded.x, truth)).toBeLessThan(1e-3);
  });

  test("an aborted run still tells ||b - A x|| of the x that it gives", async () => {
    const M = shapes.tall!;
    const b = randomVector(60, 3);
    const controller = new AbortController();
    const onProgress = ({ done }: { done: number }) => {
      if (done > 8) controller.abort();
    };
    const result = await methods[name](dense(M), b, { damping: 0.1, signal: controller.signal, onProgress });
    expect(result.status).toBe("aborted");
    const { residual } = normsAt(M, { b, x: Float64Array.from(result.x), damping: 0.1 });
    expect(Math.abs(result.residualNorm - residual)).toBeLessThan(1e-10);
  });

  test("refuses dampings that are none, and operators whose products do not fit", async () => {
    const M = dense(shapes.tall!);
    for (const damping of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      await expect(methods[name](M, randomVector(60, 1), { damping })).rejects.toThrow(
        `${name} expects damping to be zero or a positive finite number, got ${damping}`,
      );
    }
    await expect(methods[name](M, randomVector(9, 1), { damping: 1 })).rejects.toThrow(
      `${name} expects b to be a Float32Array or Float64Array of 60 entries as the operator has rows, got 9 entries`,
    );
    const oneWay = functionOperator({ shape: [60, 20], matvec: () => new Float64Array(60) });
    await expect(methods[name](oneWay, randomVector(60, 1), { damping: 1 })).rejects.toThrow(/adjoint/);
    const short = {
      ...M,
      adjoint: () => ({ ...dense(randomMatrix(20, 60, 1)), matvec: async () => new Float64Array(3) }),
    };
    await expect(methods[name](short, randomVector(60, 1), { damping: 1 })).rejects.toThrow(
      "expected products of 20 entries as the operator's shape says, got 3; correct its shape or matvec",
    );
  });
});

/** `A' A + damping I`, its diagonal changed by a few tenths. */
function nearGram(M: Matrix, damping: number): Matrix {
  const gram = product(transposed(M), M);
  const n = gram.rows;
  for (let i = 0; i < n; i++) gram.data[i * n + i]! += damping + 0.2 * gram.data[i * n + i]! * ((i % 3) / 2);
  return gram;
}

describe.each(names)("%s with a preconditioner", (name) => {
  const scales = geometric(40, 1.25);
  const inner = withSingularValues(
    range(40, (i) => 1 + i / 80),
    90,
    40,
  );
  const M = { ...inner, data: inner.data.map((value, at) => value * scales[Math.floor(at / 90)]!) };
  const b = randomVector(90, 2);

  test.each([0, 0.5])("solves in far fewer products, damping %f", async (damping) => {
    const truth = await filtered(M, b, (value) => value / (value * value + damping));
    const P = counted(preconditioner(dense(nearGram(M, damping), { symmetric: true, psd: true })));
    const plain = await methods[name](dense(M), b, { damping, tolerance: 1e-12 });
    const better = await methods[name](dense(M), b, { damping, tolerance: 1e-12, preconditioner: P });
    expect(better.status, better.message).toBe("converged");
    expect(better.matvecs).toBeLessThan(plain.matvecs / 2);
    expect(distance(better.x, truth)).toBeLessThan(1e-10 * length(truth));
    const { residual, gradient } = normsAt(M, { b, x: Float64Array.from(better.x), damping });
    expect(Math.abs(better.residualNorm - residual)).toBeLessThan(1e-12 * length(b));
    expect(Math.abs(better.normalResidualNorm! - gradient)).toBeLessThan(1e-9);
    expect(P.count()).toBeLessThanOrEqual(better.matvecs / 2 + 2);
  });

  test("the exact inverse of A' A solves in one step", async () => {
    const gram = product(transposed(M), M);
    const exact = preconditioner(dense(gram, { symmetric: true, psd: true }));
    const result = await methods[name](dense(M), b, { preconditioner: exact, tolerance: 1e-6 });
    expect(result.status, result.message).toBe("converged");
    expect(result.message).toMatch(/after 1 steps/);
  });

  test("of many minimizers finds the one of least x' M^-1 x", async () => {
    const wide = withSingularValues(
      range(6, (i) => 1 + i),
      10,
      25,
    );
    const weights = range(25, (i) => 1 + (i % 4));
    const right = randomVector(10, 4);
    const P = diagonal(weights);
    const result = await methods[name](dense(wide), right, { preconditioner: P, tolerance: 1e-12 });
    expect(result.status, result.message).toBe("converged");
    // x = W y with W^2 = M and y the shortest minimizer of ||b - A W y||.
    const root = weights.map(Math.sqrt);
    const scaled = { ...wide, data: wide.data.map((value, at) => value * root[Math.floor(at / 10)]!) };
    const y = await filtered(scaled, right, (value) => (value > 1e-8 ? 1 / value : 0));
    const truth = y.map((value, i) => value * root[i]!);
    expect(distance(result.x, truth)).toBeLessThan(1e-9);
  });

  test("a float64 preconditioner serves a float32 operator", async () => {
    const single: LinearOperator = dense({ ...M, data: Float32Array.from(M.data) });
    const P = preconditioner(dense(nearGram(M, 0), { symmetric: true, psd: true }));
    const result = await methods[name](single, b, { preconditioner: P });
    expect(result.status, result.message).toBe("converged");
    expect(result.x).toBeInstanceOf(Float32Array);
  });

  test("says when it is not positive definite, not finite, or does not fit", async () => {
    const negative = await methods[name](dense(M), b, { preconditioner: diagonal(new Float64Array(40).fill(-1)) });
    expect(negative.status).toBe("breakdown");
    expect(negative.message).toMatch(
      /^the preconditioner gives g' M g = -.*: it is not positive definite;.*; take a positive definite preconditioner, or none$/,
    );
    const lost = await methods[name](dense(M), b, {
      preconditioner: { ...diagonal(scales), matvec: async (x) => x.slice().fill(Number.NaN) },
    });
    expect(lost.status).toBe("nonfinite");
    expect(lost.message).toContain(`product 1 of the preconditioner of ${name} has entries that are infinite or NaN`);
    await expect(
      methods[name](dense(M), b, { preconditioner: diagonal(new Float64Array(90).fill(1)) }),
    ).rejects.toThrow(
      `${name} expects a preconditioner of shape [40, 40], as many rows as A has columns, got [90, 90]; make it from`,
    );
    await expect(
      methods[name](dense(M), b, { preconditioner: { ...diagonal(scales), symmetric: false } }),
    ).rejects.toThrow(`${name} (preconditioner) expects a symmetric operator`);
  });

  test("resumes with damping and preconditioner to the same bits after any step", async () => {
    const steps = { lsmr: lsmrSteps, cgls: cglsSteps }[name];
    const P = preconditioner(dense(nearGram(M, 0), { symmetric: true, psd: true }));
    const options = { damping: 0.3, preconditioner: P, tolerance: 1e-12 };
    const undisturbed = await runToEnd(steps(dense(M), b, options));
    let saved = 0;
    for await (const state of steps(dense(M), b, options)) {
      const copy = structuredClone(state) as never;
      expect(await runToEnd(steps(dense(M), b, { ...options, state: copy }))).toEqual(undisturbed);
      saved++;
    }
    expect(saved).toBeGreaterThan(4);
  });
});

test("solve damps the normal equations of a rectangular operator, and a square one itself", async () => {
  const M = shapes.tall!;
  const b = randomVector(60, 3);
  const truth = await filtered(M, b, (value) => value / (value * value + 0.2));
  for (const method of ["lsmr", "cgls"] as const) {
    const { x } = await solve(dense(M), b, { method, damping: 0.2, tolerance: 1e-12 });
    expect(distance(x, truth)).toBeLessThan(1e-9);
  }
  const square = await solve(dense(diagonalMatrix([1, 3])), Float64Array.of(2, 2), { method: "lsmr", damping: 1 });
  expect(distance(square.x, [1, 0.5])).toBeLessThan(1e-12);
});

test("any rectangular system, by property: both methods agree with the decomposition", () =>
  fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 0, max: 3 }),
      fc.constantFrom(0, 0.1, 3),
      fc.constantFrom<Precision>("float64", "float32"),
      fc.nat(),
      async (m, n, lost, damping, dtype, seed) => {
        const rank = Math.max(Math.min(m, n) - lost, 0);
        const M = product(randomMatrix(m, Math.max(rank, 1), seed), randomMatrix(Math.max(rank, 1), n, seed + 1));
        const all = (await svd(M)).values;
        const top = all[0]!;
        const kept = all.filter((value) => value > 1e-9 * top);
        fc.pre(kept[kept.length - 1]! > 0.05 * top);
        const data = dtype === "float32" ? Float32Array.from(M.data) : M.data;
        const b = randomVector(m, seed);
        const solution = await filtered(M, b, (value) => (value > 1e-9 * top ? value / (value * value + damping) : 0));
        for (const name of names) {
          const tolerance = dtype === "float32" ? {} : { tolerance: 1e-11 };
          const { x, status, message } = await methods[name](dense({ ...M, data }), b, { damping, ...tolerance });
          expect(status, message).toBe("converged");
          const allowed = (dtype === "float32" ? 0.1 : 1e-7) * (1 + length(solution));
          expect(distance(x, solution)).toBeLessThan(allowed);
        }
      },
    ),
    { numRuns: 80 },
  ));
