import { memoized } from "../../concurrency/index.ts";
import { CurvatureError } from "../../errors/index.ts";
import type { DenseMatrix } from "../../linalg/dense/index.ts";
import { cholesky, choleskySolve, type LinearOperator, type RunOptions, toDense } from "../../linalg/index.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { multiply } from "../../linalg/vectors/vector.ts";
import { type Matrix, type Precision, toPrecision, type Vector, zeros } from "../../tensors/index.ts";

/** A symmetric matrix over some entries of a flat vector. */
export interface DenseBlock {
  /** `[n]`, positions in the flat vector, ascending. */
  readonly indices: Int32Array;
  /** `[n, n]` */
  readonly matrix: DenseMatrix;
}

/** A block-diagonal matrix whose blocks are at hand as numbers, so that groups of weights have closed formulas. */
export interface DenseBlockOperator extends LinearOperator {
  readonly denseBlocks: readonly DenseBlock[];
  /** The blocks of `(A + damping I)^-1`, computed once for the last damping. */
  inverseBlocks(damping: number): Promise<readonly DenseBlock[]>;
}

/** Most entries of a matrix that is made dense without being asked: 72 MB for it, as much for its inverse. */
export const DENSE_LIMIT = 3000;

/** Options of `denseCurvature`. */
export interface DenseCurvatureOptions extends RunOptions {
  /** Most rows of the matrix; default 3,000. It takes 16 n^2 bytes with its inverse, and n^3 operations for each damping. */
  readonly limit?: number;
}

/**
 * A symmetric operator as a dense matrix, by one product a column. Give it as `matrix` to several calls of `saliency` and `prune`, so that matrix and inverse are computed once.
 *
 * @throws CurvatureError "argument" where it has more than `limit` rows, with what to do instead; whatever the operator throws
 */
export async function denseCurvature(
  A: LinearOperator,
  options: DenseCurvatureOptions = {},
): Promise<DenseBlockOperator> {
  checkOptions("denseCurvature", options, "limit signal onProgress");
  const { limit = DENSE_LIMIT, ...run } = options;
  const [size] = A.shape;
  if (size > limit) {
    throw new CurvatureError(
      "argument",
      `denseCurvature makes at most ${limit} rows dense, got ${size} (${gigabytes(size)} GB with the inverse); take woodFisher(risk), kfac(risk), a subset of the parameters, or a larger limit`,
    );
  }
  const { data } = await toDense(A, run);
  const blocks = [{ indices: Int32Array.from({ length: size }, (_, i) => i), matrix: symmetrized(data, size) }];
  return blockOperator(blocks, { size, dtype: A.dtype, psd: A.psd });
}

function gigabytes(size: number): string {
  return ((16 * size * size) / 1e9).toPrecision(2);
}

function symmetrized(data: Vector, n: number): DenseMatrix {
  const entries = new Float64Array(n * n);
  for (let j = 0; j < n; j++) {
    for (let i = 0; i <= j; i++) {
      const mean = (data[j * n + i]! + data[i * n + j]!) / 2;
      entries[j * n + i] = mean;
      entries[i * n + j] = mean;
    }
  }
  return { rows: n, columns: n, data: entries };
}

/** Whether an operator has its blocks as numbers. */
export function hasDenseBlocks(A: LinearOperator): A is DenseBlockOperator {
  return "denseBlocks" in A && "inverseBlocks" in A;
}

/** The operator of blocks that cover each entry once. */
export function blockOperator(
  blocks: readonly DenseBlock[],
  { size, dtype, psd }: { readonly size: number; readonly dtype: Precision; readonly psd: boolean },
): DenseBlockOperator {
  let last: { readonly damping: number; readonly made: () => Promise<readonly DenseBlock[]> } | undefined;
  const inverseBlocks = (damping: number) => {
    if (last?.damping !== damping) last = { damping, made: memoized(() => invertedBlocks(blocks, damping)) };
    return last.made();
  };
  return {
    ...blockProducts(async () => blocks, { size, dtype }),
    psd,
    denseBlocks: blocks,
    inverseBlocks,
    inverse: ({ damping }) => ({ ...blockProducts(() => inverseBlocks(damping), { size, dtype }), psd: true }),
  };
}

function blockProducts(
  blocks: () => Promise<readonly DenseBlock[]>,
  { size, dtype }: { readonly size: number; readonly dtype: Precision },
) {
  return {
    shape: [size, size] as const,
    dtype,
    symmetric: true,
    async matvec(x: Vector) {
      const own = Float64Array.from(x);
      return toPrecision(blockProduct(await blocks(), own), dtype);
    },
    async matmat(X: Matrix) {
      const own = Float64Array.from(X.data);
      const data = zeros(own.length, dtype);
      const made = await blocks();
      for (let k = 0; k < X.columns; k++)
        data.set(blockProduct(made, own.subarray(k * size, (k + 1) * size)), k * size);
      return { rows: size, columns: X.columns, data };
    },
    async diagonal() {
      const values = new Float64Array(size);
      for (const { indices, matrix } of await blocks())
        indices.forEach((index, k) => {
          values[index] = matrix.data[k * (matrix.rows + 1)]!;
        });
      return toPrecision(values, dtype);
    },
  };
}

/** The product of a block-diagonal matrix with x. */
export function blockProduct(blocks: readonly DenseBlock[], x: Vector): Float64Array {
  const y = new Float64Array(x.length);
  for (const { indices, matrix } of blocks) {
    const part = multiply(matrix, { rows: indices.length, columns: 1, data: gathered(x, indices) }).data;
    for (let k = 0; k < indices.length; k++) y[indices[k]!] = part[k]!;
  }
  return y;
}

/** Entries of a vector at positions. */
export function gathered(x: Vector, indices: Int32Array): Float64Array {
  return Float64Array.from(indices, (index) => x[index]!);
}

/** The part of a matrix at rows and columns by position. */
export function principalPart({ rows, data }: DenseMatrix, positions: Int32Array): DenseMatrix {
  return part({ rows, columns: rows, data }, positions, positions);
}

/** `M[rows, columns]` by position. */
export function part(M: DenseMatrix, rows: Int32Array, columns: Int32Array): DenseMatrix {
  const n = rows.length;
  const data = new Float64Array(n * columns.length);
  for (let k = 0; k < columns.length; k++) {
    const start = columns[k]! * M.rows;
    for (let i = 0; i < n; i++) data[k * n + i] = M.data[start + rows[i]!]!;
  }
  return { rows: n, columns: columns.length, data };
}

/** `(A + damping I)^-1` of each block, by its Cholesky factor. */
async function invertedBlocks(blocks: readonly DenseBlock[], damping: number): Promise<readonly DenseBlock[]> {
  const inverted: DenseBlock[] = [];
  for (const { indices, matrix } of blocks) {
    const n = matrix.rows;
    const units = new Float64Array(n * n);
    for (let i = 0; i < n; i++) units[i * (n + 1)] = 1;
    const solved = await choleskySolve(await dampedFactor(matrix, damping), { rows: n, columns: n, data: units });
    inverted.push({ indices, matrix: symmetrized(solved.data, n) });
  }
  return inverted;
}

/**
 * Cholesky factor of a block plus damping.
 *
 * @throws CurvatureError "numeric" where that is not positive definite
 */
export async function dampedFactor(matrix: DenseMatrix, damping: number): Promise<DenseMatrix> {
  const n = matrix.rows;
  const data = matrix.data.slice();
  for (let i = 0; i < n; i++) data[i * (n + 1)]! += damping;
  try {
    return (await cholesky({ rows: n, columns: n, data })) as DenseMatrix;
  } catch (cause) {
    if (!(cause instanceof CurvatureError) || cause.code !== "numeric") throw cause;
    throw new CurvatureError(
      "numeric",
      `pruning expects a positive definite matrix, but with damping ${damping} it is not (${cause.message}); raise the damping, or take ggn(risk)`,
      { cause },
    );
  }
}
