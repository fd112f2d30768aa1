import { describe, expect, test } from "vitest";
import { nystrom, randomizedSvd } from "../../src/linalg/index.ts";
import { haarMatrix } from "./haar.ts";
import { counted, distance, geometric, length, operatorOf, randomVector, range, rotated } from "./knownOperators.ts";
import { product, randomMatrix, transposed } from "./randomMatrices.ts";

const total = (values: ArrayLike<number>) => Array.from(values).reduce((so, x) => so + x, 0);
const tail = (values: Float64Array, k: number) => length(values.subarray(k));
const columnsOf = ({ rows, columns, data }: { rows: number; columns: number; data: ArrayLike<number> }) =>
  product(transposed({ rows, columns, data: Float64Array.from(data) }), {
    rows,
    columns,
    data: Float64Array.from(data),
  });
const offIdentity = (gram: { rows: number; data: Float64Array }) =>
  Math.max(...gram.data.map((x, at) => Math.abs(x - (at % (gram.rows + 1) === 0 ? 1 : 0))));

/** Singular values `geometric(columns, ratio)` in random bases. */
function rectangular(rows: number, columns: number, ratio: number) {
  const values = geometric(columns, ratio);
  const left = haarBasis(rows).subarray(0, rows * columns);
  const scaled = left.map((x, at) => x * values[Math.floor(at / rows)]!);
  const dense = product({ rows, columns, data: scaled }, { rows: columns, columns, data: haarBasis(columns) });
  const A = {
    ...operatorOf(dense.data, { rows, symmetric: false }),
    adjoint: () => operatorOf(transposed(dense).data, { rows: columns, symmetric: false }),
  };
  return { values, dense, A };
}

/** Orthonormal columns, by Gram and Schmidt twice. */
function haarBasis(n: number): Float64Array {
  const { data } = randomMatrix(n, n, 8);
  for (let k = 0; k < n; k++) {
    const q = data.subarray(k * n, (k + 1) * n);
    for (let pass = 0; pass < 2; pass++) {
      for (let j = 0; j < k; j++) {
        const p = data.subarray(j * n, (j + 1) * n);
        const share = q.reduce((so, x, i) => so + x * p[i]!, 0);
        for (let i = 0; i < n; i++) q[i] = q[i]! - share * p[i]!;
      }
    }
    const size = length(q);
    for (let i = 0; i < n; i++) q[i] = q[i]! / size;
  }
  return data;
}

describe("nystrom", () => {
  const values = geometric(100, 0.8, 2);
  const dense = haarMatrix(values);
  const A = operatorOf(dense);

  test("is as good as the best approximation within a small factor, and its eigenpairs are orthonormal lower bounds", async () => {
    for (const rank of [5, 15, 30]) {
      const { operator, values: found, vectors, matvecs } = await nystrom(A, { rank, seed: 0 });
      expect([matvecs, found.length]).toEqual([rank + 18, rank]);
      expect(offIdentity(columnsOf(vectors))).toBeLessThan(1e-12);
      found.forEach((value, k) => {
        expect(value).toBeLessThanOrEqual(values[k]! * (1 + 1e-12));
      });
      const errors: number[] = [];
      for (let j = 0; j < 100; j++) {
        const unit = range(100, (i) => Number(i === j));
        const y = await operator.matvec(unit);
        for (let i = 0; i < 100; i++) errors.push(dense[j * 100 + i]! - y[i]!);
      }
      expect(length(errors)).toBeLessThan(1.5 * tail(values, rank));
    }
  });

  test("the error it states holds: the Frobenius interval in most runs, the spectral bound always", async () => {
    let inside = 0;
    for (let seed = 0; seed < 60; seed++) {
      const { operator, error } = await nystrom(A, { rank: 8, seed });
      let squared = 0;
      for (let j = 0; j < 100; j++) {
        const y = await operator.matvec(range(100, (i) => Number(i === j)));
        for (let i = 0; i < 100; i++) squared += (dense[j * 100 + i]! - y[i]!) ** 2;
      }
      const truth = Math.sqrt(squared);
      if (error.interval.lower <= truth && truth <= error.interval.upper) inside++;
      // The spectral norm lies between the (k + 1)-th eigenvalue and the Frobenius norm.
      expect(error.spectralBound).toBeGreaterThan(values[8]!);
      expect(error.failure).toBeCloseTo(1e-8, 20);
    }
    expect(inside).toBeGreaterThanOrEqual(50);
  });

  test("a matrix of low rank is found exactly; trace, log-determinant and inverse of the operator are those of the matrix", async () => {
    const few = range(60, (i) => (i < 7 ? 7 - i : 0));
    const B = rotated(few);
    const { operator, values: found, error } = await nystrom(B, { rank: 7, seed: 0 });
    expect(distance(found, few.slice(0, 7))).toBeLessThan(1e-6);
    expect(error.frobenius).toBeLessThan(1e-6);
    expect(Math.abs((await operator.trace!()) - 28)).toBeLessThan(1e-6);
    const logdet = few.reduce((so, x) => so + Math.log(x + 0.5), 0);
    expect(Math.abs((await operator.logdet!({ damping: 0.5 })) - logdet)).toBeLessThan(1e-6);
    const b = randomVector(60, 1);
    const x = await operator.inverse!({ damping: 0.5 }).matvec(b);
    const Bx = await B.matvec(x);
    expect(length(b.map((value, i) => value - Bx[i]! - 0.5 * x[i]!))).toBeLessThan(1e-5);
  });

  test("zero has rank zero, an indefinite matrix is refused by status, a small budget by fewer directions", async () => {
    const zero = await nystrom(rotated(new Float64Array(20)), { rank: 3, seed: 0 });
    expect(zero.status).toBe("converged");
    expect(Array.from(zero.values)).toEqual([0]);
    const indefinite = await nystrom(rotated(range(40, (i) => (-1) ** i * (i + 1))), { rank: 5, seed: 0 });
    expect(indefinite.status).toBe("indefinite");
    expect(indefinite.message).toBe(
      "the matrix is not positive semidefinite, so there is no approximation; use randomizedSvd, which takes any matrix",
    );
    const B = counted(A);
    const small = await nystrom(B, { rank: 20, seed: 0, matvecs: 12 });
    expect([B.count(), small.matvecs, small.values.length]).toEqual([12, 12, 6]);
    await expect(nystrom(A, { rank: 0, seed: 0 })).rejects.toThrow(
      "nystrom expects rank to be a positive integer, got 0",
    );
  });
});

describe("randomizedSvd", () => {
  test("finds singular triples of tall and wide matrices, to the error it states", async () => {
    for (const transpose of [false, true]) {
      const made = rectangular(70, 40, 0.75);
      const A = transpose ? { ...made.A.adjoint(), adjoint: () => made.A } : made.A;
      const rank = 8;
      const { values, U, V, operator, error, matvecs } = await randomizedSvd(A, {
        rank,
        seed: 0,
        iterations: 2,
      });
      expect(matvecs).toBe(18 * 6 + 8);
      for (let k = 0; k < rank; k++) expect(Math.abs(values[k]! / made.values[k]! - 1)).toBeLessThan(1e-5);
      for (const X of [U, V]) expect(offIdentity(columnsOf(X))).toBeLessThan(1e-12);
      expect(operator.shape).toEqual(A.shape);
      const truth = tail(made.values, rank);
      expect(error.interval.lower).toBeLessThan(truth);
      expect(error.interval.upper).toBeGreaterThan(truth);
      expect(error.spectralBound).toBeGreaterThan(made.values[rank]!);
    }
  });

  test("subspace iterations help where singular values fall slowly, and cost two products a test vector each", async () => {
    const { A, values } = rectangular(60, 60, 0.97);
    const run = (iterations: number) => randomizedSvd(A, { rank: 10, seed: 0, iterations, errorProbes: 0 });
    const [none, three] = [await run(0), await run(3)];
    expect([none.matvecs, three.matvecs]).toEqual([40, 160]);
    const miss = ({ values: found }: { values: Float64Array }) => total(found.map((x, k) => values[k]! - x));
    expect(miss(three)).toBeLessThan(miss(none) / 5);
    expect(none.error.spectralBound).toBe(Number.POSITIVE_INFINITY);
    expect(none.error.failure).toBe(1);
  });

  test("takes indefinite, singular and zero matrices; one without an adjoint it refuses", async () => {
    const symmetric = await randomizedSvd(rotated([5, -4, 3, 0, 0, 0, 0, 0]), { rank: 3, seed: 0 });
    expect(distance(symmetric.values, [5, 4, 3])).toBeLessThan(1e-10);
    const zero = await randomizedSvd(rotated(new Float64Array(9)), { rank: 2, seed: 0 });
    expect(Array.from(zero.values)).toEqual([0]);
    await expect(
      randomizedSvd(operatorOf(new Float64Array(6), { rows: 2, symmetric: false }), { rank: 1, seed: 0 }),
    ).rejects.toThrow(
      "adjoint expects an operator that is symmetric or has adjoint(), got one of shape [2, 3] with neither",
    );
  });

  test("an interrupted run gives what the rounds before it found", async () => {
    const { A, values } = rectangular(50, 30, 0.6);
    let count = 0;
    const broken = {
      ...A,
      matvec: async (x: Float64Array | Float32Array) =>
        ++count === 20 ? new Float64Array(50).fill(Number.NaN) : A.matvec(x),
    };
    const result = await randomizedSvd(broken, { rank: 5, oversampling: 10, seed: 0, iterations: 1 });
    expect(result.status).toBe("nonfinite");
    expect(Math.abs(result.values[0]! / values[0]! - 1)).toBeLessThan(1e-3);
  });
});
