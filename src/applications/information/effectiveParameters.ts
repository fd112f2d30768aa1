import { CurvatureError, checkObject } from "../../errors/index.ts";
import {
  type Estimate,
  effectiveDimension,
  hutchinsonTrace,
  type LinearOperator,
  logDeterminant,
  type RunOptions,
  scale,
} from "../../linalg/index.ts";
import { checkCount, checkSeed } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { ggn, type Risk } from "../../operators/index.ts";
import { checkPositive } from "../checkPositive.ts";

/** Options of estimates from the spectrum of a matrix. */
export interface SpectrumOptions extends RunOptions {
  readonly seed: number;
  /** A positive semidefinite matrix of the mean loss: any operator; default: the Gauss-Newton matrix. */
  readonly matrix?: LinearOperator;
  /** Random vectors; 10 by default. */
  readonly probes?: number;
  /** Lanczos steps for each, one product each; 60 by default. */
  readonly steps?: number;
}

/** Options of `effectiveParameters`. */
export interface EffectiveParametersOptions extends SpectrumOptions {
  /** Precision of the prior on each weight, in units of the summed loss: weight decay times the number of rows. */
  readonly alpha: number;
}

/** An estimate from a spectrum. */
export interface SpectrumEstimate extends Estimate {
  /** Interval of 95 % confidence, with what the quadrature leaves open. */
  readonly lower: number;
  readonly upper: number;
  readonly matvecs: number;
  readonly message: string;
}

/**
 * Effective number of parameters `gamma = sum_i l_i / (l_i + alpha)` (MacKay, 1992), l_i the eigenvalues of the matrix of the *summed* loss: the number of directions
 * that the data determine against a prior of precision alpha. By stochastic Lanczos quadrature. At most `steps * probes` products.
 *
 * @throws CurvatureError "argument" for options it cannot take, "aborted" when the signal fires
 */
export async function effectiveParameters(risk: Risk, options: EffectiveParametersOptions): Promise<SpectrumEstimate> {
  const name = "effectiveParameters";
  checkOptions(name, options, "alpha seed matrix probes steps signal onProgress");
  const { alpha, seed, matrix, probes, steps } = checked(name, risk, options);
  checkPositive(name, "alpha", alpha);
  const summed = scale(matrix, rowsOf(risk));
  const run = { ...(options.signal && { signal: options.signal }) };
  const found = await effectiveDimension(summed, { damping: alpha, probes, steps, seed, ...run });
  return estimateOf(name, { ...found, value: found.dimension });
}

/** Options of `localEffectiveDimension`. */
export interface LocalEffectiveDimensionOptions extends SpectrumOptions {
  /** Resolution from above 0 to 1; 1 by default. */
  readonly gamma?: number;
}

/**
 * Effective dimension at one point `log det(I + k F) / log k` with `k = gamma n / (2 pi log n)` and `F = D G / tr G` (Abbas et al., 2021, equation 2, without the mean over weights).
 * The scale of the matrix does not matter. By stochastic Lanczos quadrature; the trace by as many products as it takes more.
 *
 * @throws CurvatureError "argument" for options it cannot take or a data set so small that k is not above 1, "aborted" when the signal fires
 */
export async function localEffectiveDimension(
  risk: Risk,
  options: LocalEffectiveDimensionOptions,
): Promise<SpectrumEstimate & { readonly kappa: number }> {
  const name = "localEffectiveDimension";
  checkOptions(name, options, "gamma seed matrix probes steps signal onProgress");
  const { seed, matrix, probes, steps, gamma = 1 } = checked(name, risk, options);
  checkPositive(name, "gamma", gamma);
  const rows = rowsOf(risk);
  const kappa = (gamma * rows) / (2 * Math.PI * Math.log(rows));
  if (!(kappa > 1)) {
    throw new CurvatureError(
      "argument",
      `${name} expects gamma n / (2 pi log n) above 1, got ${kappa.toPrecision(3)} for ${rows} rows; it is not defined for so few`,
    );
  }
  const run = { ...(options.signal && { signal: options.signal }) };
  const { trace, standardError, matvecs } = await hutchinsonTrace(matrix, {
    matvecs: Math.max(probes, 2),
    seed,
    ...run,
  });
  const factor = (kappa * risk.size) / trace;
  const found = await logDeterminant(scale(matrix, factor), { damping: 1, probes, steps, seed, ...run });
  // d log det(I + c G) / d log c is at most D and at least the effective dimension; the latter is what the trace's error is multiplied by.
  const share =
    (standardError / trace) *
    (await effectiveDimension(scale(matrix, factor), { damping: 1, probes, steps, seed, ...run })).dimension;
  const size = Math.log(kappa);
  const result = {
    ...found,
    value: found.logdet / size,
    standardError: Math.hypot(found.standardError, share) / size,
    interval: { lower: (found.interval.lower - 2 * share) / size, upper: (found.interval.upper + 2 * share) / size },
    matvecs: 2 * found.matvecs + matvecs,
  };
  return { ...estimateOf(name, result), kappa };
}

function checked<Options extends SpectrumOptions>(name: string, risk: Risk, options: Options) {
  checkObject(risk, `${name} expects a risk made by empiricalRisk`, ["model", "parameters", "engine"]);
  const { seed, probes = 10, steps = 60, matrix = ggn(risk) } = options;
  checkSeed(name, seed);
  checkCount(name, "probes", probes);
  checkCount(name, "steps", steps);
  return { ...options, matrix, probes, steps };
}

/** Rows of the data set: the factor from a mean loss to a sum. */
function rowsOf({ shard }: Risk): number {
  return shard.rows;
}

function estimateOf(
  name: string,
  {
    value,
    standardError,
    interval: { lower, upper },
    matvecs,
    status,
    message,
  }: {
    readonly value: number;
    readonly standardError: number;
    readonly interval: { readonly lower: number; readonly upper: number };
    readonly matvecs: number;
    readonly status: string;
    readonly message: string;
  },
): SpectrumEstimate {
  if (status === "aborted") throw new CurvatureError("aborted", `${name}: ${message}`);
  return { value, standardError, lower, upper, matvecs, message };
}
