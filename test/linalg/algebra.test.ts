import fc from "fast-check";
import { expect, test } from "vitest";
import { CurvatureError } from "../../src/errors/index.ts";
import * as linalg from "../../src/linalg/index.ts";
import { adjoint, damped, eigh, toDense } from "../../src/linalg/index.ts";
import { stream } from "../../src/random/index.ts";
import {
  build,
  type Expression,
  expressions,
  frobenius,
  hasAdjoint,
  inverseOf,
  matrixFunction,
  multipleOfIdentity,
  rules,
  zip,
} from "./algebraExpressions.ts";
import { product, randomMatrix, relativeDifference, transposed } from "./randomMatrices.ts";

fc.configureGlobal({ seed: 1 });

/** Largest difference, relative to what rounding in a sum of such products can be. */
const close = (a: ArrayLike<number>, b: ArrayLike<number>, size: number) => {
  expect(a.length).toBe(b.length);
  for (let i = 0; i < b.length; i++) expect(Math.abs(a[i]! - b[i]!)).toBeLessThanOrEqual(1e-11 * (1 + size));
};

test("products, one or several at once, are those of the dense matrix", () =>
  fc.assert(
    fc.asyncProperty(expressions(false), fc.nat(), async ({ A, M }, seed) => {
      expect(A.shape).toEqual([M.rows, M.columns]);
      close((await toDense(A)).data, M.data, frobenius(M));
      close((await toDense(A, { columnsAtOnce: 2 })).data, M.data, frobenius(M));
      const x = randomMatrix(M.columns, 1, seed).data;
      const before = x.slice();
      const y = await A.matvec(x);
      expect(y).toBeInstanceOf(Float64Array);
      close(y, matrixFunction(M)(x), frobenius(M) * 10);
      expect(x).toEqual(before);
      y.fill(Number.NaN);
      close(await A.matvec(Float32Array.from(x)), matrixFunction(M)(Float32Array.from(x)), frobenius(M) * 10);
    }),
    { numRuns: 300 },
  ));

test("the adjoint's products are those of the transpose", () =>
  fc.assert(
    fc.asyncProperty(expressions(false), async ({ A, M }) => {
      if (!hasAdjoint(A)) {
        expect(() => adjoint(A)).toThrow(/symmetric or has adjoint/);
        return;
      }
      const At = adjoint(A);
      expect(At.shape).toEqual([M.columns, M.rows]);
      close((await toDense(At)).data, transposed(M).data, frobenius(M));
      close((await toDense(adjoint(At))).data, M.data, frobenius(M));
      if (A.adjoint) close((await toDense(A.adjoint())).data, transposed(M).data, frobenius(M));
    }),
    { numRuns: 200 },
  ));

async function checkStructure({ A, M }: Expression): Promise<void> {
  const n = M.rows;
  const size = frobenius(M);
  if (A.psd) expect(A.symmetric).toBe(true);
  if (A.symmetric) close(M.data, transposed(M).data, size);
  if (A.psd) expect((await eigh(M)).values[0]).toBeGreaterThan(-1e-10 * (1 + size));
  const diagonalEntries = Array.from({ length: Math.min(n, M.columns) }, (_, i) => M.data[i * n + i]!);
  if (A.quadraticForms) {
    const X = randomMatrix(n, 2, 3);
    const forms = product(transposed(X), product(M, X)).data;
    close(await A.quadraticForms(X), [forms[0]!, forms[3]!], 100 * size);
  }
  if (A.diagonal) close(await A.diagonal(), diagonalEntries, size);
  if (A.trace) close([await A.trace()], [diagonalEntries.reduce((x, y) => x + y, 0)], size);
}

test("what is claimed of an operator holds for its matrix", () =>
  fc.assert(fc.asyncProperty(expressions(true), checkStructure), { numRuns: 500 }));

/** What an operator knows; undefined where it says that it does not know it for this damping. */
async function known<T>(work: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CurvatureError && error.code === "unsupported") return undefined;
    throw error;
  }
}

test("inverse and logdet are those of the damped dense matrix, and claim nothing wrong", async () => {
  let exact = 0;
  await fc.assert(
    fc.asyncProperty(expressions(true), fc.constantFrom(0, 1, 100), async ({ A, M }, factor) => {
      const n = M.rows;
      // Without damping only of a matrix that is far from singular.
      const { values } = A.psd ? await eigh(M) : { values: [0] };
      const definite = values[0]! > 1e-2 * values[values.length - 1]!;
      const damping = factor === 0 && definite ? 0 : (factor || 1) * (1 + 2 * frobenius(M));
      const D = zip(M, multipleOfIdentity(n, damping), (x, y) => x + y);
      const inverse = A.inverse && (await known(() => A.inverse!({ damping })));
      if (inverse) {
        const N = await toDense(inverse);
        expect(relativeDifference(product(D, N).data, multipleOfIdentity(n, 1).data)).toBeLessThan(1e-9);
        await checkStructure({ A: inverse, M: { ...N, data: Float64Array.from(N.data) }, text: "" });
      }
      const logdet = A.logdet && (await known(() => A.logdet!({ damping })));
      if (logdet !== undefined) {
        const reference = (await eigh(D)).values.reduce((total, value) => total + Math.log(value), 0);
        expect(Math.abs(logdet - reference)).toBeLessThan(1e-9 * (n + Math.abs(reference)));
        if (damping === 0) exact++;
      }
    }),
    { numRuns: 300 },
  );
  expect(exact).toBeGreaterThan(5);
});

const solved = { tolerance: 1e-11, matvecs: 5000 };

test("solvers and eigensolvers agree with the dense matrix of any symmetric expression", () =>
  fc.assert(
    fc.asyncProperty(expressions(true), fc.nat(), async ({ A, M }, seed) => {
      fc.pre(A.symmetric && frobenius(M) > 1e-3);
      const n = M.rows;
      const size = frobenius(M);
      const b = randomMatrix(n, 1, seed).data;
      const { values } = await eigh(M);
      const top = await linalg.eigsh(A, { k: 1, seed, tolerance: 1e-10 });
      expect(top.status, top.message).toBe("converged");
      close(top.values, values.slice(n - 1), size);
      const largest = Math.max(...values.map(Math.abs));
      const { norm, upperBound } = await linalg.spectralNorm(A, { seed, tolerance: 1e-9 });
      expect(norm).toBeLessThanOrEqual(largest * (1 + 1e-9) + 1e-12);
      expect(upperBound).toBeGreaterThanOrEqual(largest * (1 - 1e-9));
      // Positive definite by damping, and indefinite but far from singular by a shift between eigenvalues.
      const positive = 0.5 * size - Math.min(values[0]!, 0);
      const definite = zip(M, multipleOfIdentity(n, positive), (x, y) => x + y);
      const truth = matrixFunction(inverseOf(definite))(b);
      for (const method of ["cg", "minres", "minresQlp", "gmres", "bicgstab", "lsmr", "cgls"] as const) {
        const { x, status, message } = await linalg.solve(damped(A, positive), b, { method, ...solved });
        expect(status, `${method}: ${message}`).toBe("converged");
        expect(relativeDifference(x, truth)).toBeLessThan(1e-7);
      }
    }),
    { numRuns: 150 },
  ));

test("least squares and singular values agree with the dense matrix of any expression", () =>
  fc.assert(
    fc.asyncProperty(expressions(false), fc.constantFrom(0.3, 2), fc.nat(), async ({ A, M }, damping, seed) => {
      const size = frobenius(M);
      fc.pre(hasAdjoint(A) && size > 1e-3);
      const b = randomMatrix(M.rows, 1, seed).data;
      const shift = damping * size * size;
      const normal = zip(product(transposed(M), M), multipleOfIdentity(M.columns, shift), (x, y) => x + y);
      const truth = matrixFunction(inverseOf(normal))(matrixFunction(transposed(M))(b));
      for (const method of [linalg.lsmr, linalg.cgls]) {
        const { x, status, message } = await method(A, b, { damping: shift, ...solved });
        expect(status, message).toBe("converged");
        close(x, truth, 1e3 * (1 + frobenius({ rows: x.length, columns: 1, data: truth })));
      }
      const { values, status, message } = await linalg.svds(A, { k: 1, seed, tolerance: 1e-9 });
      expect(status, message).toBe("converged");
      const squares = (await eigh(product(transposed(M), M))).values;
      expect(Math.abs(values[0]! ** 2 - squares[squares.length - 1]!)).toBeLessThan(1e-8 * size * size);
    }),
    { numRuns: 150 },
  ));

test("random expressions cover every rule and many of them are symmetric", () => {
  const draws = stream(0, "coverage");
  const all = Array.from({ length: 500 }, () => build({ rows: 4, columns: 4, depth: 2, draws }));
  const text = all.map((expression) => expression.text).join(" ");
  for (const name of Object.keys(rules)) expect(text).toContain(`${name}(`);
  expect(all.filter(({ A }) => A.symmetric).length).toBeGreaterThan(100);
  expect(all.filter(({ A }) => A.psd).length).toBeGreaterThan(30);
  expect(all.filter(({ A }) => A.inverse).length).toBeGreaterThan(30);
  expect(all.filter(({ A }) => A.quadraticForms).length).toBeGreaterThan(50);
});
