import {
  compose,
  type Estimate,
  functionOperator,
  hutchinsonTrace,
  type LinearOperator,
  type RunOptions,
} from "../../linalg/index.ts";
import { checkCount, checkSeed } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { dot, norm } from "../../linalg/vectors/vector.ts";
import { gradientCovariance, hessian, type Risk } from "../../operators/index.ts";
import { checkRiskFor } from "./sharpnessRun.ts";

/** Options of `gradientNoiseScale`. */
export interface GradientNoiseOptions extends RunOptions {
  readonly seed: number;
  /** Products for each of two traces, at least 2; 100 by default. They are exact from `risk.size` on. */
  readonly matvecs?: number;
}

/** The noise of stochastic gradients over their mean. */
export interface GradientNoiseScale {
  /** `tr S / |g|^2`, S the covariance of the rows' gradients: rows of a batch at which noise and gradient are as large (simple noise scale). */
  readonly simple: Estimate;
  /** `tr(H S) / (g' H g)`, rows of a batch at which a step of stochastic gradient descent gains half of what the full gradient would. */
  readonly hessianWeighted: Estimate;
  /** `tr S` */
  readonly covarianceTrace: Estimate;
  /** `|g|`, g the gradient over all rows. */
  readonly gradientNorm: number;
  /** `g' H g`. Where it is negative, `hessianWeighted` has no meaning. */
  readonly curvatureAlongGradient: number;
  readonly matvecs: number;
  readonly message: string;
}

const NAME = "gradientNoiseScale";

/**
 * Gradient-noise scale (McCandlish et al., 2018, equations 2.8 and 2.9) of the whole data set, in rows: batches below it average out noise almost in
 * proportion to their size, batches far above it gain little. The traces are Hutchinson's estimates; standard errors are theirs, since |g| is exact for
 * these rows. `2 matvecs` products with the covariance (about one and a half gradients each), `matvecs + 1` with the Hessian.
 *
 * @throws CurvatureError "argument" for options it cannot take, "unsupported" for a risk with `coupledRows`, "aborted" when the signal fires
 */
export async function gradientNoiseScale(risk: Risk, options: GradientNoiseOptions): Promise<GradientNoiseScale> {
  checkRiskFor(NAME, risk);
  checkOptions(NAME, options, "seed matvecs signal onProgress");
  const { seed, matvecs = 100, signal } = options;
  checkSeed(NAME, seed);
  checkCount(NAME, "matvecs", matvecs);
  const run = signal ? { signal } : {};
  const [S, H] = [gradientCovariance(risk), hessian(risk)];
  const g = await risk.gradient(run);
  const squared = dot(g, g);
  const curvature = dot(g, await H.matvec(g, run));
  const covariance = await hutchinsonTrace(S, { matvecs, seed, ...run });
  const weighted = await hutchinsonTrace(product(H, S), { matvecs, seed, ...run });
  const over = ({ trace, standardError }: typeof covariance, by: number): Estimate => ({
    value: trace / by,
    standardError: standardError / Math.abs(by),
  });
  const simple = over(covariance, squared);
  return {
    simple,
    hessianWeighted: over(weighted, curvature),
    covarianceTrace: over(covariance, 1),
    gradientNorm: norm(g),
    curvatureAlongGradient: curvature,
    matvecs: 1 + covariance.matvecs + 2 * weighted.matvecs,
    message: `noise and gradient are as large in batches of ${simple.value.toPrecision(3)} rows, standard error ${simple.standardError.toPrecision(2)}; there are ${risk.rows} rows${curvature > 0 ? "" : "; the curvature along the gradient is not positive, so hessianWeighted has no meaning"}`,
  };
}

/** `H S`, whose trace is that of its symmetric part. */
function product(H: LinearOperator, S: LinearOperator): LinearOperator {
  const HS = compose(H, S);
  return functionOperator({ shape: H.shape, dtype: H.dtype, matvec: (x, run) => HS.matvec(x, run) });
}
