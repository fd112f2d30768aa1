import fc from "fast-check";
import { expect, test } from "vitest";
import {
  add,
  cgInverse,
  checkAdjoint,
  checkPsd,
  checkSymmetric,
  compose,
  damped,
  dense,
  functionOperator,
  identity,
  type LinearOperator,
  matmat,
  neumannInverse,
  quadraticForms,
  scale,
  solve,
  solverInverse,
  submatrix,
  toDense,
} from "../../src/linalg/index.ts";
import { column, type Vector } from "../../src/tensors/index.ts";
import { expressions, hasAdjoint, matrixFunction } from "./algebraExpressions.ts";
import { brokenMatmats, brokenMatvecs, returningItsArgument, unusualMatvecs } from "./foreignOperators.ts";
import { randomMatrix, randomSpd, transposed } from "./randomMatrices.ts";

// An operator has read its input when it returns its promise, keeps and changes nothing of it, and gives memory of its own.

fc.configureGlobal({ seed: 1 });

const close = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  expect(a.length).toBe(b.length);
  const size = 1 + Math.hypot(...Array.from(b));
  for (let i = 0; i < b.length; i++) expect(Math.abs(a[i]! - b[i]!)).toBeLessThanOrEqual(1e-9 * size);
};

/** Three queued products of one buffer, which is written over after each call. */
async function queued(A: LinearOperator, inputs: readonly Vector[]): Promise<Vector[]> {
  const buffer = inputs[0]!.slice();
  const promises = inputs.map((x) => {
    buffer.set(x);
    const promise = A.matvec(buffer);
    expect(buffer).toEqual(x);
    return promise;
  });
  buffer.fill(Number.NaN);
  const results = await Promise.all(promises);
  expect(new Set([buffer, ...results].map(({ buffer: memory }) => memory)).size).toBe(inputs.length + 1);
  return results;
}

const inputsOf = (n: number, seed: number) => [0, 1, 2].map((k) => randomMatrix(n, 1, 3 * seed + k).data);

test("queued products of one buffer are those of what was in it at each call", () =>
  fc.assert(
    fc.asyncProperty(expressions(false), fc.nat(1000), async ({ A, M }, seed) => {
      const inputs = inputsOf(M.columns, seed);
      for (const [k, y] of (await queued(A, inputs)).entries()) close(y, matrixFunction(M)(inputs[k]!));
      if (!hasAdjoint(A) || !A.adjoint) return;
      const others = inputsOf(M.rows, seed + 1);
      const results = await queued(A.adjoint(), others);
      for (const [k, y] of results.entries()) close(y, matrixFunction(transposed(M))(others[k]!));
    }),
    { numRuns: 200 },
  ));

test("products of several columns and quadratic forms have read theirs as well", () =>
  fc.assert(
    fc.asyncProperty(expressions(true), fc.nat(1000), async ({ A, M }, seed) => {
      const X = randomMatrix(M.columns, 3, seed);
      const buffer = { ...X, data: X.data.slice() };
      const promises = [
        A.matmat?.(buffer),
        A.quadraticForms?.(buffer),
        matmat(A, buffer),
        quadraticForms(A, buffer),
      ] as const;
      expect(buffer.data).toEqual(X.data);
      buffer.data.fill(Number.NaN);
      const [own, ownForms, together, forms] = await Promise.all(promises);
      for (let k = 0; k < 3; k++) {
        const y = matrixFunction(M)(column(X, k));
        const form = y.reduce((sum, value, i) => sum + value * column(X, k)[i]!, 0);
        if (own) close(column(own, k), y);
        if (ownForms) close([ownForms[k]!], [form]);
        close(column(together, k), y);
        close([forms[k]!], [form]);
      }
    }),
    { numRuns: 200 },
  ));

test("a function of a functionOperator has a copy, which it may read late, change and return", async () => {
  const late = functionOperator({
    shape: [3, 3],
    async matvec(x) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      for (let i = 0; i < 3; i++) x[i] = 2 * x[i]!;
      return x;
    },
  });
  const inputs = inputsOf(3, 5);
  for (const [k, y] of (await queued(late, inputs)).entries())
    close(
      y,
      inputs[k]!.map((value) => 2 * value),
    );
});

// Functions beside the iterative methods, whose contract is tested with theirs.

const n = 6;
const b = () => randomMatrix(n, 1, 4).data;
const A = dense(randomSpd(n, 3), { psd: true });

const functions: Readonly<Record<string, (B: LinearOperator) => Promise<unknown>>> = {
  matmat: (B) => matmat(B, randomMatrix(n, 5, 1)),
  toDense: (B) => toDense(B, { columnsAtOnce: 2 }),
  quadraticForms: (B) => quadraticForms(B, randomMatrix(n, 5, 1)),
  checkSymmetric: (B) => checkSymmetric(B, { seed: 1 }),
  checkAdjoint: (B) => checkAdjoint(B, { seed: 1 }),
  checkPsd: (B) => checkPsd(B, { seed: 1 }),
  solve: (B) => solve(B, b()),
  cgInverse: (B) => cgInverse(B).matvec(b()),
  solverInverse: (B) => solverInverse(B).matvec(b()),
  neumannInverse: (B) => neumannInverse(B, { terms: 9, seed: 1 }).matvec(b()),
};

/** Functions that make their products one by one, whatever the operator has. */
const ONE_BY_ONE = ["checkPsd", "solve", "cgInverse", "solverInverse", "neumannInverse"];

/** Without closed forms, by which some would do without products. */
function productsOnly({ shape, dtype, symmetric, psd, matvec }: LinearOperator): LinearOperator {
  return { shape, dtype, symmetric, psd, matvec };
}

for (const [name, call] of Object.entries(functions)) {
  test.each(Object.entries(brokenMatvecs))(`${name} refuses products that are %s`, async (_, { of, message }) => {
    await expect(call(of(productsOnly(A)))).rejects.toThrow(message);
  });
  test(`${name} takes products that share an array without overlapping`, async () => {
    const expected = await call(productsOnly(A));
    for (const of of Object.values(unusualMatvecs)) expect(await call(of(productsOnly(A)))).toEqual(expected);
  });
}

for (const [name, call] of Object.entries(functions).filter(([name]) => !ONE_BY_ONE.includes(name))) {
  test.each(Object.entries(brokenMatmats))(
    `${name} refuses products at once that are %s`,
    async (kind, { of, message }) => {
      const B = of(productsOnly(A));
      const twice = async () => {
        await call(B);
        return call(B);
      };
      await expect(kind.includes("each time") ? twice() : call(B)).rejects.toThrow(message);
    },
  );
}

test("an identity may return its argument", async () => {
  const I = returningItsArgument(n);
  const X = randomMatrix(n, 3, 2);
  expect((await matmat(I, X)).data).toEqual(X.data);
  const x = b();
  for (const B of [compose(I, I), add(I, scale(I, 0)), damped(I, 0), submatrix(I, [0, 1, 2, 3, 4, 5])]) {
    const y = await B.matvec(x);
    expect(y).toEqual(x);
    expect(y.buffer).not.toBe(x.buffer);
  }
});

test("numbers that are not finite are refused where a function hands them on", async () => {
  const poisoned: LinearOperator = {
    ...productsOnly(identity(3)),
    matvec: async (x) => (x[1] === 1 ? Float64Array.of(0, 1, Number.NaN) : x.slice()),
  };
  const X = { rows: 3, columns: 2, data: Float64Array.of(1, 0, 0, 0, 1, 0) };
  const remedy = "look for overflow in the operator and try float64";
  await expect(toDense(poisoned)).rejects.toThrow(
    `toDense expected finite products, got NaN at entry 2 of product 2; ${remedy}`,
  );
  await expect(matmat(poisoned, X)).rejects.toThrow(
    `matmat expected finite products, got NaN at entry 2 of product 2; ${remedy}`,
  );
  await expect(quadraticForms(poisoned, X)).rejects.toThrow(
    `quadraticForms expected finite products, got NaN at quadratic form 2; ${remedy}`,
  );
  await expect(matmat(poisoned, X)).rejects.toMatchObject({ code: "numeric" });
});

test("operators of the algebra refuse broken products of their operands, and pass NaN on to who asked", async () => {
  const B = productsOnly(A);
  for (const { of, message } of Object.values(brokenMatvecs)) {
    for (const make of [
      (C: LinearOperator) => compose(C, B),
      (C: LinearOperator) => compose(B, C),
      (C: LinearOperator) => add(B, C),
      (C: LinearOperator) => add(C, B),
      (C: LinearOperator) => scale(C, 2),
      (C: LinearOperator) => damped(C, 2),
      (C: LinearOperator) => submatrix(C, [0, 1]),
    ]) {
      const broken = make(of(B));
      const x = randomMatrix(broken.shape[1], 1, 1).data;
      const thrice = async () => [await broken.matvec(x), await broken.matvec(x), await broken.matvec(x)];
      await expect(thrice()).rejects.toThrow(message);
    }
  }
  const nan = { ...B, matvec: async () => new Float64Array(n).fill(Number.NaN) };
  expect(await add(nan, B).matvec(b())).toEqual(new Float64Array(n).fill(Number.NaN));
});
