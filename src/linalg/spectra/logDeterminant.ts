import { checkNonnegative } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { QUADRATURE_OPTIONS } from "./lanczosQuadrature.ts";
import { type BoundedSum, type SpectralSumOptions, summed } from "./spectralSum.ts";

/** Options of `logDeterminant`. */
export interface LogDeterminantOptions extends SpectralSumOptions {
  /** Default 0. */
  readonly damping?: number | undefined;
  /** Lower bound on the eigenvalues of A, by which the quadrature is bounded from below; 0 by default. */
  readonly smallest?: number | undefined;
}

/** An estimated log-determinant. */
export interface LogDeterminant extends Omit<BoundedSum, "value"> {
  readonly logdet: number;
}

/**
 * Log-determinant `log det(A + damping I) = tr log(A + damping I)` of a positive definite matrix, by stochastic Lanczos quadrature (Bai,
 * Fahey and Golub, 1996; Ubaru, Chen and Saad, 2017), with the Gauss rule as upper and the Gauss-Radau rule at `smallest` as lower bound on
 * what the number of steps leaves open. The lower one is -Infinity where damping and `smallest` are both 0. At most `steps * probes`
 * products; the steps needed grow with the root of the condition number. An operator that knows its own has `A.logdet`, which costs no
 * product and is not called here.
 *
 * @throws CurvatureError "argument" or "shape" for options or operators it cannot take; whatever the operator throws, with `state`
 */
export async function logDeterminant(A: LinearOperator, options: LogDeterminantOptions): Promise<LogDeterminant> {
  checkOptions("logDeterminant", options, `${QUADRATURE_OPTIONS} damping smallest confidence tolerance`);
  const { damping = 0, smallest = 0 } = options;
  checkNonnegative("logDeterminant", "damping", damping);
  checkNonnegative("logDeterminant", "smallest", smallest);
  const f = (x: number) => Math.log(x + damping);
  const { value: logdet, ...rest } = await summed(A, { ...options, name: "logDeterminant", f, smallest });
  return { logdet, ...rest };
}
