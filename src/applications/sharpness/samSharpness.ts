import type { RunOptions } from "../../linalg/index.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { norm, scaled } from "../../linalg/vectors/vector.ts";
import type { Risk } from "../../operators/index.ts";
import type { Vector } from "../../tensors/index.ts";
import { checkPositive } from "../checkPositive.ts";
import { type EvaluationCost, evaluations } from "../evaluations.ts";
import { type ScaleOptions, scaleVector } from "./perturbationScale.ts";
import { checkRiskFor, entrywise, movedBy } from "./sharpnessRun.ts";

/** Options of `samSharpness`. */
export interface SamSharpnessOptions extends ScaleOptions, Pick<RunOptions, "signal"> {
  /** Radius of the neighbourhood, in units of the scale. */
  readonly radius: number;
}

/** Sharpness by one step of ascent. */
export interface SamSharpness extends Pick<EvaluationCost, "losses" | "gradients"> {
  /** `L(w + d) - L(w)` for the step d of steepest ascent. */
  readonly sharpness: number;
  /** What the linear model predicts of it: `radius |T g|`. */
  readonly linear: number;
  readonly radius: number;
  /** `L(w)` */
  readonly loss: number;
  /** `|g|` */
  readonly gradientNorm: number;
  /** Present where the gradient is exactly zero, so that there is no step; `sharpness` is 0 then and says nothing. */
  readonly undefinedStep?: true;
  readonly message: string;
}

/**
 * Sharpness by one step of steepest ascent, `L(w + d) - L(w)` with `d = radius T^2 g / |T g|` (SAM; Foret et al., 2021, equation 2; ASAM with T = |w| +
 * eta: Kwon et al., 2021, equation 3). All rows are one batch: the m-sharpness of training in batches of m rows is another number. A lower bound of
 * `worstCaseSharpness`, and far below it near a minimum. Two values of the loss and one gradient.
 *
 * @throws CurvatureError "argument" or "shape" for options it cannot take, "aborted" when the signal fires
 */
export async function samSharpness(risk: Risk, options: SamSharpnessOptions): Promise<SamSharpness> {
  const name = "samSharpness";
  checkRiskFor(name, risk);
  checkOptions(name, options, "radius scale eta signal");
  const { radius } = options;
  checkPositive(name, "radius", radius);
  const T = await scaleVector(name, { risk, ...options });
  const evaluate = evaluations(risk, options);
  const theta = risk.theta();
  const g = await evaluate.gradient(theta);
  const loss = await evaluate.loss(theta);
  const scaledNorm = norm(entrywise(T, g));
  const d = ascentStep({ T, g, radius });
  const sharpness = d === undefined ? 0 : (await evaluate.loss(movedBy(risk, { theta, d }))) - loss;
  return {
    sharpness,
    linear: radius * scaledNorm,
    radius,
    loss,
    gradientNorm: norm(g),
    ...(d === undefined && { undefinedStep: true as const }),
    message:
      d === undefined
        ? "the gradient is exactly zero, so there is no direction of ascent; take worstCaseSharpness, which starts from an eigenvector"
        : `one step of steepest ascent raises the loss by ${sharpness.toPrecision(3)}, the linear model says ${(radius * scaledNorm).toPrecision(3)}`,
    ...evaluate.cost(),
  };
}

/** `radius T^2 g / |T g|`, the maximizer of `g'd` over `|T^-1 d| <= radius`; undefined for a gradient of zero. */
export function ascentStep({
  T,
  g,
  radius,
}: {
  readonly T: Vector;
  readonly g: Vector;
  readonly radius: number;
}): Vector | undefined {
  const Tg = entrywise(T, g);
  const size = norm(Tg);
  return size === 0 ? undefined : scaled(radius / size, entrywise(T, Tg));
}
