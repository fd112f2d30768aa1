import { type DenseMatrix, eigh } from "../../linalg/dense/index.ts";
import { matmul, mul } from "../../primitives/index.ts";
import type { Block, BlockFunction } from "./block.ts";
import { checkEntries, checkSymmetricFactor } from "./checkArrays.ts";
import { diagonalOf, sumOfSquares } from "./denseBlock.ts";
import { asMatrices, asVectors, kroneckerSpectrum, outer } from "./kroneckerBasis.ts";
import { type Clipped, clip, clipComputed, type Spectrum, spectralBlock } from "./spectralBlock.ts";

/** A matrix of known order whose entries are put together when they are first read. */
export interface LaterMatrix {
  readonly rows: number;
  /** The same matrix in every call. */
  matrix(): DenseMatrix;
}

/** A Kronecker block and its factors. */
export interface KroneckerBlock extends Block {
  readonly kind: "kronecker";
  readonly A: DenseMatrix;
  readonly B: DenseMatrix;
}

/**
 * `A (x) B` on matrices V [m, n], row-major: `vec(V) -> vec(A V B)`. Its own product takes m n (m + n) multiplications; functions of it two
 * eigendecompositions and twice that.
 *
 * @param factors symmetric and positive semidefinite, A [m, m] and B [n, n], copied
 * @throws CurvatureError "shape" or "argument" for other factors
 */
export function kronecker(factors: { readonly A: DenseMatrix; readonly B: DenseMatrix }): KroneckerBlock {
  const A = checkSymmetricFactor("kronecker", factors.A);
  const B = checkSymmetricFactor("kronecker", factors.B);
  return laterKronecker({ A: { rows: A.rows, matrix: () => A }, B: { rows: B.rows, matrix: () => B } });
}

/** The same for factors that are known to be symmetric and finite, taken without a copy when they are first read. */
export function laterKronecker(factors: { readonly A: LaterMatrix; readonly B: LaterMatrix }): KroneckerBlock {
  const sizes = { m: factors.A.rows, n: factors.B.rows };
  const arrays = () => ({
    A: { data: factors.A.matrix().data, dims: [sizes.m, sizes.m] },
    B: { data: factors.B.matrix().data, dims: [sizes.n, sizes.n] },
  });
  const block = spectralBlock({
    kind: "kronecker",
    size: sizes.m * sizes.n,
    hasSides: true,
    get arrays() {
      return arrays();
    },
    async spectrum(): Promise<Spectrum> {
      const [left, right] = [await eigh(factors.A.matrix()), await eigh(factors.B.matrix())];
      return factorSpectrum({
        left: clipComputed("kronecker", left.values),
        right: clipComputed("kronecker", right.values),
        QA: left.vectors,
        QB: right.vectors,
      });
    },
    plain: {
      form: "kronecker",
      get arrays() {
        return arrays();
      },
      build: (x, own) => asVectors(matmul(matmul(own.A, asMatrices(x, sizes)), own.B), sizes),
    },
    plainDiagonal: () => outer(diagonalOf(factors.A.matrix()), diagonalOf(factors.B.matrix())),
    plainSquaredNorm: () => sumOfSquares(factors.A.matrix().data) * sumOfSquares(factors.B.matrix().data),
  });
  return Object.defineProperties(block, {
    A: { get: factors.A.matrix, enumerable: true },
    B: { get: factors.B.matrix, enumerable: true },
  }) as KroneckerBlock;
}

/** A Kronecker block whose left factor is diagonal. */
export interface DiagonalKroneckerBlock extends Block {
  readonly kind: "diagonalKronecker";
  readonly A: Float64Array;
  readonly B: DenseMatrix;
}

/**
 * `diag(A) (x) B` on matrices V [m, n]: for a table of embeddings, whose left factor holds the frequencies of its entries.
 *
 * @param factors A [m], not negative, and B [n, n], symmetric and positive semidefinite; copied. Negative entries of A that are rounding errors
 *   are taken as 0
 * @throws CurvatureError "shape" or "argument" for other factors
 */
export function diagonalKronecker(factors: {
  readonly A: Float64Array;
  readonly B: DenseMatrix;
}): DiagonalKroneckerBlock {
  const left = clip("diagonalKronecker", checkEntries("diagonalKronecker", factors.A));
  const A = left.values;
  const B = checkSymmetricFactor("diagonalKronecker", factors.B);
  const sizes = { m: A.length, n: B.rows };
  const block = spectralBlock({
    kind: "diagonalKronecker",
    size: sizes.m * sizes.n,
    hasSides: true,
    arrays: { A: { data: A, dims: [A.length] }, B: { data: B.data, dims: [B.rows, B.rows] } },
    async spectrum() {
      const right = await eigh(B);
      return factorSpectrum({
        left,
        right: clipComputed("diagonalKronecker", right.values),
        QA: undefined,
        QB: right.vectors,
      });
    },
    plain: {
      form: "diagonalKronecker",
      arrays: { A: { data: A, dims: [A.length, 1] }, B: { data: B.data, dims: [B.rows, B.rows] } },
      build: (x, own) => asVectors(matmul(mul(asMatrices(x, sizes), own.A), own.B), sizes),
    },
    plainDiagonal: () => outer(A, diagonalOf(B)),
    plainSquaredNorm: () => sumOfSquares(A) * sumOfSquares(B.data),
  });
  return { ...block, kind: "diagonalKronecker", A, B };
}

function factorSpectrum(factors: {
  readonly left: Clipped;
  readonly right: Clipped;
  readonly QA: DenseMatrix | undefined;
  readonly QB: DenseMatrix;
}): Spectrum {
  const { QA, QB } = factors;
  const [left, right] = [factors.left.values, factors.right.values];
  const eigenvalues = {
    values: outer(left, right),
    clipped: Math.min(factors.left.clipped, factors.right.clipped),
  };
  return {
    ...kroneckerSpectrum(eigenvalues, { QA, QB, sizes: { m: left.length, n: right.length } }),
    damped: (f) => dampedFactors({ left, right }, f),
  };
}

/** The eigenvalues where damping enters the factors. */
function dampedFactors(
  { left, right }: { readonly left: Float64Array; readonly right: Float64Array },
  { damping: { value: d, kind } }: BlockFunction,
): Float64Array {
  if (kind === "factors")
    return outer(
      left.map((x) => x + d),
      right.map((x) => x + d),
    );
  const mean = (values: Float64Array) => values.reduce((sum, x) => sum + x, 0) / values.length;
  const [a, b] = [mean(left), mean(right)];
  if (!(a > 0 && b > 0)) return new Float64Array(left.length * right.length).fill(d);
  const r = Math.sqrt(a / b);
  return outer(
    left.map((x) => x + Math.sqrt(d) * r),
    right.map((x) => x + Math.sqrt(d) / r),
  );
}
