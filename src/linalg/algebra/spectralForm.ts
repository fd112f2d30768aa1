import { memoized } from "../../concurrency/index.ts";
import { CurvatureError } from "../../errors/index.ts";
import { column, type Matrix, type Precision, toPrecision, type Vector } from "../../tensors/index.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkInputs, checkScalar, columnProducts, sum } from "../operator/structure.ts";
import { withInputCopy } from "../vectors/inputCopy.ts";
import { dot, maxAbs, multiply, transposedProduct } from "../vectors/vector.ts";

/** Symmetric matrix `W diag(w) W'` `[n, n]` by its p <= n eigenvectors W `[n, p]` with eigenvalues w `[p]`; zero on the rest of the space. */
export interface SpectralForm {
  readonly vectors: Matrix;
  readonly values: Float64Array;
}

/** Description of a matrix whose spectral form is computed once, at the first product. */
interface SpectralOptions {
  readonly name: string;
  /** Number of rows n. */
  readonly rows: number;
  /** Number of eigenvectors p. */
  readonly rank: number;
  readonly dtype: Precision;
  readonly form: () => Promise<SpectralForm>;
}

/**
 * `(A + damping I)^-1 = W diag(1 / (w + damping) - r) W' + r I`, where r is 1 / damping on the space that W leaves out, and 0 where it
 * leaves out none. A product costs 4 n p operations, the first one the decomposition as well.
 *
 * Products throw CurvatureError "numeric" where A + damping I is singular to rounding.
 */
export function spectralInverse(
  { name, rows, rank, dtype, form }: SpectralOptions,
  { damping, psd }: { readonly damping: number; readonly psd: boolean },
): LinearOperator {
  checkScalar(`inverse of ${name}`, "damping", damping);
  const rest = checkedRest(name, { rows, rank, damping });
  const shape = [rows, rows] as const;
  const title = `the inverse of ${name}`;
  /** Eigenvalues of the inverse less r `[p]`, and the eigenvectors `[n, p]`. */
  const inverted = memoized(async () => inverseForm(name, await form(), { damping, rest }));
  const times = (X: Matrix): Promise<Matrix> =>
    withInputCopy(X.data, async (data) => {
      const Y = spectralProduct(await inverted(), { X: { ...X, data }, rest });
      return { ...Y, data: toPrecision(Y.data, dtype) };
    });
  return {
    shape,
    dtype,
    symmetric: true,
    psd: psd && damping >= 0,
    ...columnProducts(title, { shape, times }),
    async quadraticForms(X) {
      checkInputs(title, X, shape);
      return withInputCopy(X.data, async (data) => {
        const own = { ...X, data };
        const { weights, vectors } = await inverted();
        const forms = weightedSquares(vectors, weights, own);
        return rest === 0 ? forms : forms.map((form, k) => form + rest * dot(column(own, k), column(own, k)));
      });
    },
    async diagonal() {
      const { weights, vectors } = await inverted();
      return toPrecision(
        quadraticDiagonal(vectors, weights).map((value) => value + rest),
        dtype,
      );
    },
    trace: async () => sum((await inverted()).weights) + rows * rest,
  };
}

function inverseForm(
  name: string,
  { values, vectors }: SpectralForm,
  { damping, rest }: { readonly damping: number; readonly rest: number },
) {
  const shifted = values.map((value) => value + damping);
  checkRegular(name, { values, shifted, damping, positive: false });
  return { weights: shifted.map((value) => 1 / value - rest), vectors };
}

/** `W diag(weights) W' X + rest X` `[n, m]` in float64, for W `[n, p]` and X `[n, m]`. */
function spectralProduct(
  { weights, vectors }: { readonly weights: Float64Array; readonly vectors: Matrix },
  { X, rest }: { readonly X: Matrix; readonly rest: number },
): Matrix {
  const C = transposedProduct(vectors, X);
  for (let i = 0; i < C.data.length; i++) C.data[i] = C.data[i] * weights[i % weights.length];
  const Y = multiply(vectors, C);
  if (rest !== 0) for (let i = 0; i < Y.data.length; i++) Y.data[i] = Y.data[i] + rest * X.data[i];
  return Y;
}

/** `log det(A + damping I)`, the sum of logarithms of its eigenvalues; throws CurvatureError "numeric" unless all are positive. */
export async function spectralLogdet(
  { name, rows, rank, form }: SpectralOptions,
  { damping }: { readonly damping: number },
): Promise<number> {
  checkScalar(`logdet of ${name}`, "damping", damping);
  if (rank < rows && !(damping > 0)) throw singular(name, { value: 0, damping });
  const { values } = await form();
  const shifted = values.map((value) => value + damping);
  checkRegular(name, { values, shifted, damping, positive: true });
  return sum(shifted.map(Math.log)) + (rank < rows ? (rows - rank) * Math.log(damping) : 0);
}

/** `sum_k c_k W_ik V_ik`, the diagonal `[n]` of `W diag(c) V'` for W and V `[n, p]`. */
export function quadraticDiagonal(
  W: Matrix,
  c: Vector,
  { V = W }: { readonly V?: Matrix | undefined } = {},
): Float64Array {
  const result = new Float64Array(W.rows);
  for (let k = 0; k < W.columns; k++) {
    const start = k * W.rows;
    for (let i = 0; i < W.rows; i++) result[i] = result[i] + c[k] * W.data[start + i] * V.data[start + i];
  }
  return result;
}

/** `x' W diag(c) W' x` for each of the columns x `[n, m]`: half the work of the products. */
export function weightedSquares(W: Matrix, c: Vector, X: Matrix): Float64Array {
  const { rows: p, data } = transposedProduct(W, X);
  const forms = new Float64Array(X.columns);
  for (let i = 0; i < data.length; i++) {
    const k = Math.floor(i / p);
    forms[k] = forms[k] + c[i % p] * data[i] * data[i];
  }
  return forms;
}

/** Inverse of the eigenvalue, damped, that the vectors outside of W have; 0 where there are none. */
function checkedRest(
  name: string,
  { rows, rank, damping }: { readonly rows: number; readonly rank: number; readonly damping: number },
): number {
  if (rank === rows) return 0;
  if (damping === 0) throw singular(name, { value: 0, damping });
  return 1 / damping;
}

function checkRegular(
  name: string,
  {
    values,
    shifted,
    damping,
    positive,
  }: {
    readonly values: Float64Array;
    readonly shifted: Float64Array;
    readonly damping: number;
    readonly positive: boolean;
  },
): void {
  const limit = values.length * Number.EPSILON * maxAbs(values);
  const at = shifted.findIndex((value) => (positive ? !(value > limit) : !(Math.abs(value) > limit)));
  if (at >= 0) throw singular(name, { value: values[at], damping });
}

function singular(
  name: string,
  { value, damping }: { readonly value: number; readonly damping: number },
): CurvatureError {
  const message =
    `${name} plus damping has to be nonsingular for its inverse and positive definite for its logdet, ` +
    `got eigenvalue ${value} with damping ${damping}; raise the damping`;
  return new CurvatureError("numeric", message);
}
