import { CurvatureError } from "../../errors/index.ts";
import {
  compose,
  diagonal,
  type Estimate,
  hutchinsonTrace,
  type Outcome,
  type RunOptions,
} from "../../linalg/index.ts";
import { checkCount, checkSeed } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { outcome } from "../../linalg/runs/result.ts";
import { sampleMean } from "../../linalg/statistics/sampleMean.ts";
import { hessian, type Risk } from "../../operators/index.ts";
import { stream } from "../../random/index.ts";
import { type Vector, zeros } from "../../tensors/index.ts";
import { checkPositive } from "../checkPositive.ts";
import { type EvaluationCost, evaluations } from "../evaluations.ts";
import { type ScaleOptions, scaleVector } from "./perturbationScale.ts";
import { checkRiskFor, movedBy } from "./sharpnessRun.ts";

/** Options of `averageSharpness`. */
export interface AverageSharpnessOptions extends ScaleOptions, RunOptions {
  /** Standard deviation of the perturbation of each weight, in units of the scale. */
  readonly sigma: number;
  readonly seed: number;
  /** Random perturbations, one value of the loss each, at least 2; 100 by default. They come in pairs of opposite sign, so the number is even. */
  readonly samples?: number;
  /** Products for the second-order value, 0 for none; 100 by default. It is exact from `risk.size` on. */
  readonly matvecs?: number;
}

/** Increase of the loss under random perturbations. */
export interface AverageSharpness extends Outcome, EvaluationCost {
  /** `E L(w + sigma T e) - L(w)`, e standard normal. */
  readonly sharpness: Estimate;
  /** `sigma^2 / 2 sum T_i^2 H_ii`, what the quadratic model says; absent with `matvecs: 0`. */
  readonly secondOrder?: Estimate;
  readonly sigma: number;
  /** `L(w)` */
  readonly loss: number;
}

const NAME = "averageSharpness";

/**
 * Average-case sharpness, the expected increase of the loss `E L(w + sigma T e) - L(w)` under normal perturbations, from random samples in pairs e and -e,
 * whose odd terms cancel: the standard error is that of the mean over pairs. One value of the loss a sample. Beside it the second-order value by
 * Hutchinson's estimate of tr(T H T), `matvecs` products.
 *
 * @throws CurvatureError "argument" or "shape" for options it cannot take, "aborted" when the signal fires
 */
export async function averageSharpness(risk: Risk, options: AverageSharpnessOptions): Promise<AverageSharpness> {
  checkRiskFor(NAME, risk);
  checkOptions(NAME, options, "sigma seed samples matvecs scale eta signal onProgress");
  const { sigma, seed, samples = 100, matvecs = 100 } = options;
  checkPositive(NAME, "sigma", sigma);
  checkSeed(NAME, seed);
  checkCount(NAME, "samples", samples);
  if (samples < 2) throw new CurvatureError("argument", `${NAME} expects samples to be at least 2, got ${samples}`);
  const T = await scaleVector(NAME, { risk, ...options });
  const evaluate = evaluations(risk, options);
  const loss = await evaluate.loss(risk.theta());
  const increases = perturbedLosses({ risk, T, seed, samples, evaluate, options });
  const sharpness = sampleMean((await increases(sigma)).map((height) => height - loss));
  const second = matvecs === 0 ? undefined : await tracePart(risk, { T, matvecs, seed, options });
  const factor = sigma ** 2 / 2;
  return {
    sharpness,
    ...(second && {
      secondOrder: { value: factor * second.trace, standardError: factor * second.standardError },
    }),
    sigma,
    loss,
    ...evaluate.cost(),
    ...outcome("converged", {
      happened: `mean over ${2 * Math.ceil(samples / 2)} perturbations is ${sharpness.value.toPrecision(3)} with standard error ${sharpness.standardError.toPrecision(2)}`,
      matvecs: second?.matvecs ?? 0,
    }),
  };
}

async function tracePart(
  risk: Risk,
  { T, matvecs, seed, options }: { T: Vector; matvecs: number; seed: number; options: RunOptions },
) {
  const scaling = diagonal(T);
  const scaledHessian = compose(scaling, compose(hessian(risk), scaling), { symmetric: true });
  const { signal } = options;
  return hutchinsonTrace(scaledHessian, { matvecs, seed, ...(signal && { signal }) });
}

/** Losses at the ends of random perturbations of some standard deviation, the mean of each pair of opposite ones: the same perturbations for each deviation. */
function perturbedLosses({
  risk,
  T,
  seed,
  samples,
  evaluate,
  options,
}: {
  readonly risk: Risk;
  readonly T: Vector;
  readonly seed: number;
  readonly samples: number;
  readonly evaluate: ReturnType<typeof evaluations>;
  readonly options: RunOptions;
}): (sigma: number) => Promise<number[]> {
  const theta = risk.theta();
  const pairs = Math.ceil(samples / 2);
  return async (sigma) => {
    const means: number[] = [];
    for (let pair = 0; pair < pairs; pair++) {
      options.onProgress?.({ stage: "random perturbations", done: pair, total: pairs });
      const random = stream(seed, "perturbation", pair);
      const d = zeros(risk.size, risk.dtype);
      for (let i = 0; i < d.length; i++) d[i] = sigma * T[i]! * random.normal();
      const up = await evaluate.loss(movedBy(risk, { theta, d }));
      const down = await evaluate.loss(movedBy(risk, { theta, d, factor: -1 }));
      means.push((up + down) / 2);
    }
    return means;
  };
}

/** Options of `pacBayesSharpness`. */
export interface PacBayesOptions extends ScaleOptions, RunOptions {
  readonly seed: number;
  /** Expected increase of the loss to reach; 0.1 by default. */
  readonly increase?: number;
  /** Random perturbations, as in `averageSharpness`; 20 by default, and the same ones for each standard deviation that is tried. */
  readonly samples?: number;
  /** Bound on the relative width of the bracket; 1e-3 by default. */
  readonly tolerance?: number;
}

/** The largest standard deviation that a loss bears. */
export interface PacBayesSharpness extends Pick<EvaluationCost, "losses" | "gradients"> {
  /** Largest sigma with `E L(w + sigma T e) - L(w) <= increase`. */
  readonly sigma: number;
  /** `1 / sigma^2`, the sharpness measure of Jiang et al. (2020) before division by the number of rows. */
  readonly sharpness: number;
  /** Estimate of the expected increase at sigma, whose standard error is that of the samples. */
  readonly reached: Estimate;
  readonly message: string;
}

const MOST_DOUBLINGS = 60;

/**
 * The largest standard deviation of normal perturbations under which the loss rises by `increase` on average (the PAC-Bayes sharpness of Neyshabur et al.,
 * 2017, in the search of Jiang et al., 2020, appendix D), by bisection with the same perturbations throughout. `samples` values of the loss a step, about 20
 * steps.
 *
 * @throws CurvatureError "argument" or "shape" for options it cannot take, "numeric" where no deviation raises the loss so far
 */
export async function pacBayesSharpness(risk: Risk, options: PacBayesOptions): Promise<PacBayesSharpness> {
  const name = "pacBayesSharpness";
  checkRiskFor(name, risk);
  checkOptions(name, options, "seed increase samples tolerance scale eta signal onProgress");
  const { seed, increase = 0.1, samples = 20, tolerance = 1e-3 } = options;
  checkSeed(name, seed);
  checkPositive(name, "increase", increase);
  checkPositive(name, "tolerance", tolerance);
  checkCount(name, "samples", samples);
  const T = await scaleVector(name, { risk, ...options });
  const evaluate = evaluations(risk, options);
  const loss = await evaluate.loss(risk.theta());
  const losses = perturbedLosses({ risk, T, seed, samples, evaluate, options });
  const at = async (sigma: number) => sampleMean((await losses(sigma)).map((height) => height - loss));
  let high = 0.01;
  let doublings = 0;
  while ((await at(high)).value <= increase) {
    high *= 2;
    if (++doublings < MOST_DOUBLINGS) continue;
    throw new CurvatureError(
      "numeric",
      `${name} finds no perturbation that raises the loss by ${increase}, up to sigma ${high.toPrecision(2)}; lower increase`,
    );
  }
  let low = doublings === 0 ? 0 : high / 2;
  while (high - low > tolerance * high) {
    const middle = (low + high) / 2;
    if ((await at(middle)).value <= increase) low = middle;
    else high = middle;
  }
  const reached = await at(low);
  return {
    sigma: low,
    sharpness: 1 / low ** 2,
    reached,
    message: `sigma ${low.toPrecision(3)} raises the loss by ${reached.value.toPrecision(3)} with standard error ${reached.standardError.toPrecision(2)}`,
    ...evaluate.cost(),
  };
}
