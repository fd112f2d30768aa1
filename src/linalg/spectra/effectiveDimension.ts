import { CurvatureError } from "../../errors/index.ts";
import { checkNonnegative } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { QUADRATURE_OPTIONS } from "./lanczosQuadrature.ts";
import { type BoundedSum, type SpectralSumOptions, summed } from "./spectralSum.ts";

/** An estimated effective dimension. */
export interface EffectiveDimension extends Omit<BoundedSum, "value"> {
  readonly dimension: number;
}

/**
 * Effective dimension `tr A (A + damping I)^-1 = sum_i lambda_i / (lambda_i + damping)` of a positive semidefinite matrix: the number of
 * directions that A determines against a prior of precision `damping` (MacKay, 1992: the effective number of parameters). By stochastic
 * Lanczos quadrature, with the bounds of `logDeterminant`. At most `steps * probes` products.
 *
 * @throws CurvatureError "argument" or "shape" for options or operators it cannot take; whatever the operator throws, with `state`
 */
export async function effectiveDimension(
  A: LinearOperator,
  options: SpectralSumOptions & { readonly damping: number },
): Promise<EffectiveDimension> {
  checkOptions("effectiveDimension", options, `${QUADRATURE_OPTIONS} confidence tolerance damping`);
  const { damping } = options;
  checkNonnegative("effectiveDimension", "damping", damping);
  if (damping === 0) {
    const message = "effectiveDimension expects damping to be positive, got 0; without damping it is the rank";
    throw new CurvatureError("argument", message);
  }
  const f = (x: number) => x / (x + damping);
  const { value, ...rest } = await summed(A, { ...options, name: "effectiveDimension", f, smallest: 0 });
  return { dimension: value, ...rest };
}
