import { describe, expect, test } from "vitest";
import {
  add,
  adjoint,
  compose,
  damped,
  dense,
  functionOperator,
  type LinearOperator,
  lowRank,
  type Progress,
  preconditioner,
  quadraticForms,
  scale,
  submatrix,
  subtract,
} from "../../src/linalg/index.ts";
import type { Matrix } from "../../src/tensors/index.ts";
import { counted, formed } from "./knownOperators.ts";
import { product, randomMatrix, randomSpd, relativeDifference, transposed } from "./randomMatrices.ts";

/** `x' M x` of the columns, as the diagonal of `X' M X`. */
function reference(M: Matrix, X: Matrix): Float64Array {
  const { data } = product(transposed(X), product(M, X));
  return Float64Array.from({ length: X.columns }, (_, k) => data[k * (X.columns + 1)]!);
}

/** Dense operator with forms of its own. */
const own = (M: Matrix) => formed(dense(M));
/** Dense operator that has neither forms nor several products at once. */
const plain = (M: Matrix): LinearOperator => {
  const { shape, dtype, symmetric, psd, matvec } = dense(M);
  return { shape, dtype, symmetric, psd, matvec };
};

const [M, N] = [randomMatrix(7, 7, 1), randomMatrix(7, 7, 2)];
const X = randomMatrix(7, 4, 3);

describe("quadraticForms", () => {
  test("are those of the matrix, symmetric or not, by its own forms, one product after another, or all at once", async () => {
    const A = own(M);
    for (const B of [A, plain(M), counted(plain(M), { matmat: true })]) {
      expect(relativeDifference(await quadraticForms(B, X), reference(M, X))).toBeLessThan(1e-13);
    }
    expect(A.counts).toEqual({ forms: 4, products: 0 });
    const several = counted(plain(M), { matmat: true });
    await quadraticForms(several, X);
    expect([several.count(), several.calls()]).toEqual([4, 1]);
  });

  test("add up in float64 where operator and vectors are float32", async () => {
    const n = 4000;
    const single: LinearOperator = {
      shape: [n, n],
      dtype: "float32",
      symmetric: true,
      psd: true,
      matvec: async (x) => Float32Array.from(x),
    };
    const x = new Float32Array(n).fill(0.1);
    const [form] = await quadraticForms(single, { rows: n, columns: 1, data: x });
    expect(Math.abs(form! / (n * Math.fround(0.1) ** 2) - 1)).toBeLessThan(1e-13);
  });

  test("tell progress after each product, pass the signal on, and stop where it says so", async () => {
    const told: Progress[] = [];
    await quadraticForms(plain(M), X, { onProgress: (progress) => told.push(progress) });
    expect(told).toEqual([1, 2, 3, 4].map((done) => ({ stage: "quadraticForms", done, total: 4 })));
    const controller = new AbortController();
    const { signal } = controller;
    const stops: LinearOperator = {
      ...plain(M),
      async matvec(x, options) {
        expect(options?.signal).toBe(signal);
        controller.abort();
        return x;
      },
    };
    await expect(quadraticForms(stops, X, { signal })).rejects.toThrow(/aborted after 1 of 4 products/);
    const A = own(M);
    await expect(quadraticForms(A, X, { signal })).rejects.toThrow(/aborted after 0 of 4 products/);
    expect(A.counts.forms).toBe(0);
  });

  test("refuse an operator that is not square, columns of another length, and forms that are not one a column", async () => {
    await expect(quadraticForms(dense(randomMatrix(3, 7, 1)), X)).rejects.toThrow(
      "quadraticForms expects a square operator, got shape [3, 7]; compose it with its adjoint to make one",
    );
    await expect(quadraticForms(own(M), randomMatrix(6, 2, 1))).rejects.toThrow(/expects a matrix of 7 rows/);
    const wrong = (forms: unknown): LinearOperator => ({
      ...own(M),
      quadraticForms: async () => forms as Float64Array,
    });
    await expect(quadraticForms(wrong(new Float64Array(3)), X)).rejects.toThrow(
      "quadraticForms expected the operator's quadraticForms to give a Float64Array of 4 numbers, one a column, got 3 in a Float64Array; correct it",
    );
    await expect(quadraticForms(wrong(new Float32Array(4)), X)).rejects.toThrow(/got 4 in a Float32Array; correct it$/);
    await expect(quadraticForms(wrong(undefined), X)).rejects.toThrow(/got undefined; correct it$/);
  });
});

describe("forms of operators made from others", () => {
  const plus = (f: (m: number, n: number) => number) => ({
    ...M,
    data: Float64Array.from(M.data, (m, i) => f(m, N.data[i]!)),
  });
  const indices = [5, 0, 5, 2];
  const entries = Float64Array.from(indices.flatMap((j) => indices.map((i) => M.data[j * 7 + i]!)));
  const made: Record<string, readonly [build: (A: LinearOperator) => LinearOperator, M: Matrix]> = {
    damped: [(A) => damped(A, -0.5), plus((m) => m)],
    scale: [(A) => scale(A, -3), plus((m) => -3 * m)],
    "add, with forms of one term": [(A) => add(A, plain(N)), plus((m, n) => m + n)],
    "add, with forms of the other term": [(A) => add(plain(N), A), plus((m, n) => m + n)],
    subtract: [(A) => subtract(A, own(N)), plus((m, n) => m - n)],
    "subtract, from one without": [(A) => subtract(plain(N), A), plus((m, n) => n - m)],
    "submatrix, with an index twice": [(A) => submatrix(A, indices), { rows: 4, columns: 4, data: entries }],
  };
  for (let i = 0; i < 7; i++) made.damped![1].data[8 * i] = M.data[8 * i]! - 0.5;

  test.each(Object.keys(made))(
    "%s: as of the dense matrix, without products of the part that has them",
    async (name) => {
      const [build, dense] = made[name]!;
      const A = own(M);
      const B = build(A);
      const Y = randomMatrix(dense.rows, 3, 4);
      expect(relativeDifference(await B.quadraticForms!(Y), reference(dense, Y))).toBeLessThan(1e-13);
      expect(A.counts).toEqual({ forms: 3, products: 0 });
    },
  );

  test("are absent where no part has any, of a submatrix that is not principal, and of a product", () => {
    const A = plain(M);
    for (const B of [damped(A, 1), scale(A, 2), add(A, A), subtract(A, A), submatrix(A, [1, 2])]) {
      expect(B.quadraticForms).toBeUndefined();
    }
    expect(submatrix(own(M), { rows: [1, 2], columns: [2, 1] }).quadraticForms).toBeUndefined();
    expect(compose(own(M), own(M)).quadraticForms).toBeUndefined();
  });

  test("of functions are the given function, of the transpose the same", async () => {
    const [forward, backward] = [dense(M), adjoint(dense(M))];
    const quadraticForm = (x: ArrayLike<number>) => {
      let form = 0;
      for (let j = 0; j < 7; j++) for (let i = 0; i < 7; i++) form += x[i]! * M.data[j * 7 + i]! * x[j]!;
      return form;
    };
    const parts = { matvec: forward.matvec, adjoint: backward.matvec, quadraticForm };
    const A = functionOperator({ shape: [7, 7], ...parts });
    const told: Progress[] = [];
    const forms = await A.quadraticForms!(X, { onProgress: (progress) => told.push(progress) });
    expect(relativeDifference(forms, reference(M, X))).toBeLessThan(1e-13);
    expect(told).toEqual([1, 2, 3, 4].map((done) => ({ stage: "quadraticForms", done, total: 4 })));
    expect(await adjoint(A).quadraticForms!(X)).toEqual(forms);
    await expect(A.quadraticForms!(X, { signal: AbortSignal.abort() })).rejects.toThrow(/after 0 of 4 quadratic forms/);
    await expect(A.quadraticForms!(randomMatrix(3, 1, 1))).rejects.toThrow(/expects a matrix of 7 rows/);
    expect(() => functionOperator({ shape: [3, 7], matvec: forward.matvec, quadraticForm })).toThrow(
      /functionOperator with quadraticForm expects a square operator, got shape \[3, 7\]/,
    );
    const vector = functionOperator({ ...parts, shape: [7, 7], quadraticForm: (x) => x as never });
    await expect(vector.quadraticForms!(X)).rejects.toThrow(
      "functionOperator expects quadraticForm to give a number, got object; give x' A x of its argument",
    );
  });

  test("of low-rank operators and of inverses are those of their products", async () => {
    const U = randomMatrix(7, 3, 5);
    const weights = Float64Array.of(2, -1, 0.5);
    const A = lowRank(U, weights);
    const spd = dense(randomSpd(7, 6), { psd: true });
    for (const B of [A, A.inverse!({ damping: 3 }), spd.inverse!({ damping: 0.1 }), preconditioner(spd)]) {
      const byProducts = await quadraticForms(plain(await toMatrix(B)), X);
      expect(relativeDifference(await B.quadraticForms!(X), byProducts)).toBeLessThan(1e-12);
      await expect(B.quadraticForms!(randomMatrix(3, 1, 1))).rejects.toThrow(/expects a matrix of 7 rows/);
    }
    expect(lowRank(U, weights, { V: randomMatrix(7, 3, 6) }).quadraticForms).toBeUndefined();
  });
});

/** The matrix of an operator, by products with unit vectors. */
async function toMatrix(A: LinearOperator): Promise<Matrix> {
  const [rows, columns] = A.shape;
  const data = new Float64Array(rows * columns);
  for (let j = 0; j < columns; j++) {
    data.set(await A.matvec(Float64Array.from({ length: columns }, (_, i) => Number(i === j))), j * rows);
  }
  return { rows, columns, data };
}
