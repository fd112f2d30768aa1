import { hutchinsonTrace, type RunOptions } from "../../linalg/index.ts";
import { checkSeed } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { hessian, type Risk } from "../../operators/index.ts";
import { accuracy } from "../accuracy.ts";
import { completed } from "../stages.ts";
import { samSharpness } from "./samSharpness.ts";
import { checkRiskFor } from "./sharpnessRun.ts";
import { stableLearningRate } from "./stableLearningRate.ts";

/** Options of `checkpointCurvature`. */
export interface CheckpointCurvatureOptions extends RunOptions {
  readonly seed: number;
  /** Random vectors of the trace, each one product; 50 by default. */
  readonly probes?: number;
  /** Radius of the adaptive sharpness; 0.5 by default. */
  readonly radius?: number;
}

/** A few numbers on the curvature at one checkpoint of a training run. */
export interface CheckpointCurvature {
  readonly loss: number;
  /** Share of rows whose largest output is the label, if targets are classes. */
  readonly accuracy?: number;
  readonly gradientNorm: number;
  /** Trace of the Hessian. */
  readonly trace: { readonly value: number; readonly standardError: number };
  /** Largest eigenvalue of the Hessian: some eigenvalue lies within the residual of it. */
  readonly largestEigenvalue: { readonly value: number; readonly residualNorm: number };
  /** `2 / largestEigenvalue`; see `stableLearningRate`. */
  readonly stableLearningRate: number;
  /** First-order adaptive sharpness (`samSharpness`), which rescaling of weights does not change. */
  readonly adaptiveSharpness: { readonly radius: number; readonly value: number };
}

/**
 * Loss, gradient, trace and largest eigenvalue of the Hessian, edge of stability and adaptive sharpness at the weights of a risk: what is worth following along the
 * checkpoints of a training run (Cohen et al., 2021). Much cheaper than `curvatureReport`: `probes` products, those of one eigenpair, and some gradients.
 *
 * @throws CurvatureError "argument" for options it cannot take, "aborted" when the signal fires
 */
export async function checkpointCurvature(
  risk: Risk,
  options: CheckpointCurvatureOptions,
): Promise<CheckpointCurvature> {
  checkRiskFor("checkpointCurvature", risk);
  checkOptions("checkpointCurvature", options, "seed probes radius signal onProgress");
  const { seed, probes = 50, radius = 0.5, signal, onProgress } = options;
  checkSeed("checkpointCurvature", seed);
  const run = { ...(signal && { signal }), ...(onProgress && { onProgress }) };
  const estimate = await hutchinsonTrace(hessian(risk), { ...run, matvecs: probes, seed });
  const { trace, standardError } = completed(estimate, "checkpointCurvature");
  const edge = await stableLearningRate(risk, { ...run, seed });
  const sam = await samSharpness(risk, { ...run, radius, scale: "adaptive" });
  const correct = await accuracy(risk, run);
  return {
    loss: sam.loss,
    ...(correct === undefined ? {} : { accuracy: correct }),
    gradientNorm: sam.gradientNorm,
    trace: { value: trace, standardError },
    largestEigenvalue: { value: edge.eigenvalue, residualNorm: edge.residualNorm },
    stableLearningRate: edge.threshold,
    adaptiveSharpness: { radius, value: sam.sharpness },
  };
}
