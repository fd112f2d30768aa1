import { CurvatureError } from "../errors/index.ts";
import { compose, damped } from "../linalg/algebra/index.ts";
import { eigsh } from "../linalg/eigenvalues/index.ts";
import type { LinearOperator, RunOptions } from "../linalg/operator/operator.ts";
import { checkOptions } from "../linalg/operator/options.ts";
import { checkConfidence } from "../linalg/statistics/confidence.ts";
import { probe } from "../linalg/vectors/probes.ts";
import { stream } from "../random/index.ts";
import type { Vector } from "../tensors/index.ts";
import { indicesOf } from "./blocks/index.ts";
import { type ErrorSample, type RelativeError, relativeError } from "./relativeError.ts";
import type { StructuredOperator } from "./structuredOperator.ts";

/** Options of the comparison of a matrix with its approximation. */
export interface ApproximationErrorOptions extends RunOptions {
  /** Random vectors; each takes a product with the matrix, or one a block where errors are asked for block by block. */
  readonly probes?: number | undefined;
  readonly seed: number;
  /** Probability that the interval holds the truth; default 0.95. */
  readonly confidence?: number | undefined;
  /** Whether to compare block by block; default false. */
  readonly byBlock?: boolean | undefined;
  /** Damping d at which the gain as a preconditioner is measured; it is not without. */
  readonly damping?: number | undefined;
}

/** What an approximation makes of a matrix. */
export interface ApproximationError extends RelativeError {
  /** Each block's own error, |A_bb - K_bb| / |A_bb|, in the order of the blocks; with `byBlock`. */
  readonly blocks?: readonly (RelativeError & { readonly name: string })[];
  /** The share of |A|^2 that lies outside of all blocks, which no block-diagonal matrix can have; with `byBlock`. */
  readonly outside?: number;
  /** Extreme eigenvalues of (K + d I)^-1 (A + d I), and their ratio, on which the steps of CG depend; with `damping`. */
  readonly preconditioned?: {
    readonly largest: number;
    readonly smallest: number;
    readonly condition: number;
    /** How the searches for both ended. */
    readonly status: string;
    readonly matvecs: number;
  };
  /** Products with the matrix. */
  readonly matvecs: number;
}

/**
 * How near a structured matrix K is to the matrix A that it approximates: the relative error in Frobenius norm, from random vectors z with E[z z'] =
 * I as the root of `sum |A z - K z|^2 / sum |A z|^2`, with the standard error of a ratio; block by block where asked; and the eigenvalues of the
 * preconditioned matrix.
 *
 * @throws CurvatureError "shape" for matrices of different sizes, "argument" for options out of range
 */
export async function approximationError(
  A: LinearOperator,
  K: StructuredOperator,
  options: ApproximationErrorOptions,
): Promise<ApproximationError> {
  checkOptions("approximationError", options, "probes seed confidence byBlock damping signal onProgress");
  const { probes = 20, seed, confidence = 0.95, byBlock = false, damping, signal } = options;
  checkSizes(A, K);
  checkConfidence("approximationError", confidence);
  if (!(Number.isInteger(probes) && probes >= 2)) {
    throw new CurvatureError(
      "argument",
      `approximationError: probes must be an integer of at least 2, got ${String(probes)}`,
    );
  }
  const run = signal === undefined ? {} : { signal };
  const how = { probes, seed, confidence, run };
  const compared = byBlock ? await errorByBlock(A, K, how) : await wholeError(A, K, how);
  if (damping === undefined) return compared;
  const gain = await preconditioned(A, K, { damping, seed });
  return { ...compared, preconditioned: gain, matvecs: compared.matvecs + gain.matvecs };
}

function checkSizes(A: LinearOperator, K: LinearOperator): void {
  if (A.shape[0] === K.shape[0] && A.shape[1] === K.shape[1]) return;
  throw new CurvatureError(
    "shape",
    `approximationError: the matrix is ${A.shape.join(" x ")}, its approximation ${K.shape.join(" x ")}`,
  );
}

interface How {
  readonly probes: number;
  readonly seed: number;
  readonly confidence: number;
  readonly run: RunOptions;
}

function randomVectors({ shape: [n], dtype }: LinearOperator, { probes, seed }: How): Vector[] {
  const random = stream(seed, "approximation error");
  return Array.from({ length: probes }, () => probe(n, { distribution: "signs", stream: random, dtype }));
}

async function wholeError(A: LinearOperator, K: LinearOperator, how: How): Promise<ApproximationError> {
  const samples: ErrorSample[] = [];
  for (const z of randomVectors(A, how)) {
    const [y, x] = [await A.matvec(z, how.run), await K.matvec(z, how.run)];
    samples.push({ error: squaredDistance(y, x), whole: squaredNorm(y) });
  }
  return { ...relativeError(samples, how), matvecs: how.probes };
}

/** A product with each block's part of each probe: its entries within the block are A_bb z_b, all others belong to no block. */
async function errorByBlock(A: LinearOperator, K: StructuredOperator, how: How): Promise<ApproximationError> {
  const { blocks } = K;
  const own: ErrorSample[][] = blocks.map(() => []);
  const all: ErrorSample[] = [];
  let [beside, total] = [0, 0];
  for (const z of randomVectors(A, how)) {
    const x = await K.matvec(z, how.run);
    const sum = { error: 0, whole: 0 };
    for (const [index, placed] of blocks.entries()) {
      const indices = indicesOf(placed);
      const part = z.slice().fill(0);
      for (const entry of indices) part[entry] = z[entry];
      const y = await A.matvec(part, how.run);
      const inside = { error: 0, whole: 0 };
      for (const entry of indices) {
        inside.error += (y[entry] - x[entry]) ** 2;
        inside.whole += y[entry] ** 2;
      }
      const norm = squaredNorm(y);
      own[index].push(inside);
      beside += norm - inside.whole;
      total += norm;
      sum.error += norm - inside.whole + inside.error;
      sum.whole += norm;
    }
    all.push(sum);
  }
  return {
    ...relativeError(all, how),
    blocks: blocks.map(({ name }, index) => ({ name, ...relativeError(own[index], how) })),
    outside: total === 0 ? 0 : beside / total,
    matvecs: how.probes * blocks.length,
  };
}

function squaredNorm(x: Vector): number {
  let sum = 0;
  for (const value of x) sum += value * value;
  return sum;
}

function squaredDistance(x: Vector, y: Vector): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += (x[i] - y[i]) ** 2;
  return sum;
}

/** The extreme eigenvalues of S' (A + d I) S, S S' = (K + d I)^-1, which are those of (K + d I)^-1 (A + d I). */
async function preconditioned(
  A: LinearOperator,
  K: StructuredOperator,
  { damping, seed }: { readonly damping: number; readonly seed: number },
) {
  const S = K.inverseRoot({ damping });
  const B = compose(S.adjoint!(), compose(damped(A, damping), S), { symmetric: true, psd: A.psd });
  const options = { k: 1, seed, tolerance: 1e-3 };
  const top = await eigsh(B, { ...options, which: "largest" });
  const bottom = await eigsh(B, { ...options, which: "smallest" });
  const [largest, smallest] = [top.values[0], bottom.values[0]];
  const status = top.status === bottom.status ? top.status : `${top.status}, ${bottom.status}`;
  const matvecs = top.matvecs + bottom.matvecs;
  return { largest, smallest, condition: largest / smallest, status, matvecs };
}
