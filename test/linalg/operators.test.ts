import { describe, expect, test } from "vitest";
import {
  add,
  adjoint,
  compose,
  damped,
  dense,
  diagonal,
  functionOperator,
  hostArithmetic,
  identity,
  type LinearOperator,
  lowRank,
  matmat,
  scale,
  submatrix,
  subtract,
  toDense,
} from "../../src/linalg/index.ts";
import type { Matrix, Vector } from "../../src/tensors/index.ts";
import { operatorOf } from "./knownOperators.ts";
import {
  diagonalMatrix,
  product,
  randomMatrix,
  randomSpd,
  randomSymmetric,
  relativeDifference,
  transposed,
} from "./randomMatrices.ts";

const columnMatrix = (x: Vector): Matrix => ({ rows: x.length, columns: 1, data: x });

describe("structure passes on", () => {
  const spd = dense(randomSpd(5, 1), { psd: true });
  const symmetric = dense(randomSymmetric(5, 2));
  const flags = ({ symmetric, psd }: LinearOperator) => ({ symmetric, psd });

  test("through sums, multiples, damping and principal submatrices", () => {
    expect(flags(add(spd, spd))).toEqual({ symmetric: true, psd: true });
    expect(flags(add(spd, symmetric))).toEqual({ symmetric: true, psd: false });
    expect(flags(subtract(spd, spd))).toEqual({ symmetric: true, psd: false });
    expect(flags(scale(spd, 2))).toEqual({ symmetric: true, psd: true });
    expect(flags(scale(spd, -2))).toEqual({ symmetric: true, psd: false });
    expect(flags(damped(spd, 1))).toEqual({ symmetric: true, psd: true });
    expect(flags(damped(spd, -1))).toEqual({ symmetric: true, psd: false });
    expect(flags(submatrix(spd, [3, 1]))).toEqual({ symmetric: true, psd: true });
    expect(flags(submatrix(spd, { rows: [3, 1], columns: [3, 1] }))).toEqual({ symmetric: true, psd: true });
    expect(flags(submatrix(spd, { rows: [3, 1], columns: [1, 3] }))).toEqual({ symmetric: false, psd: false });
    expect(flags(submatrix(spd, { rows: [0] }))).toEqual({ symmetric: false, psd: false });
    expect(flags(compose(spd, spd))).toEqual({ symmetric: false, psd: false });
    expect(flags(compose(spd, spd, { psd: true }))).toEqual({ symmetric: true, psd: true });
    expect(adjoint(spd)).toBe(spd);
  });

  test("with what is known exactly, so that it costs no products", async () => {
    const M = randomSpd(5, 3);
    const A = dense(M, { psd: true });
    const exact = damped(scale(A, 2), 0.5);
    const reference = damped(scale(dense(M), 2), 0.5);
    expect(await exact.trace!()).toBeCloseTo(2 * (await A.trace!()) + 2.5, 12);
    const D = await toDense(reference);
    const N = await toDense(exact.inverse!({ damping: 0.25 }));
    const shifted = await toDense(damped(reference, 0.25));
    expect(relativeDifference(product(shifted, N).data, diagonalMatrix([1, 1, 1, 1, 1]).data)).toBeLessThan(1e-12);
    expect(await exact.diagonal!()).toEqual(Float64Array.from({ length: 5 }, (_, i) => D.data[6 * i]!));
    for (const B of [
      identity(5),
      diagonal(Float64Array.of(1, 2, 3, 4, 5)),
      lowRank(randomMatrix(5, 2, 4), Float64Array.of(1, 2)),
    ]) {
      const C = scale(damped(B, 1), 3);
      expect(C.diagonal && C.trace && C.inverse && C.logdet).toBeTypeOf("function");
    }
    expect(scale(A, -1).inverse).toBeUndefined();
  });

  test("with the trace of one that knows only its diagonal", async () => {
    const A = {
      ...operatorOf(new Float64Array(9), { symmetric: false }),
      diagonal: async () => Float64Array.of(1, 2, 3),
    };
    expect(await add(A, identity(3)).trace!()).toBe(9);
    expect(await scale(A, 2).trace!()).toBe(12);
    expect(await damped(A, 2).trace!()).toBe(12);
    expect(add(A, operatorOf(new Float64Array(9), { symmetric: false })).trace).toBeUndefined();
  });

  test("with the arithmetic of an operand that has the same vectors", () => {
    const A = { ...spd, arithmetic: hostArithmetic };
    expect(add(spd, A).arithmetic).toBe(hostArithmetic);
    expect(damped(A, 1).arithmetic).toBe(hostArithmetic);
    expect(scale(A, 1).arithmetic).toBe(hostArithmetic);
    expect(compose(A, A).arithmetic).toBe(hostArithmetic);
    expect(submatrix(A, [0]).arithmetic).toBeUndefined();
    expect(compose(dense(randomMatrix(3, 5, 5)), A).arithmetic).toBeUndefined();
  });
});

describe("precision", () => {
  const M = randomSpd(6, 6);
  const single = dense({ ...M, data: Float32Array.from(M.data) }, { psd: true });
  const double = dense(M, { psd: true });

  test("of results is what dtype says, whatever the input", async () => {
    const operators: LinearOperator[] = [
      single,
      add(single, single),
      add(single, double),
      scale(single, 2),
      damped(single, 1),
      compose(single, double),
      compose(double, single),
      submatrix(single, [1, 2]),
      identity(6, { dtype: "float32" }),
      diagonal(Float32Array.of(1, 2, 3, 4, 5, 6)),
      lowRank({ ...M, data: Float32Array.from(M.data) }, new Float64Array(6).fill(1)),
      single.inverse!({ damping: 1 }),
      functionOperator({ shape: [6, 6], matvec: (x) => x, dtype: "float32" }),
    ];
    for (const A of operators) {
      for (const x of [new Float32Array(A.shape[1]).fill(1), new Float64Array(A.shape[1]).fill(1)]) {
        const kind = A.dtype === "float32" ? Float32Array : Float64Array;
        const y = await A.matvec(x);
        expect(y).toBeInstanceOf(kind);
        expect(y).not.toBe(x);
        expect((await matmat(A, { rows: x.length, columns: 1, data: x })).data).toBeInstanceOf(kind);
        if (A.diagonal) expect(await A.diagonal()).toBeInstanceOf(kind);
      }
    }
    expect(operators.map((A) => A.dtype)).toEqual([
      ...["float32", "float32", "float64", "float32", "float32", "float32", "float64", "float32", "float32", "float32"],
      ...["float32", "float32", "float32"],
    ]);
  });

  test("of float32 products is that of one rounding", async () => {
    const x = randomMatrix(6, 1, 7).data;
    const exact = product({ ...M, data: Float32Array.from(M.data) }, columnMatrix(x)).data;
    expect(relativeDifference(await single.matvec(x), exact)).toBeLessThan(1e-7);
  });
});

describe("inverse and logdet", () => {
  test("refuse a singular matrix", async () => {
    const singular = dense(diagonalMatrix([1, 0]));
    await expect(singular.inverse!({ damping: 0 }).matvec(new Float64Array(2))).rejects.toThrow(
      "a dense operator plus damping has to be nonsingular for its inverse and positive definite for its logdet, got eigenvalue 0 with damping 0; raise the damping",
    );
    await expect(singular.logdet!({ damping: 0 })).rejects.toMatchObject({ code: "numeric" });
    await expect(dense(diagonalMatrix([1, -1])).logdet!({ damping: 0.5 })).rejects.toThrow(
      /got eigenvalue -1 with damping 0.5/,
    );
    const L = lowRank(randomMatrix(4, 1, 8), Float64Array.of(1));
    expect(() => L.inverse!({ damping: 0 })).toThrow(
      /a low-rank operator plus damping .* got eigenvalue 0 with damping 0/,
    );
    await expect(L.logdet!({ damping: 0 })).rejects.toThrow(/got eigenvalue 0/);
    const D = diagonal(Float64Array.of(1, -2));
    expect(() => D.inverse!({ damping: 2 })).toThrow(
      "a diagonal plus damping has to be nonzero everywhere, got 0 at entry 1; raise the damping",
    );
    await expect(D.logdet!({ damping: 1 })).rejects.toThrow("has to be positive everywhere, got -1 at entry 1");
    expect(() => identity(2).inverse!({ damping: -1 })).toThrow(/the identity plus damping .* got damping -1/);
    await expect(identity(2).logdet!({ damping: -2 })).rejects.toThrow(/got damping -2/);
  });

  test("refuse damping that is not finite", async () => {
    const message = /expects damping to be a finite number, got NaN/;
    for (const A of [
      identity(2),
      diagonal(Float64Array.of(1, 2)),
      dense(randomSpd(2, 0)),
      lowRank(randomMatrix(2, 1, 0), Float64Array.of(1)),
    ]) {
      expect(() => A.inverse!({ damping: Number.NaN })).toThrow(message);
      await expect(A.logdet!({ damping: Number.NaN })).rejects.toThrow(message);
    }
  });

  test("of an indefinite matrix with damping inside its spectrum", async () => {
    const A = dense(diagonalMatrix([3, -1]));
    const N = await toDense(A.inverse!({ damping: 0.5 }));
    expect(relativeDifference(N.data, diagonalMatrix([1 / 3.5, -2]).data)).toBeLessThan(1e-14);
    expect(A.inverse!({ damping: 0.5 }).psd).toBe(false);
  });

  test("of a low-rank operator with as many factors as rows needs no damping", async () => {
    const U = randomMatrix(3, 5, 9);
    const A = lowRank(U, new Float64Array(5).fill(1));
    const N = await toDense(A.inverse!({ damping: 0 }));
    expect(relativeDifference(product(product(U, transposed(U)), N).data, diagonalMatrix([1, 1, 1]).data)).toBeLessThan(
      1e-11,
    );
  });
});

describe("dense", () => {
  test("checks symmetry exactly unless told", async () => {
    const M = randomSymmetric(4, 10);
    const noisy = { ...M, data: M.data.map((value, at) => value * (1 + at * 1e-9)) };
    expect(dense(M).symmetric).toBe(true);
    expect(dense(noisy).symmetric).toBe(false);
    const averaged = await toDense(dense(noisy, { symmetric: true }));
    expect(averaged.data).toEqual(transposed(averaged).data);
    expect(relativeDifference(averaged.data, M.data)).toBeLessThan(1e-7);
    expect(dense(M, { symmetric: false }).symmetric).toBe(false);
  });

  test("refuses what is not as declared", () => {
    expect(() => dense(randomMatrix(3, 3, 11), { symmetric: true })).toThrow(/dense expects a symmetric matrix/);
    expect(() => dense(randomMatrix(3, 2, 11), { psd: true })).toThrow(
      "dense expects a square shape where symmetric is true, got [3, 2]",
    );
    expect(() => dense(randomSpd(2, 0), { symmetric: false, psd: true })).toThrow(
      /expects symmetric to be true where psd is/,
    );
    expect(() => dense({ rows: 0, columns: 1, data: new Float64Array(0) })).toThrow(/at least 1 x 1/);
  });
});

test("products never change or keep their input", async () => {
  const A = functionOperator({ shape: [3, 3], matvec: (x) => x, symmetric: true });
  const x = Float64Array.of(1, 2, 3);
  for (const B of [
    A,
    add(A, A),
    subtract(A, A),
    scale(A, 2),
    damped(A, 1),
    compose(A, A),
    submatrix(A, [0, 1, 2]),
    identity(3),
  ]) {
    (await B.matvec(x)).fill(7);
    (await matmat(B, columnMatrix(x))).data.fill(7);
    expect(x).toEqual(Float64Array.of(1, 2, 3));
  }
});

test("diagonal copies its entries", async () => {
  const d = Float64Array.of(1, 2);
  const A = diagonal(d);
  d.fill(9);
  (await A.diagonal!()).fill(9);
  expect(await A.matvec(Float64Array.of(1, 1))).toEqual(Float64Array.of(1, 2));
});
