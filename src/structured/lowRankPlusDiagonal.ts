import { CurvatureError } from "../errors/index.ts";
import { eigsh } from "../linalg/eigenvalues/index.ts";
import type { LinearOperator, RunOptions } from "../linalg/operator/operator.ts";
import { checkOptions } from "../linalg/operator/options.ts";
import type { Vector } from "../tensors/index.ts";
import { lowRankPlusDiagonalBlock } from "./blocks/index.ts";
import { type StructuredOperator, structuredOperator } from "./structuredOperator.ts";

/** Options of an approximation by leading eigenpairs and the diagonal of the rest. */
export interface LowRankOptions extends RunOptions {
  /** Number of eigenpairs. */
  readonly rank: number;
  /** diag(A), [n]; default: the operator's own, if it knows it. */
  readonly diagonal?: Vector | undefined;
  readonly seed: number;
  /** Relative accuracy of the eigenpairs; default that of `eigsh`. */
  readonly tolerance?: number | undefined;
  /** Budget of products; default that of `eigsh`. */
  readonly matvecs?: number | undefined;
}

/** The approximation and how its eigenpairs were found. */
export interface LowRankMatrix extends StructuredOperator {
  /** The eigenvalues, by falling magnitude, [rank]. */
  readonly values: Float64Array;
  /** What the diagonal of the rest lacked where it would have been negative, as a share of the trace of |diag(A)|. */
  readonly clippedDiagonal: number;
  /** Status of `eigsh`. */
  readonly status: string;
  readonly matvecs: number;
}

/**
 * `V diag(l) V' + diag(r)` for a symmetric matrix A: its `rank` eigenpairs of largest magnitude, and what they leave of its diagonal, r =
 * max(diag(A) - diag(V diag(l) V'), 0). Negative eigenvalues are kept; inverse and log-determinant then need a damping that makes the sum
 * positive definite. Costs `eigsh` with k = rank, about one to three products an eigenpair, and n rank numbers.
 *
 * @throws CurvatureError "argument" without a diagonal, "shape" for one of another length; whatever `eigsh` throws
 */
export async function lowRankPlusDiagonal(A: LinearOperator, options: LowRankOptions): Promise<LowRankMatrix> {
  checkOptions("lowRankPlusDiagonal", options, "rank diagonal seed tolerance matvecs signal onProgress");
  const { rank, seed, diagonal = await A.diagonal?.(), ...rest } = options;
  const [n] = A.shape;
  if (diagonal === undefined) {
    throw new CurvatureError(
      "argument",
      "lowRankPlusDiagonal: this operator does not know its diagonal; pass { diagonal }, exact from diagonal(risk) or estimated by hutchinsonDiagonal",
    );
  }
  if (diagonal.length !== n) {
    throw new CurvatureError(
      "shape",
      `lowRankPlusDiagonal: the diagonal must have ${n} entries, got ${diagonal.length}`,
    );
  }
  const { values, vectors, status, matvecs } = await eigsh(A, { ...given(rest), seed, k: rank, which: "magnitude" });
  const V = { rows: n, columns: values.length, data: Float64Array.from(vectors.data) };
  const l = Float64Array.from(values);
  const { remaining, clipped } = remainder(diagonal, { V: V.data, l });
  const block = lowRankPlusDiagonalBlock({ vectors: V, values: l, diagonal: remaining });
  const placed = {
    block,
    name: "all parameters",
    parameters: [],
    place: { offset: 0 },
    reason: `${l.length} eigenpairs and the diagonal of the rest`,
  };
  const operator = structuredOperator({ size: n, dtype: A.dtype, blocks: [placed] });
  return { ...operator, values: l, clippedDiagonal: clipped, status, matvecs };
}

/** The options that are not undefined. */
function given<T extends object>(options: T): { [name in keyof T]: NonNullable<T[name]> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [name in keyof T]: NonNullable<T[name]>;
  };
}

function remainder(
  diagonal: Vector,
  { V, l }: { readonly V: Float64Array; readonly l: Float64Array },
): { readonly remaining: Float64Array; readonly clipped: number } {
  const n = diagonal.length;
  const remaining = Float64Array.from(diagonal);
  for (let k = 0; k < l.length; k++) for (let i = 0; i < n; i++) remaining[i] -= l[k] * V[k * n + i] ** 2;
  let [lost, whole] = [0, 0];
  for (let i = 0; i < n; i++) {
    lost += Math.max(-remaining[i], 0);
    whole += Math.abs(diagonal[i]);
    remaining[i] = Math.max(remaining[i], 0);
  }
  return { remaining, clipped: whole === 0 ? 0 : lost / whole };
}
