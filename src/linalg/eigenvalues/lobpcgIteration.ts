import { column, type Matrix, type Precision, toPrecision, type Vector, zeros } from "../../tensors/index.ts";
import { eigh } from "../dense/index.ts";
import { epsilon, precision } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { isInterruption, type Products } from "../runs/products.ts";
import type { Status } from "../runs/result.ts";
import { growingBasis, orthogonalize, withColumn } from "../vectors/basis.ts";
import {
  arithmeticOf,
  axpy,
  dot,
  hostArithmetic,
  maxAbs,
  norm,
  scal,
  scaled,
  transposedProduct,
} from "../vectors/vector.ts";

// One step of `lobpcg`: the trial space of vectors, last directions and preconditioned residuals, and the Rayleigh-Ritz method on it. In a
// generalized problem "orthonormal" means in the inner product of B throughout.

/** Plain data, from which the run can go on. */
export interface LobpcgState {
  readonly method: "lobpcg";
  readonly columns: number;
  readonly matvecs: number;
  readonly steps: number;
  /** `[n, k + guards]`, orthonormal, and A times it; A times it is empty before the first products. */
  readonly x: Matrix;
  readonly ax: Matrix;
  /** Directions of the last step, orthogonal to x, and A times them. */
  readonly p: Matrix;
  readonly ap: Matrix;
  /** B times x and p, and the largest `||B s|| / ||s||` seen; only of a generalized problem. */
  readonly metric?: { readonly x: Matrix; readonly p: Matrix; readonly scale: number } | undefined;
  /** Ritz values and residual norms of x, in the order wanted. */
  readonly values: Float64Array;
  readonly residualNorms: Float64Array;
  /** Largest |Ritz value| seen; of a generalized problem the largest `||A s|| / ||s||`. */
  readonly scale: number;
}

/** The problem and its tools. */
export interface LobpcgPlan {
  readonly A: LinearOperator;
  readonly run: Products;
  readonly metric: Products | undefined;
  readonly preconditioner: Products | undefined;
  readonly k: number;
  readonly size: number;
  readonly sign: 1 | -1;
  readonly seed: number;
  readonly tolerance: number;
}

/** Why no step could be made. */
export interface LobpcgEnding {
  readonly status: Status;
  readonly happened: string;
  readonly advice?: string | undefined;
}

/** Orthonormal vectors S, and B times them in a generalized problem. */
interface TrialSpace {
  readonly S: Matrix;
  readonly BS?: Matrix | undefined;
}

/** Products of the start vectors, and their Ritz pairs. */
export async function firstStep(state: LobpcgState, plan: LobpcgPlan): Promise<LobpcgState | LobpcgEnding> {
  const dtype = precision(plan.A);
  let space: TrialSpace = { S: state.x };
  if (plan.metric) {
    const none = growingBasis(noColumns(state.columns, dtype), { capacity: state.x.columns, dtype });
    space = { S: none, BS: growingBasis(none, { capacity: state.x.columns, dtype }) };
    for (const x of columnsOf(state.x)) {
      const next = await extendedBy(space, x, { plan, state });
      if ("status" in next) return next;
      space = next;
    }
  }
  const made = await plan.run.block(space.S, () => state);
  if (made.interruption) return made.interruption;
  return minimized(state, { plan, space, AS: joined(state.columns, made.columns, dtype) });
}

/** One step: residuals, preconditioned and made orthogonal to the vectors and the last directions, then the Ritz pairs of all three. */
export async function nextStep(
  state: LobpcgState,
  { plan, active }: { readonly plan: LobpcgPlan; readonly active: readonly number[] },
): Promise<LobpcgState | LobpcgEnding> {
  const { A, run, preconditioner } = plan;
  const dtype = precision(A);
  let space = knownSpace(state, { capacity: state.x.columns + state.p.columns + active.length, dtype });
  const before = space.S.columns;
  for (const i of active) {
    const r = residual(state, i);
    const z = preconditioner ? await preconditioner.matvec(r, () => state) : r;
    if (isInterruption(z)) return z;
    const curvature = preconditioner ? dot(r, z) : 0;
    if (curvature < 0) {
      const happened = `the preconditioner gives r' M r = ${curvature.toPrecision(3)}: it is not positive definite`;
      return { status: "breakdown", happened, advice: "take a positive definite preconditioner" };
    }
    const next = await extendedBy(space, scaled(1 / (norm(z) || 1), toPrecision(z, dtype)), { plan, state });
    if ("status" in next) return next;
    space = next;
  }
  const { S } = space;
  const W = { rows: S.rows, columns: S.columns - before, data: S.data.subarray(S.rows * before) };
  if (W.columns === 0) return { ...state, steps: state.steps + 1, residualNorms: state.residualNorms.map(() => 0) };
  const made = await run.block(W, () => state);
  if (made.interruption) return made.interruption;
  const known = [...columnsOf(state.ax), ...columnsOf(state.ap), ...made.columns];
  return minimized(state, { plan, space, AS: joined(state.columns, known, dtype) });
}

/** The vectors and the last directions, with room for more. */
function knownSpace(state: LobpcgState, room: { readonly capacity: number; readonly dtype: Precision }): TrialSpace {
  const both = (x: Matrix, p: Matrix) => columnsOf(p).reduce(withColumn, growingBasis(x, room));
  const S = both(state.x, state.p);
  return { S, BS: state.metric && both(state.metric.x, state.metric.p) };
}

/** The space with one more vector, unless it adds nothing but rounding. Of a generalized problem takes one product with B. */
async function extendedBy(
  space: TrialSpace,
  direction: Vector,
  { plan, state }: { readonly plan: LobpcgPlan; readonly state: LobpcgState },
): Promise<TrialSpace | LobpcgEnding> {
  const dtype = precision(plan.A);
  const arithmetic = arithmeticOf(plan.A);
  if (!space.BS || !plan.metric) {
    const found = await orthogonalize(direction, space.S, arithmetic);
    if (found.norm <= 1e3 * epsilon(dtype)) return space;
    return { S: withColumn(space.S, scaled(1 / found.norm, found.vector)) };
  }
  const w = await obliquelyProjected(direction, { S: space.S, BS: space.BS }, { arithmetic, dtype });
  if (!w) return space;
  const Bw = await plan.metric.matvec(w, () => state);
  if (isInterruption(Bw)) return Bw;
  const image = toPrecision(Bw, dtype);
  const squared = dot(w, image);
  const rounding = 16 * epsilon(dtype) * Math.max(state.metric?.scale ?? 0, norm(image));
  if (squared < -rounding) return notDefinite(`has negative curvature ${squared.toPrecision(3)} along a direction`);
  if (squared <= rounding) return notDefinite("is singular along a direction, to rounding", "breakdown");
  const size = Math.sqrt(squared);
  return { S: withColumn(space.S, scaled(1 / size, w)), BS: withColumn(space.BS, scaled(1 / size, image)) };
}

function notDefinite(what: string, status: Status = "indefinite"): LobpcgEnding {
  return { status, happened: `B ${what}, and has to be positive definite`, advice: "damp B, or take another" };
}

/** `w - S (B S)' w` of length 1 for w of length 1, again until a pass leaves most of it; undefined where it lies in the span to rounding. */
async function obliquelyProjected(
  w: Vector,
  { S, BS }: { readonly S: Matrix; readonly BS: Matrix },
  { arithmetic, dtype }: { readonly arithmetic: typeof hostArithmetic; readonly dtype: Precision },
): Promise<Vector | undefined> {
  if (S.columns === 0) return w;
  let vector = w;
  for (let pass = 1; pass <= 4; pass++) {
    vector = await arithmetic.subtract(vector, S, await arithmetic.project(BS, vector));
    const left = norm(vector);
    if (left <= 1e3 * epsilon(dtype)) return undefined;
    scal(1 / left, vector);
    if (pass > 1 && left > Math.SQRT1_2) return vector;
  }
  return undefined;
}

/**
 * The foremost Ritz vectors of the orthonormal S, and what of them lies outside of the vectors before: with coordinates Y, the directions are
 * Y without its first rows, made orthogonal to Y in coordinates, which keeps them orthogonal to x without touching long vectors.
 */
async function minimized(
  state: LobpcgState,
  { plan, space, AS }: { readonly plan: LobpcgPlan; readonly space: TrialSpace; readonly AS: Matrix },
): Promise<LobpcgState> {
  const { S, BS } = space;
  const { values, vectors } = await eigh(transposedProduct(S, AS));
  const m = S.columns;
  const dtype = precision(plan.A);
  const order = Array.from(values, (_, i) => (plan.sign === 1 ? i : m - 1 - i)).slice(0, plan.size);
  const foremost = order.map((i) => column(vectors, i));
  const Y = joined(m, foremost, "float64");
  const directions = await outerDirections(Y, state.ax.columns === 0 ? m : state.x.columns);
  const arithmetic = arithmeticOf(plan.A);
  const times = (Q: Matrix, C: Matrix) => (C.columns === 0 ? noColumns(Q.rows, dtype) : arithmetic.combine(Q, C));
  const metric = BS && {
    x: await times(BS, Y),
    p: await times(BS, directions),
    scale: Math.max(state.metric?.scale ?? 0, largestQuotient(BS, S)),
  };
  const size = BS ? largestQuotient(AS, S) : maxAbs(values);
  const next = {
    ...state,
    matvecs: plan.run.used,
    steps: state.steps + 1,
    x: await times(S, Y),
    ax: await times(AS, Y),
    p: await times(S, directions),
    ap: await times(AS, directions),
    metric,
    values: Float64Array.from(order, (i) => values[i]!),
    scale: Math.max(state.scale, size),
  };
  return { ...next, residualNorms: Float64Array.from(order, (_, i) => norm(residual(next, i))) };
}

/** Largest `||A s|| / ||s||` over the columns. */
function largestQuotient(AS: Matrix, S: Matrix): number {
  return columnsOf(AS).reduce((so, y, j) => Math.max(so, norm(y) / norm(column(S, j))), 0);
}

/** Orthonormal coordinates of the part of Y below its first rows, orthogonal to Y. */
async function outerDirections(Y: Matrix, inner: number): Promise<Matrix> {
  const m = Y.rows;
  let basis = growingBasis(Y, { capacity: 2 * Y.columns, dtype: "float64" });
  for (let j = 0; j < Y.columns && basis.columns < m; j++) {
    const outer = column(Y, j).slice();
    outer.fill(0, 0, inner);
    const size = norm(outer);
    if (size === 0) continue;
    const found = await orthogonalize(scaled(1 / size, outer), basis, hostArithmetic);
    if (found.norm > 1e-10) basis = withColumn(basis, scaled(1 / found.norm, found.vector));
  }
  const count = basis.columns - Y.columns;
  return { rows: m, columns: count, data: basis.data.slice(m * Y.columns, m * basis.columns) };
}

/** `A x - value x`, or `A x - value B x`, of the i-th Ritz pair. */
function residual({ x, ax, values, metric }: Omit<LobpcgState, "residualNorms">, i: number): Vector {
  const r = column(ax, i).slice();
  axpy(-values[i]!, column(metric?.x ?? x, i), r);
  return r;
}

/**
 * The size that the residual norm of the i-th pair is measured by: the largest |Ritz value|; of a generalized problem
 * `(||A|| + |value| ||B||) ||x||`, both norms estimated from below, which makes the quotient the pair's backward error.
 */
export function residualScale({ scale, values, metric, x }: LobpcgState, i: number): number {
  if (!metric) return scale;
  return (scale + Math.abs(values[i]!) * metric.scale) * norm(column(x, i));
}

function columnsOf(X: Matrix): readonly Vector[] {
  return Array.from({ length: X.columns }, (_, j) => column(X, j));
}

/** A matrix without columns. */
export function noColumns(rows: number, dtype: Precision): Matrix {
  return { rows, columns: 0, data: zeros(0, dtype) };
}

function joined(rows: number, columns: readonly Vector[], dtype: Precision): Matrix {
  const data = zeros(rows * columns.length, dtype);
  columns.forEach((x, j) => {
    data.set(x, j * rows);
  });
  return { rows, columns: columns.length, data };
}
