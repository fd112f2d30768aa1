import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import type { Outcome } from "../runs/result.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import {
  type LanczosQuadratureOptions,
  QUADRATURE_OPTIONS,
  type QuadratureWatch,
  quadratureSteps,
} from "./lanczosQuadrature.ts";
import { checkPart, type PartMass, partMass, type SpectrumPart } from "./massFromQuadrature.ts";

/** Options of `spectralMass`. */
export interface SpectralMassOptions extends LanczosQuadratureOptions, SpectrumPart {
  /** Probability that the interval holds the truth; 0.95 by default. */
  readonly confidence?: number | undefined;
  /**
   * Stops once half the interval is at most this share of all eigenvalues. The run looks after 32, 48, 72, ... probes and the last, and its
   * intervals hold for all looks together with probability `confidence`. `probes` is then the most that are drawn.
   */
  readonly tolerance?: number | undefined;
}

const NAME = "spectralMass";

/**
 * Fraction of the eigenvalues of a symmetric matrix in `(from, to]`, by default of those that are not positive, by stochastic Lanczos
 * quadrature (Lin, Saad and Yang, 2016; Chen, Trogdon and Ubaru, 2021): the negative mass of a Hessian, say. Times n it is the number of
 * eigenvalues. At most `steps * probes` products. Of an existing run `massFromQuadrature` gives as many parts as wanted at no product.
 *
 * @throws CurvatureError "argument" or "shape" for options or operators it cannot take; whatever the operator throws, with `state`
 */
export async function spectralMass(A: LinearOperator, options: SpectralMassOptions): Promise<PartMass & Outcome> {
  checkOptions(NAME, options, `${QUADRATURE_OPTIONS} confidence tolerance from to width`);
  checkPart(NAME, options);
  const { tolerance, from, to, width, ...setup } = options;
  const part = { from, to, width };
  const watch: QuadratureWatch | undefined =
    tolerance === undefined
      ? undefined
      : {
          tolerance,
          of: "all eigenvalues",
          half: async (rules, how) => {
            const { value, interval } = partMass(rules, { ...part, how });
            return Math.max(interval.upper - value, value - interval.lower);
          },
        };
  const run = await runToEnd(quadratureSteps(A, { ...setup, name: NAME, watch }));
  const { status, message, matvecs } = run;
  return { ...partMass(run, { ...part, how: run.certainty }), status, message, matvecs };
}
