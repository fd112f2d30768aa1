import type { RunOptions } from "../../linalg/index.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { dot } from "../../linalg/vectors/vector.ts";
import { ggn, hessian, type Risk } from "../../operators/index.ts";
import { checkRiskFor } from "./sharpnessRun.ts";

/** Squared Fisher-Rao norm of the weights. */
export interface FisherRaoNorm {
  /** `w' G w` with the Gauss-Newton matrix: the Fisher matrix of a loss that is a likelihood. */
  readonly ggn: number;
  /** `w' H w` with the Hessian. */
  readonly hessian: number;
  readonly matvecs: number;
}

/**
 * Squared Fisher-Rao norm `w' G w` (Liang et al., 2019, definition 2), and the same with the Hessian. It does not change when the units of a ReLU network are
 * rescaled. One product with each.
 *
 * @throws CurvatureError "argument" for what is no risk, "aborted" when the signal fires
 */
export async function fisherRaoNorm(risk: Risk, options: Pick<RunOptions, "signal"> = {}): Promise<FisherRaoNorm> {
  checkRiskFor("fisherRaoNorm", risk);
  checkOptions("fisherRaoNorm", options, "signal");
  const w = risk.theta();
  const [G, H] = [ggn(risk), hessian(risk)];
  return { ggn: dot(w, await G.matvec(w, options)), hessian: dot(w, await H.matvec(w, options)), matvecs: 2 };
}
