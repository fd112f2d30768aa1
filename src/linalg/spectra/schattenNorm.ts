import { CurvatureError } from "../../errors/index.ts";
import { gramBudget, gramOf } from "../algebra/gram.ts";
import { checkCount, checkOperator } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import type { Outcome } from "../runs/result.ts";
import type { Interval } from "../statistics/confidence.ts";
import { type SpectralSumOptions, summed, transformed } from "./spectralSum.ts";

/** Options of `schattenNorm`; `matvecs` counts products with A and with its transpose. */
export interface SchattenNormOptions extends Omit<SpectralSumOptions, "deflation"> {
  /** Exponent p >= 1: 1 is the nuclear norm, 2 the Frobenius norm. */
  readonly p: number;
}

/** An estimated Schatten norm. */
export interface SchattenNorm extends Outcome {
  readonly norm: number;
  /** To first order, from that of the sum of powers. */
  readonly standardError: number;
  /** Holds the norm with the asked confidence, apart from the error of the quadrature, which falls fast with `steps`. */
  readonly interval: Interval;
}

const NAME = "schattenNorm";

/**
 * Schatten norm `||A||_p = (sum_i sigma_i^p)^(1/p)` over the singular values of a matrix of any shape, by stochastic Lanczos quadrature of A
 * where it is symmetric (`|x|^p`), else of `A'A` (`x^(p/2)`; needs the adjoint). At most `steps * probes` products, twice that where A is not
 * symmetric. For p = 2 `squaredFrobeniusNorm` is cheaper, for p = Infinity there is `spectralNorm`. Powers that are not even have a kink at
 * zero and need more steps where eigenvalues crowd there.
 *
 * @throws CurvatureError "argument", "shape" or "unsupported" for options or operators it cannot take; whatever the operator throws, with
 * `state`
 */
export async function schattenNorm(A: LinearOperator, options: SchattenNormOptions): Promise<SchattenNorm> {
  checkOptions(
    NAME,
    options,
    "p state tolerance matvecs seed confidence distribution steps probes reorthogonalize signal onProgress",
  );
  checkOperator(NAME, A);
  const { p, steps, probes } = options;
  if (!(p >= 1 && p < Number.POSITIVE_INFINITY)) {
    const message = `${NAME} expects p to be a number from 1, got ${String(p)}; spectralNorm is the one for Infinity`;
    throw new CurvatureError("argument", message);
  }
  const { B, cost } = gramOf(A);
  if (options.matvecs !== undefined) checkCount(NAME, "matvecs", options.matvecs);
  const matvecs = gramBudget(NAME, { matvecs: options.matvecs ?? cost * steps * probes, cost });
  const f = cost === 1 ? (x: number) => Math.abs(x) ** p : (x: number) => Math.max(x, 0) ** (p / 2);
  const root = (x: number) => Math.max(x, 0) ** (1 / p);
  const sum = await summed(B, { ...options, matvecs, name: NAME, f, watched: root });
  const norm = transformed(sum, { g: root, derivative: (x) => root(x) / (p * x) });
  const { lower, upper } = sum.interval;
  return {
    norm: norm.value,
    standardError: norm.value === 0 ? 0 : norm.standardError,
    interval: { ...sum.interval, lower: root(lower), upper: root(upper) },
    status: sum.status,
    message: sum.message,
    matvecs: cost * sum.matvecs,
  };
}
