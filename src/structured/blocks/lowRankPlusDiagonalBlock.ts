import { memoized } from "../../concurrency/index.ts";
import { CurvatureError } from "../../errors/index.ts";
import { type DenseMatrix, eigh } from "../../linalg/dense/index.ts";
import { add, matmul, mul } from "../../primitives/index.ts";
import type { Block, BlockFunction, BlockProduct } from "./block.ts";
import { checkEntries } from "./checkArrays.ts";
import { total } from "./spectralBlock.ts";

/** The parts of a low-rank matrix plus a diagonal. */
export interface LowRankPlusDiagonal {
  /** V [size, rank], by columns. */
  readonly vectors: DenseMatrix;
  /** l [rank]; negative ones are allowed where the damped sum stays positive. */
  readonly values: Float64Array;
  /** r [size], not negative. */
  readonly diagonal: Float64Array;
}

/** The sum in the scaled coordinates of its diagonal: `K + d I = D^(1/2) (I + O diag(t) O') D^(1/2)`, D = r + d, O with orthonormal columns. */
interface Scaled {
  readonly D: Float64Array;
  readonly O: DenseMatrix;
  readonly t: Float64Array;
}

/**
 * `V diag(l) V' + diag(r)`. With damping d and D = r + d, functions come from `K + d I = D^(1/2) (I + O diag(t) O') D^(1/2)` with orthonormal
 * columns O: its inverse is `D^(-1/2) (I - O diag(t / (1 + t)) O') D^(-1/2)` (Woodbury, 1950), its determinant `sum log D + sum log(1 + t)`. There
 * are the powers 1 and -1, and as root of the inverse `D^(-1/2) (I + O diag(t) O')^(-1/2)`, which is stable for small t. Costs 2 size rank a product,
 * size rank^2 for each damping.
 *
 * @throws CurvatureError "shape" for parts that do not fit, "argument" for entries that are not finite or a negative diagonal
 */
export function lowRankPlusDiagonalBlock(parts: LowRankPlusDiagonal): Block {
  const own = checkedParts(parts);
  const { V, l, r } = own;
  const size = r.length;
  const known = { parts: own, scaled: scaledForms(own) };
  return {
    kind: "lowRankPlusDiagonal",
    size,
    psd: l.every((x) => x >= 0),
    symmetricRoot: false,
    arrays: {
      vectors: { data: V.data, dims: [l.length, size] },
      values: { data: l, dims: [l.length] },
      diagonal: { data: r, dims: [size] },
    },
    product: async (f) => lowRankProduct(await formOf(known, f)),
    root: (f) => rootProducts(known, f),
    ...lowRankSums(known),
    clipped: async () => 0,
    plusDiagonal: (added) =>
      lowRankPlusDiagonalBlock({ vectors: V, values: l, diagonal: r.map((x, i) => x + added[i]) }),
  };
}

/** The parts and their scaled form for each damping. */
interface KnownForms {
  readonly parts: Parts;
  readonly scaled: (f: BlockFunction) => Promise<Scaled>;
}

async function formOf({ parts: { V, l, r }, scaled }: KnownForms, f: BlockFunction): Promise<LowRankForm> {
  checkPower(f, [1, -1]);
  if (f.power === 1) return { W: V, s: l, g: r.map((x) => x + f.damping.value) };
  const { D, O, t } = await scaled(f);
  const h = D.map((x) => 1 / Math.sqrt(x));
  return { W: rowsScaled(O, h), s: t.map((x) => -x / (1 + x)), g: D.map((x) => 1 / x) };
}

async function rootProducts({ parts: { r }, scaled }: KnownForms, f: BlockFunction) {
  checkPower(f, [1, -1]);
  const { D, O, t } = await scaled(f);
  const h = D.map((x) => x ** (f.power / 2));
  // (1 + t)^(q/2) - 1, without cancellation for small t.
  const s = t.map((x) => Math.expm1((f.power / 2) * Math.log1p(x)));
  return {
    product: scaledProduct({ size: r.length, O, s, h, isAdjoint: false }),
    adjoint: scaledProduct({ size: r.length, O, s, h, isAdjoint: true }),
  };
}

function lowRankSums(
  known: KnownForms,
): Pick<Block, "eigenvalues" | "diagonal" | "trace" | "squaredNorm" | "logdet" | "effectiveDimension"> {
  const { parts, scaled } = known;
  const { r } = parts;
  const diagonal = async (f: BlockFunction) => plusOuter(await formOf(known, f));
  // With a constant diagonal r all eigenvalues are known: r, and those of r + d + (r + d) t less d, for any damping d.
  const isConstant = r.every((x) => x === r[0]);
  const valuesOf = memoized(async () => (isConstant ? constantSpectrum(parts) : undefined));
  return {
    async eigenvalues(f) {
      const values = await valuesOf();
      if (values !== undefined) return values.map((x) => (x + f.damping.value) ** f.power);
      throw new CurvatureError(
        "unsupported",
        "a low-rank matrix plus a diagonal that is not constant has no eigenvalues in closed form; use eigsh, or logdet and trace, which it has",
      );
    },
    diagonal,
    trace: async (f) => total(await diagonal(f)),
    squaredNorm: async (f) => squaredNormOf(await formOf(known, f)),
    async logdet(f) {
      const { D, t } = await scaled(f);
      let sum = 0;
      for (const x of D) sum += Math.log(x);
      for (const x of t) sum += Math.log1p(x);
      return f.power * sum;
    },
    async effectiveDimension(f, damping) {
      checkPower(f, [1]);
      if (damping === 0) return r.length;
      const values = await valuesOf();
      if (values !== undefined) return total(values.map((x) => share(x + f.damping.value, damping)));
      // tr F (F + d I)^-1 = size - d tr (F + d I)^-1
      const value = f.damping.value + damping;
      return r.length - damping * total(await diagonal({ damping: { ...f.damping, value }, power: -1 }));
    },
  };
}

/** diag(g) + W diag(s) W' */
interface LowRankForm {
  /** [size, rank], by columns. */
  readonly W: DenseMatrix;
  readonly s: Float64Array;
  readonly g: Float64Array;
}

interface Parts {
  readonly V: DenseMatrix;
  readonly l: Float64Array;
  readonly r: Float64Array;
}

function checkedParts({ vectors, values, diagonal }: LowRankPlusDiagonal): Parts {
  const name = "lowRankPlusDiagonal";
  const r = checkEntries(name, diagonal);
  const l = checkEntries(name, values);
  const { rows, columns } = vectors;
  if (rows !== r.length || columns !== l.length || vectors.data.length !== rows * columns) {
    throw new CurvatureError(
      "shape",
      `${name}: vectors must be [size, rank] for a diagonal [size] and values [rank], got ${rows} x ${columns}, ${r.length} and ${l.length}`,
    );
  }
  const negative = r.findIndex((x) => x < 0);
  if (negative !== -1) {
    throw new CurvatureError(
      "argument",
      `${name}: the diagonal must not be negative, got ${r[negative]} at ${negative}`,
    );
  }
  return { V: { rows, columns, data: checkEntries(name, vectors.data) }, l, r };
}

function checkPower({ power }: BlockFunction, powers: readonly number[]): void {
  if (powers.includes(power)) return;
  throw new CurvatureError(
    "unsupported",
    `a low-rank matrix plus a diagonal has the powers 1 and -1 in closed form, not ${power}`,
  );
}

/** The scaled form of the damping used last, computed once for all that is asked of it. Each takes as much memory as the vectors. */
function scaledForms(parts: Parts) {
  let last: { readonly damping: number; readonly form: () => Promise<Scaled> } | undefined;
  return ({ damping: { value } }: BlockFunction): Promise<Scaled> => {
    if (last?.damping !== value) last = { damping: value, form: memoized(() => scaledForm(parts, value)) };
    return last.form();
  };
}

/**
 * With U = D^(-1/2) V and U'U = F diag(s) F', the columns O = U F s^(-1/2) are orthonormal, and U diag(l) U' = O T O' with T = s^(1/2) F' diag(l) F
 * s^(1/2), whose eigenvectors turn O further.
 */
async function scaledForm({ V, l, r }: Parts, damping: number): Promise<Scaled> {
  const D = positiveDiagonal(r, damping);
  const U = rowsScaled(
    V,
    D.map((x) => 1 / Math.sqrt(x)),
  );
  const none = { values: new Float64Array(), vectors: { rows: 0, columns: 0, data: new Float64Array() } };
  const { values: squares, vectors: F } = l.length === 0 ? none : await eigh(gram(U));
  const largest = squares.reduce((most, x) => Math.max(most, x), 0);
  const kept = Array.from(squares.keys()).filter((k) => squares[k] > 1e-14 * largest);
  if (kept.length === 0) return { D, O: { rows: U.rows, columns: 0, data: new Float64Array() }, t: new Float64Array() };
  const basis: ColumnBasis = { F: F.data, squares, kept };
  const { values, vectors: G } = await eigh(innerMatrix(l, basis));
  // Where no l is negative, no t is but by rounding, which is large beside 1 for a small damping.
  const t = l.every((x) => x >= 0) ? values.map((x) => Math.max(x, 0)) : values;
  checkDefinite(t, damping);
  return { D, O: times(U, turnOf(G, basis)), t };
}

/** The eigenvectors F [rank, rank] of U'U with the eigenvalues `squares`, and which of them are not zero. */
interface ColumnBasis {
  readonly F: Float64Array;
  readonly squares: Float64Array;
  readonly kept: readonly number[];
}

function positiveDiagonal(r: Float64Array, damping: number): Float64Array {
  const D = r.map((x) => x + damping);
  const zero = D.findIndex((x) => !(x > 0));
  if (zero === -1) return D;
  throw new CurvatureError(
    "argument",
    `the lowRankPlusDiagonal block has no inverse in closed form where its diagonal is 0 (entry ${zero}); give a positive damping`,
  );
}

function checkDefinite(t: Float64Array, damping: number): void {
  const least = t.reduce((smallest, x) => Math.min(smallest, x), 0);
  if (least > -1) return;
  throw new CurvatureError(
    "argument",
    `the lowRankPlusDiagonal block is not positive definite with damping ${damping} (least relative eigenvalue ${(1 + least).toPrecision(3)}); give a larger damping`,
  );
}

/** T = s^(1/2) F' diag(l) F s^(1/2). */
function innerMatrix(l: Float64Array, { F, squares, kept }: ColumnBasis): DenseMatrix {
  const rank = l.length;
  const data = new Float64Array(kept.length ** 2);
  kept.forEach((a, i) => {
    kept.forEach((b, j) => {
      let sum = 0;
      for (let k = 0; k < rank; k++) sum += F[a * rank + k] * l[k] * F[b * rank + k];
      data[j * kept.length + i] = sum * Math.sqrt(squares[a] * squares[b]);
    });
  });
  return { rows: kept.length, columns: kept.length, data };
}

/** F s^(-1/2) G, so that O = U F s^(-1/2) G. */
function turnOf(G: DenseMatrix, { F, squares, kept }: ColumnBasis): DenseMatrix {
  const rank = squares.length;
  const data = new Float64Array(rank * kept.length);
  for (let j = 0; j < kept.length; j++) {
    kept.forEach((a, i) => {
      const weight = G.data[j * kept.length + i] / Math.sqrt(squares[a]);
      for (let k = 0; k < rank; k++) data[j * rank + k] += weight * F[a * rank + k];
    });
  }
  return { rows: rank, columns: kept.length, data };
}

/** The eigenvalues of `V diag(l) V' + r I`, [size]. */
async function constantSpectrum(parts: Parts): Promise<Float64Array> {
  const { r, V, l } = parts;
  const damping =
    V.data.reduce((sum, x) => sum + x * x, 0) * l.reduce((most, x) => Math.max(most, Math.abs(x)), 0) || 1;
  const { t } = await scaledForm(parts, damping);
  return r.map((x, i) => (i < t.length ? x + (x + damping) * t[i] : x));
}

/** x / (x + d), 0 where both are 0. */
function share(x: number, d: number): number {
  return x === 0 ? 0 : x / (x + d);
}

/** diag(h) W. */
function rowsScaled({ rows, columns, data }: DenseMatrix, h: Float64Array): DenseMatrix {
  return { rows, columns, data: data.map((x, k) => x * h[k % rows]) };
}

/** W'W. */
function gram({ rows, columns, data }: DenseMatrix): DenseMatrix {
  const result = new Float64Array(columns * columns);
  for (let a = 0; a < columns; a++) {
    for (let b = 0; b <= a; b++) {
      let sum = 0;
      for (let i = 0; i < rows; i++) sum += data[a * rows + i] * data[b * rows + i];
      result[a * columns + b] = sum;
      result[b * columns + a] = sum;
    }
  }
  return { rows: columns, columns, data: result };
}

/** The product of two matrices by columns. */
function times(A: DenseMatrix, B: DenseMatrix): DenseMatrix {
  const data = new Float64Array(A.rows * B.columns);
  for (let j = 0; j < B.columns; j++) {
    const column = data.subarray(j * A.rows, (j + 1) * A.rows);
    for (let k = 0; k < A.columns; k++) {
      const weight = B.data[j * B.rows + k];
      for (let i = 0; i < A.rows; i++) column[i] += weight * A.data[k * A.rows + i];
    }
  }
  return { rows: A.rows, columns: B.columns, data };
}

/** g + diag(W diag(s) W'). */
function plusOuter({ g, W, s }: LowRankForm): Float64Array {
  const result = g.slice();
  for (let k = 0; k < s.length; k++) {
    for (let i = 0; i < result.length; i++) result[i] += s[k] * W.data[k * W.rows + i] ** 2;
  }
  return result;
}

/** |g + W diag(s) W'|^2 = sum g^2 + 2 sum_i g_i (W diag(s) W')_ii + sum_ab s_a s_b (w_a . w_b)^2 */
function squaredNormOf({ g, W, s }: LowRankForm): number {
  const along = plusOuter({ g: new Float64Array(g.length), W, s });
  let sum = 0;
  for (let i = 0; i < g.length; i++) sum += g[i] * (g[i] + 2 * along[i]);
  const { data } = gram(W);
  for (let a = 0; a < s.length; a++) {
    for (let b = 0; b < s.length; b++) sum += s[a] * s[b] * data[b * s.length + a] ** 2;
  }
  return sum;
}

/** x -> g o x + W diag(s) W' x. */
function lowRankProduct({ W, s, g }: LowRankForm): BlockProduct {
  const [rank, size] = [s.length, g.length];
  if (rank === 0) {
    const arrays = { g: { data: g, dims: [1, size] } };
    return { form: "low rank 0 + diagonal", arrays, build: (x, own) => mul(x, own.g) };
  }
  return {
    form: `low rank ${rank} + diagonal`,
    arrays: {
      W: { data: W.data, dims: [rank, size] },
      s: { data: s, dims: [1, rank] },
      g: { data: g, dims: [1, size] },
    },
    build(x, own) {
      const along = mul(matmul(x, own.W, { transposeB: true }), own.s);
      return add(mul(x, own.g), matmul(along, own.W));
    },
  };
}

/** x -> h o (x + O diag(s) O' x), or its transpose. */
function scaledProduct(parts: {
  readonly size: number;
  readonly O: DenseMatrix;
  readonly s: Float64Array;
  readonly h: Float64Array;
  readonly isAdjoint: boolean;
}): BlockProduct {
  const { size, O, s, h, isAdjoint } = parts;
  const rank = s.length;
  if (rank === 0) return lowRankProduct({ W: O, s, g: h });
  return {
    form: `low rank ${rank} + diagonal, ${isAdjoint ? "transposed " : ""}root`,
    arrays: {
      O: { data: O.data, dims: [rank, size] },
      s: { data: s, dims: [1, rank] },
      h: { data: h, dims: [1, size] },
    },
    build(x, own) {
      const inner = isAdjoint ? mul(x, own.h) : x;
      const along = mul(matmul(inner, own.O, { transposeB: true }), own.s);
      const turned = add(inner, matmul(along, own.O));
      return isAdjoint ? turned : mul(turned, own.h);
    },
  };
}
