import { describe, expect, test } from "vitest";
import {
  blockEigsh,
  diagonal,
  eigs,
  eigsh,
  eigshGeneralized,
  functionOperator,
  svd,
  svds,
} from "../../src/linalg/index.ts";
import { laplacians } from "./graphLaplacians.ts";
import { distance } from "./knownOperators.ts";

describe("'converged' means that no copy of a repeated eigenvalue is missing", () => {
  for (const [name, { A, values }] of Object.entries(laplacians)) {
    test.each([2, 3, 5, 8])(`eigsh, ${name}, k = %i`, async (k) => {
      for (const seed of [0, 1]) {
        const largest = await eigsh(A, { k, which: "largest", seed, matvecs: 20_000 });
        expect(largest.status).toBe("converged");
        expect(distance(largest.values, values.slice(0, k))).toBeLessThan(1e-8);
        const both = await eigsh(A, { k, which: "both", seed, matvecs: 20_000 });
        const low = Math.floor(k / 2);
        const ends = [...values.slice(0, k - low), ...values.slice(values.length - low)];
        if (both.status === "converged") expect(distance(both.values, ends)).toBeLessThan(1e-8);
        expect(both.status).toBe("converged");
      }
    });
  }

  test.each([2, 5, 20])("svds and eigs, a hundred copies of the largest value, k = %i", async (k) => {
    const n = 200;
    const u = Float64Array.from({ length: n }, (_, i) => Math.sin(1 + i * i));
    const length = u.reduce((sum, value) => sum + value * value, 0);
    const reflect = (x: Float64Array) => {
      const d = (2 * x.reduce((sum, value, i) => sum + value * u[i]!, 0)) / length;
      return x.map((value, i) => value - d * u[i]!);
    };
    const matvec = (x: ArrayLike<number>) =>
      reflect(reflect(Float64Array.from(x)).map((value, i) => (i % 2 ? 50 : 1) * value));
    const A = functionOperator({ shape: [n, n], matvec, adjoint: matvec });
    const result = await svds(A, { k, seed: 0 });
    expect(result.status).toBe("converged");
    expect(distance(result.values, new Array<number>(k).fill(50))).toBeLessThan(1e-8);
    const outermost = await eigs(A, { k, seed: 0 });
    expect(outermost.status).toBe("converged");
    expect(distance(outermost.values.real, new Array<number>(k).fill(50))).toBeLessThan(1e-8);
  });

  test("svds of a Jacobian of a linear probe, whose values are those of the inputs, once a class", async () => {
    const [n, d, classes] = [30, 12, 4];
    const X = Float64Array.from({ length: n * d }, (_, i) => Math.cos(1 + 3 * i + (i % 7) ** 2));
    const product = (x: ArrayLike<number>) => {
      const y = new Float64Array(n * classes);
      for (let r = 0; r < n; r++)
        for (let c = 0; c < classes; c++)
          for (let j = 0; j < d; j++) y[r * classes + c]! += X[r * d + j]! * x[j * classes + c]!;
      return y;
    };
    const transposed = (y: ArrayLike<number>) => {
      const x = new Float64Array(d * classes);
      for (let r = 0; r < n; r++)
        for (let c = 0; c < classes; c++)
          for (let j = 0; j < d; j++) x[j * classes + c]! += X[r * d + j]! * y[r * classes + c]!;
      return x;
    };
    const J = functionOperator({ shape: [n * classes, d * classes], matvec: product, adjoint: transposed });
    const { values } = await svd({ rows: n, columns: d, data: X.map((_, i) => X[(i % n) * d + Math.floor(i / n)]!) });
    const expected = Array.from(values).flatMap((value) => new Array<number>(classes).fill(value));
    for (const k of [3, 6, 10]) {
      const result = await svds(J, { k, seed: 1 });
      expect(result.status).toBe("converged");
      expect(distance(result.values, expected.slice(0, k))).toBeLessThan(1e-8);
    }
  });

  test("eigs, conjugate pairs with copies", async () => {
    // Rotations by the same angle in forty planes, turned by a matrix that is not orthogonal, and smaller numbers.
    const n = 120;
    const shear = (x: ArrayLike<number>, sign: number) =>
      Float64Array.from(x, (value, i) => value + (i % 3 === 0 && i + 1 < n ? (sign * x[i + 1]!) / 2 : 0));
    const blocks = (x: ArrayLike<number>) =>
      Float64Array.from(x, (value, i) => {
        if (i >= 80) return value / (i - 75);
        return i % 2 === 0 ? 1.6 * value - 1.2 * x[i + 1]! : 1.2 * x[i - 1]! + 1.6 * value;
      });
    const A = functionOperator({ shape: [n, n], matvec: (x) => shear(blocks(shear(x, 1)), -1) });
    const result = await eigs(A, { k: 8, seed: 0 });
    expect(result.status).toBe("converged");
    expect(distance(result.values.real, new Array<number>(8).fill(1.6))).toBeLessThan(1e-7);
    expect(distance(result.values.imaginary.map(Math.abs), new Array<number>(8).fill(1.2))).toBeLessThan(1e-7);
  });

  test.each([1, 3, 12])("blockEigsh, more copies than its block has vectors, k = %i", async (k) => {
    const { A, values } = laplacians["cube of 7 dimensions"]!;
    for (const blockSize of [1, 2, 4, 22]) {
      const result = await blockEigsh(A, { k, blockSize, seed: 0 });
      expect(result.status).toBe("converged");
      expect(distance(result.values, values.slice(0, k))).toBeLessThan(1e-8);
    }
    const alone = await blockEigsh(A, { k: 12, blockSize: 2, seed: 0, copies: false });
    expect(alone.message).toContain("further copies of repeated eigenvalues were not looked for");
  });

  test("eigshGeneralized, repeated eigenvalues of a pencil", async () => {
    const { A, values } = laplacians["grid of 20 x 20"]!;
    const scales = Float64Array.from({ length: 400 }, (_, i) => 1 + (i % 5));
    // S A S x = value S S x has the eigenvalues of A.
    const product = (x: ArrayLike<number>) => A.matvec(Float64Array.from(x, (value, i) => value * scales[i]!));
    const scaled = functionOperator({
      shape: [400, 400],
      symmetric: true,
      matvec: async (x) => (await product(x)).map((value, i) => value * scales[i]!),
    });
    const result = await eigshGeneralized(scaled, diagonal(scales.map((s) => s * s)), { k: 5, seed: 0, matvecs: 5000 });
    expect(result.status).toBe("converged");
    expect(distance(result.values, values.slice(0, 5))).toBeLessThan(1e-8);
  });
});
