import { describe, expect, test } from "vitest";
import {
  add,
  adjoint,
  compose,
  damped,
  dense,
  diagonal,
  functionOperator,
  identity,
  type LinearOperator,
  lowRank,
  matmat,
  scale,
  submatrix,
  subtract,
} from "../../src/linalg/index.ts";
import type { Vector } from "../../src/tensors/index.ts";
import { randomMatrix, randomSpd } from "./randomMatrices.ts";

const oneWay = (rows: number, columns: number): LinearOperator =>
  functionOperator({ shape: [rows, columns], matvec: () => new Float64Array(rows) });

describe("errors at construction", () => {
  const A = dense(randomMatrix(2, 3, 12));
  test("name both shapes", () => {
    expect(() => add(A, identity(3))).toThrow("add expects operators of equal shapes, got [2, 3] and [3, 3]");
    expect(() => subtract(A, identity(3))).toThrow("subtract expects operators of equal shapes, got [2, 3] and [3, 3]");
    expect(() => compose(A, A)).toThrow(
      /compose expects the second operator to have as many rows .* got \[2, 3\] and \[2, 3\]/,
    );
    expect(() => compose(A, dense(randomMatrix(3, 1, 0)), { symmetric: true })).toThrow(
      /compose expects a square shape/,
    );
    expect(() => damped(A, 1)).toThrow(/damped expects a square operator, got shape \[2, 3\]/);
  });

  test("say what scalars and counts have to be", () => {
    expect(() => scale(A, Number.NaN)).toThrow("scale expects factor to be a finite number, got NaN");
    expect(() => damped(identity(2), Number.POSITIVE_INFINITY)).toThrow(
      "damped expects damping to be a finite number, got Infinity",
    );
    expect(() => identity(0)).toThrow(/identity expects n to be a positive integer, got 0/);
    expect(() => diagonal(new Float64Array(0))).toThrow("diagonal expects a vector of at least 1 entry, got 0");
    expect(() => diagonal(Float64Array.of(1, Number.NaN))).toThrow(
      /diagonal expects finite entries, got NaN at entry 1/,
    );
    expect(() => lowRank(randomMatrix(3, 2, 0), Float64Array.of(1))).toThrow(/as U has columns, 2, got 1 and 2/);
    expect(() => lowRank(randomMatrix(3, 1, 0), Float64Array.of(1), { V: randomMatrix(3, 2, 0) })).toThrow(
      /got 1 and 2/,
    );
    expect(() => add({} as LinearOperator, A)).toThrow(/add expects an operator with shape/);
  });

  test("name the index that is out of range", () => {
    expect(() => submatrix(A, { rows: [0, 2] })).toThrow(
      "submatrix expects rows to be integers from 0 to 1, got 2 at position 1",
    );
    expect(() => submatrix(A, { columns: [0.5] })).toThrow("columns to be integers from 0 to 2, got 0.5 at position 0");
    expect(() => submatrix(A, { columns: [] })).toThrow(
      "submatrix expects at least one index in columns, got an empty list",
    );
  });

  test("say that there is no adjoint", () => {
    expect(() => adjoint(oneWay(2, 3))).toThrow(
      /adjoint expects an operator that is symmetric or has adjoint\(\), got one of shape \[2, 3\]/,
    );
    expect(add(oneWay(2, 3), A).adjoint).toBeUndefined();
  });
});

describe("errors of products", () => {
  const A = dense(randomMatrix(2, 2, 13));
  const operators: [string, LinearOperator][] = [
    ["a sum", add(A, A)],
    ["a multiple", scale(A, 2)],
    ["a damped operator", damped(A, 1)],
    ["a product of operators", compose(A, A)],
    ["a submatrix", submatrix(A, [0, 1])],
    ["an identity", identity(2)],
    ["a diagonal", diagonal(Float64Array.of(1, 2))],
    ["a dense operator", A],
    ["a low-rank operator", lowRank(randomMatrix(2, 1, 0), Float64Array.of(1))],
    ["a function", oneWay(2, 2)],
    ["the inverse of a dense operator", dense(randomSpd(2, 0)).inverse!({ damping: 1 })],
  ];
  test.each(operators)("name the length that %s expects", async (name, operator) => {
    await expect(operator.matvec(new Float64Array(3))).rejects.toThrow(
      `matvec of ${name} [2, 2] expects a Float32Array or Float64Array of 2 entries, got 3 entries in a Float64Array`,
    );
    await expect(operator.matvec([1, 2] as unknown as Vector)).rejects.toThrow("of 2 entries, got object");
    const wrong = { rows: 3, columns: 1, data: new Float64Array(3) };
    await expect(matmat(operator, wrong)).rejects.toThrow(/expects a matrix of 2 rows.* got 3 x 1 with 3 entries/);
    if (operator.matmat) await expect(operator.matmat(wrong)).rejects.toMatchObject({ code: "shape" });
  });

  test("name what a function gave instead of a vector", async () => {
    const give = (y: unknown) =>
      functionOperator({ shape: [2, 1], matvec: () => y as Vector }).matvec(Float64Array.of(1));
    await expect(give(new Float64Array(1))).rejects.toThrow(
      /shape \[2, 1\] expects its function to give .* of 2 entries, got 1 entries/,
    );
    await expect(give([1, 2])).rejects.toThrow(/got an Array/);
    await expect(give(undefined)).rejects.toThrow(/got undefined/);
  });

  test("functionOperator checks its options", () => {
    const matvec = (x: Vector) => x;
    expect(() => functionOperator({ shape: [2, 3], matvec, symmetric: true })).toThrow(/expects a square shape/);
    expect(() => functionOperator({ shape: [2, 2], matvec, symmetric: false, psd: true })).toThrow(
      /leave symmetric out/,
    );
    expect(() => functionOperator({ shape: [2.5, 2], matvec })).toThrow(
      /functionOperator expects an operator with shape/,
    );
    expect(functionOperator({ shape: [2, 2], matvec, psd: true }).symmetric).toBe(true);
  });
});
