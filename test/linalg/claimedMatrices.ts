import { eigh, svd } from "../../src/linalg/dense/index.ts";
import { type LinearOperator, toDense } from "../../src/linalg/index.ts";
import type { Precision, Vector } from "../../src/tensors/index.ts";
import { completeBipartite, cube, grid, type KnownLaplacian, ring } from "./graphLaplacians.ts";
import { geometric, length, operatorOf, orthogonal, randomVector, range, rotatedMatrix } from "./knownOperators.ts";

// The matrices on which every iterative method has its claims recomputed, each with the truth from a dense decomposition.

/** A square matrix in columns, and what is true of it. */
export interface KnownMatrix {
  readonly n: number;
  readonly data: Float64Array;
  readonly symmetric: boolean;
  /** Eigenvalues of a symmetric matrix with their copies, descending. */
  readonly eigenvalues: readonly number[];
  /** Singular values, descending. */
  readonly singularValues: readonly number[];
  /** Orthonormal vectors outside of the range, and of the null space. */
  readonly outside: readonly Float64Array[];
  readonly nullSpace: readonly Float64Array[];
  /** A right-hand side, which leaves this residual at least. */
  readonly b: Float64Array;
  readonly least: number;
  /** Eigenvalues of a matrix that is not symmetric, where they are known. */
  readonly complex?: readonly (readonly [real: number, imaginary: number])[];
}

type Place = "in the range" | "anywhere";
type Complex = NonNullable<KnownMatrix["complex"]>;

/** `A x` of a matrix in columns, by plain loops. */
export function times(data: Float64Array, x: ArrayLike<number>): Float64Array {
  const columns = x.length;
  const rows = data.length / columns;
  const y = new Float64Array(rows);
  for (let j = 0; j < columns; j++) for (let i = 0; i < rows; i++) y[i] = y[i]! + data[j * rows + i]! * x[j]!;
  return y;
}

/** The transpose of a square matrix. */
export function transpose(data: Float64Array): Float64Array {
  const n = Math.sqrt(data.length);
  return range(n * n, (at) => data[(at % n) * n + Math.floor(at / n)]!);
}

export const inner = (x: ArrayLike<number>, y: ArrayLike<number>) =>
  Array.from(x).reduce((sum, value, i) => sum + value * y[i]!, 0);

async function known(
  data: Float64Array,
  { place = "anywhere" as Place, symmetric = true, complex = undefined as Complex | undefined } = {},
): Promise<KnownMatrix> {
  const n = Math.sqrt(data.length);
  const { U, values, V } = await svd({ rows: n, columns: n, data });
  const rank = values.filter((value) => value > 1e-11 * values[0]!).length;
  const from = (Q: { readonly data: Vector }) =>
    Array.from({ length: n - rank }, (_, i) => Float64Array.from(Q.data.subarray((rank + i) * n, (rank + i + 1) * n)));
  const [outside, nullSpace] = [from(U), from(V)];
  const right = place === "anywhere" ? randomVector(n, 5) : times(data, randomVector(n, 5));
  const shares = outside.map((u) => inner(u, right));
  // Of a right-hand side in the range nothing but rounding is outside.
  const least = place === "anywhere" ? length(shares) : 0;
  const eigenvalues = symmetric ? Array.from((await eigh({ rows: n, columns: n, data })).values).reverse() : [];
  const truth = { n, data, symmetric, eigenvalues, singularValues: Array.from(values), outside, nullSpace };
  return { ...truth, b: right, least, ...(complex ? { complex } : {}) };
}

/** The Laplacian as a matrix, with its eigenvalues in closed form. */
async function laplacian({ A, values }: KnownLaplacian, place: Place): Promise<KnownMatrix> {
  return { ...(await known(Float64Array.from((await toDense(A)).data), { place })), eigenvalues: values };
}

const symmetric = (values: ArrayLike<number>, place?: Place) =>
  known(rotatedMatrix(values), place === undefined ? {} : { place });
const diagonalMatrix = (values: ArrayLike<number>) => {
  const n = values.length;
  return range(n * n, (at) => (at % (n + 1) === 0 ? values[at % n]! : 0));
};
const filled = (n: number, f: (i: number, j: number) => number) => range(n * n, (at) => f(at % n, Math.floor(at / n)));

/** `Q diag(values) P'` with different orthogonal Q and P. */
function general(values: Float64Array): Float64Array {
  const n = values.length;
  const [Q, P] = [orthogonal(n, 3), orthogonal(n, 4)];
  return filled(n, (i, j) => values.reduce((sum, value, k) => sum + value * Q[k * n + i]! * P[k * n + j]!, 0));
}

/** `Q B Q'` with blocks `[a -b; b a]` on the diagonal of B, and one entry more where n is odd: a normal matrix. */
function normal(n: number, pairs: Complex): Float64Array {
  const Q = orthogonal(n, 6);
  const B = new Float64Array(n * n);
  pairs.forEach(([a, b], k) => {
    const i = 2 * k;
    B[i * n + i] = a;
    if (i + 1 === n) return;
    B[(i + 1) * n + i + 1] = a;
    B[i * n + i + 1] = b;
    B[(i + 1) * n + i] = -b;
  });
  const QB = filled(n, (i, j) => range(n, (k) => Q[k * n + i]! * B[j * n + k]!).reduce((sum, value) => sum + value, 0));
  return filled(n, (i, j) => range(n, (k) => QB[k * n + i]! * Q[k * n + j]!).reduce((sum, value) => sum + value, 0));
}

const both = (pairs: Complex, n: number): Complex =>
  pairs.flatMap(([a, b], k): Complex => (2 * k + 1 === n ? [[a, 0]] : [-b, b].map((part) => [a, part] as const)));
const skewPairs = (n: number): Complex =>
  Array.from({ length: Math.ceil(n / 2) }, (_, k) => [0, 2 * k + 1 === n ? 0 : 1 + k / 4]);
const normalPairs: Complex = Array.from({ length: 10 }, (_, k) => [2 + Math.cos(3 * k), 0.2 * k]);

/** All matrices by what they are. */
export const knownMatrices = {
  "positive definite": await symmetric(range(24, (i) => 1 + i / 24)),
  "positive definite, condition 1e6": await symmetric(geometric(24, 1e-6 ** (1 / 23))),
  "diagonal with clusters": await known(diagonalMatrix(range(24, (i) => [1, 2, 5][i % 3]! + 1e-9 * i))),
  "diagonal with copies": await known(diagonalMatrix(range(24, (i) => [1, 2, 5, 5][i % 4]!))),
  indefinite: await symmetric(range(24, (i) => (i % 2 ? 1 : -1) * (1 + i / 12))),
  "negative definite": await symmetric(range(20, (i) => -1 - i / 20)),
  "singular, b in the range": await symmetric(
    range(24, (i) => (i < 10 ? 1 + i / 10 : 0)),
    "in the range",
  ),
  "singular, b anywhere": await symmetric(range(24, (i) => (i < 10 ? 1 + i / 10 : 0))),
  "singular and indefinite, b in the range": await symmetric(
    range(24, (i) => (i < 6 ? 1 + i : i < 12 ? 5 - i : 0)),
    "in the range",
  ),
  "singular and indefinite, b anywhere": await symmetric(range(24, (i) => (i < 6 ? 1 + i : i < 12 ? 5 - i : 0))),
  "rank one, b in the range": await symmetric(
    range(15, (i) => (i === 3 ? 2 : 0)),
    "in the range",
  ),
  "rank one, b anywhere": await symmetric(range(15, (i) => (i === 3 ? 2 : 0))),
  "1 x 1": await symmetric([3]),
  "1 x 1, negative": await symmetric([-3]),
  "1 x 1, zero": await symmetric([0]),
  zero: await symmetric(new Float64Array(8)),
  "grid graph with boundary": await laplacian(grid(5), "anywhere"),
  "ring graph": await laplacian(ring(18), "in the range"),
  "ring graph, b anywhere": await laplacian(ring(18), "anywhere"),
  "cube graph": await laplacian(cube(4), "in the range"),
  "complete bipartite graph": await laplacian(completeBipartite(6, 11), "in the range"),
  "not symmetric": await known(general(range(20, (i) => 1 + i / 10)), { symmetric: false }),
  "not symmetric, condition 1e4": await known(general(geometric(20, 1e-4 ** (1 / 19))), { symmetric: false }),
  "not symmetric, singular": await known(general(range(20, (i) => (i < 12 ? 1 + i / 10 : 0))), { symmetric: false }),
  "not symmetric, singular, b in the range": await known(general(range(20, (i) => (i < 12 ? 1 + i / 10 : 0))), {
    symmetric: false,
    place: "in the range",
  }),
  skew: await known(normal(20, skewPairs(20)), { symmetric: false, complex: both(skewPairs(20), 20) }),
  "skew, of odd order": await known(normal(17, skewPairs(17)), { symmetric: false, complex: both(skewPairs(17), 17) }),
  normal: await known(normal(20, normalPairs), { symmetric: false, complex: both(normalPairs, 20) }),
} as const satisfies Readonly<Record<string, KnownMatrix>>;

/** The operator, its entries and products rounded to `dtype`. */
export function operatorFor(known: KnownMatrix, dtype: Precision = "float64"): LinearOperator {
  const rounded = dtype === "float32" ? Float64Array.from(Float32Array.from(known.data)) : known.data;
  const [A, At] = [rounded, transpose(rounded)].map((data) => operatorOf(data, { dtype, symmetric: known.symmetric }));
  return { ...A!, adjoint: () => At! };
}

/** Whether all eigenvalues of a symmetric matrix are at least zero. */
export function isSemidefinite({ symmetric, eigenvalues }: KnownMatrix): boolean {
  return symmetric && eigenvalues.every((value) => value >= -1e-12);
}
