import { CurvatureError } from "../../errors/index.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import type { Outcome } from "../runs/result.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import {
  type DensityOptions,
  densityFromQuadrature,
  type LinearDensity,
  type LogarithmicDensity,
} from "./densityFromQuadrature.ts";
import {
  type LanczosQuadratureOptions,
  QUADRATURE_OPTIONS,
  type Quadrature,
  quadratureSteps,
} from "./lanczosQuadrature.ts";

/** Quadrature that a density was computed from, and the outcome of its products. */
export interface DensityRun extends Outcome {
  /** One for each probe: nodes ascending, weights of sum 1. */
  readonly quadrature: readonly Quadrature[];
}

/**
 * Spectral density of a symmetric matrix, the distribution of its n eigenvalues smoothed by a Gaussian, by stochastic Lanczos quadrature
 * (Golub and Welsch, 1969; Papyan, 2018; Ghorbani, Krishnan and Xiao, 2019). On the linear scale it integrates to 1 over the grid; on the
 * logarithmic scale the variable is log10 |eigenvalue|, negative and positive parts come apart, and what lies within `epsilon` of zero is a
 * number. At most `steps * probes` products. For both scales from one run use `lanczosQuadrature` and `densityFromQuadrature`.
 *
 * @throws CurvatureError "argument" or "shape" for options or operators it cannot take, "aborted" where the signal fired before it had any node, "numeric"
 * where it ended so otherwise; whatever the operator throws, with `state`
 */
export async function spectralDensity(
  A: LinearOperator,
  options: LanczosQuadratureOptions & DensityOptions & { readonly scale: "log" },
): Promise<LogarithmicDensity & DensityRun>;
export async function spectralDensity(
  A: LinearOperator,
  options: LanczosQuadratureOptions & DensityOptions & { readonly scale?: "linear" | undefined },
): Promise<LinearDensity & DensityRun>;
export async function spectralDensity(
  A: LinearOperator,
  options: LanczosQuadratureOptions & DensityOptions & { readonly scale?: "linear" | "log" | undefined },
): Promise<(LinearDensity | LogarithmicDensity) & DensityRun> {
  checkOptions("spectralDensity", options, `${QUADRATURE_OPTIONS} points width epsilon confidence scale`);
  const run = await runToEnd(quadratureSteps(A, { ...options, name: "spectralDensity" }));
  const { quadrature, status, message, matvecs } = run;
  if (status === "aborted" && quadrature.length === 0) {
    throw new CurvatureError("aborted", "spectralDensity was aborted before its first step: there is no density yet");
  }
  const { points, width, epsilon, confidence } = options;
  const form = { points, width, epsilon, confidence } as DensityOptions;
  const density =
    options.scale === "log"
      ? densityFromQuadrature(run, { ...form, scale: "log" })
      : densityFromQuadrature(run, { ...form, scale: options.scale ?? "linear" });
  return { ...density, quadrature, status, message, matvecs };
}
