import { checkObject } from "../../errors/index.ts";
import type { RunOptions } from "../../linalg/index.ts";
import { logLikelihood } from "./fitSummary.ts";
import type { LaplacePosterior } from "./laplacePosterior.ts";
import type { EstimatedNumber } from "./posteriorPrecision.ts";
import { priorEnergy } from "./prior.ts";

/** The evidence of a posterior, in nats, and what it consists of. */
export interface LogMarginalLikelihood extends EstimatedNumber {
  /** `(1 / T) sum log p(y | f)` at the trained weights, of the whole likelihood: terms that losses leave out are in it. */
  readonly logLikelihood: number;
  /** `log det P - log det P0`. */
  readonly logdetRatio: number;
  /** `(theta - mu)' P0 (theta - mu)`. */
  readonly priorEnergy: number;
}

/**
 * Log marginal likelihood (evidence) of a Laplace approximation,
 *
 *     log Z = (1 / T) sum log p(y | f) - 1/2 [ log det P - log det P0 + (theta - mu)' P0 (theta - mu) ]
 *
 * (MacKay, 1992, equation 2.5), up to a term of T that does not depend on the prior. Exact for structured matrices; for products alone an estimate with
 * its standard error. No pass over the data but for the latter.
 */
export async function logMarginalLikelihood(
  posterior: LaplacePosterior,
  options: RunOptions = {},
): Promise<LogMarginalLikelihood> {
  checkPosterior("logMarginalLikelihood", posterior);
  const { precision, prior, mean, fit, likelihood } = posterior;
  const logdet = await precision.logdet(options);
  const ratio = logdet.value - prior.precision.reduce((sum, d) => sum + Math.log(d), 0);
  const energy = priorEnergy(prior, mean);
  const likely = logLikelihood(fit, likelihood);
  return {
    value: likely - (ratio + energy) / 2,
    standardError: logdet.standardError / 2,
    matvecs: logdet.matvecs,
    logLikelihood: likely,
    logdetRatio: ratio,
    priorEnergy: energy,
  };
}

/** @throws CurvatureError "argument" for anything but a posterior */
export function checkPosterior(name: string, posterior: LaplacePosterior): void {
  checkObject(posterior, `${name} expects a posterior, as await laplace(risk) gives it`, ["precision", "prior", "fit"]);
}
