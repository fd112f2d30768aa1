import type { LinearOperator } from "../../src/linalg/index.ts";
import { functionOperator } from "../../src/linalg/index.ts";

/** A graph's Laplacian, or one with a boundary, with all of its eigenvalues in closed form, descending. */
export interface KnownLaplacian {
  readonly A: LinearOperator;
  readonly values: readonly number[];
}

const descending = (values: readonly number[]) => [...values].sort((a, b) => b - a);

function operatorOf(n: number, product: (x: ArrayLike<number>, y: Float64Array) => void): LinearOperator {
  return functionOperator({
    shape: [n, n],
    psd: true,
    matvec: (x) => {
      const y = new Float64Array(n);
      product(x, y);
      return y;
    },
  });
}

/** Five-point Laplacian of an m x m grid with zeros around it: every value with i != j twice. */
export function grid(m: number): KnownLaplacian {
  const along = Array.from({ length: m }, (_, i) => 2 - 2 * Math.cos(((i + 1) * Math.PI) / (m + 1)));
  const at = (x: ArrayLike<number>, i: number, j: number) => (i < 0 || j < 0 || i >= m || j >= m ? 0 : x[i * m + j]!);
  const A = operatorOf(m * m, (x, y) => {
    for (let i = 0; i < m; i++)
      for (let j = 0; j < m; j++)
        y[i * m + j] = 4 * at(x, i, j) - at(x, i - 1, j) - at(x, i + 1, j) - at(x, i, j - 1) - at(x, i, j + 1);
  });
  return { A, values: descending(along.flatMap((a) => along.map((b) => a + b))) };
}

/** Ring of n nodes: every value but the ends twice. */
export function ring(n: number): KnownLaplacian {
  const A = operatorOf(n, (x, y) => {
    for (let i = 0; i < n; i++) y[i] = 2 * x[i]! - x[(i + 1) % n]! - x[(i + n - 1) % n]!;
  });
  return { A, values: descending(Array.from({ length: n }, (_, i) => 2 - 2 * Math.cos((2 * Math.PI * i) / n))) };
}

/** Cube of d dimensions: the value 2 j with multiplicity d over j. */
export function cube(d: number): KnownLaplacian {
  const n = 2 ** d;
  const A = operatorOf(n, (x, y) => {
    for (let i = 0; i < n; i++) {
      y[i] = d * x[i]!;
      for (let bit = 0; bit < d; bit++) y[i]! -= x[i ^ (1 << bit)]!;
    }
  });
  const ones = (i: number) => Array.from({ length: d }, (_, bit) => (i >> bit) & 1).reduce((a, b) => a + b, 0);
  return { A, values: descending(Array.from({ length: n }, (_, i) => 2 * ones(i))) };
}

/** Complete graph between a and b nodes: a + b once, a (b - 1 times), b (a - 1 times), 0. */
export function completeBipartite(a: number, b: number): KnownLaplacian {
  const n = a + b;
  const A = operatorOf(n, (x, y) => {
    const sums = [0, 0];
    for (let i = 0; i < n; i++) sums[i < a ? 0 : 1]! += x[i]!;
    for (let i = 0; i < n; i++) y[i] = (i < a ? b : a) * x[i]! - sums[i < a ? 1 : 0]!;
  });
  const times = (count: number, value: number) => new Array<number>(count).fill(value);
  return { A, values: descending([n, ...times(b - 1, a), ...times(a - 1, b), 0]) };
}

export const laplacians: Readonly<Record<string, KnownLaplacian>> = {
  "grid of 20 x 20": grid(20),
  "ring of 100": ring(100),
  "cube of 7 dimensions": cube(7),
  "complete graph of 40 and 70 nodes": completeBipartite(40, 70),
};
