import { CurvatureError } from "../../errors/index.ts";
import type { LikelihoodFamily } from "../../losses/index.ts";
import type { Risk } from "../../operators/index.ts";
import type { ApproximatedMatrix } from "../../structured/index.ts";

/** The likelihood of a Laplace approximation: the distribution that the loss is the negative logarithm of, and how much it counts. */
export interface LaplaceLikelihood {
  readonly family: LikelihoodFamily;
  /** Standard deviation sigma of the noise of N(f, sigma^2 I), for the family "gaussian"; 1 for the others. */
  readonly sigmaNoise: number;
  /** T: the likelihood enters to the power 1 / T. */
  readonly temperature: number;
}

/**
 * The family of the likelihood of a risk's loss.
 *
 * @throws CurvatureError "unsupported" for a loss without a likelihood of a known family
 */
export function familyOf(name: string, { lossFunction }: Risk): LikelihoodFamily {
  const family = lossFunction.likelihood?.family;
  if (family !== undefined) return family;
  throw new CurvatureError(
    "unsupported",
    `${name} needs a loss that is a negative log-likelihood of a known family, but ${lossFunction.name} declares none; take crossEntropy, bceWithLogits, ` +
      "meanSquaredError, poissonNll or gaussianNll, or give your likelihood a `family`",
  );
}

/**
 * The factor h of the sum of losses in the negative log-likelihood: 1 but for squared errors, whose loss (f - y)^2 is without the 1 / (2 sigma^2)
 * of N(f, sigma^2 I).
 */
export function lossFactor({ family, sigmaNoise }: Pick<LaplaceLikelihood, "family" | "sigmaNoise">): number {
  return family === "gaussian" ? 1 / (2 * sigmaNoise ** 2) : 1;
}

/**
 * The factor of a matrix of the *mean* loss (scaled by c as `risk.scale`) in the posterior precision: h / (c T). For the empirical Fisher matrix, made of
 * squares of gradients, h^2 / (c T).
 */
export function curvatureFactor(
  likelihood: LaplaceLikelihood,
  { scale, of }: { readonly scale: number; readonly of: ApproximatedMatrix | undefined },
): number {
  const h = lossFactor(likelihood);
  return (of === "empiricalFisher" ? h * h : h) / (scale * likelihood.temperature);
}

/** How often the factor of the curvature falls when sigma^2 doubles: the power of 1 / sigma^2. */
export function noisePower(of: ApproximatedMatrix | undefined): number {
  return of === "empiricalFisher" ? 2 : 1;
}
