import type { RunOptions, Status } from "../../linalg/index.ts";
import { checkCount } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { combination } from "../../linalg/vectors/vector.ts";
import type { Risk } from "../../operators/index.ts";
import type { Vector } from "../../tensors/index.ts";
import { checkPositive } from "../checkPositive.ts";
import { type EvaluationCost, evaluations } from "../evaluations.ts";
import { checkRiskFor, movedBy } from "./sharpnessRun.ts";

/** Options of `boxSharpness`. */
export interface BoxSharpnessOptions extends Pick<RunOptions, "signal"> {
  /** Half the width of the box for a weight of zero; 5e-4 by default, as Keskar et al. have it beside 1e-3. */
  readonly epsilon?: number;
  /** Most steps of ascent; 100 by default. */
  readonly steps?: number;
}

/** Keskar's sharpness. */
export interface BoxSharpness extends Pick<EvaluationCost, "losses" | "gradients"> {
  /** `100 (max L(w + d) - L(w)) / (1 + L(w))` over the box, in percent. */
  readonly sharpness: number;
  /** The same at the corner that the gradient at w points to: one step. */
  readonly oneStep: number;
  readonly epsilon: number;
  /** `L(w)` */
  readonly loss: number;
  /** Number of weights whose gradient at the end points into the box: 0 at a maximum in a corner. */
  readonly inside: number;
  readonly status: Extract<Status, "converged" | "budget" | "stagnated">;
  readonly message: string;
}

const NAME = "boxSharpness";

/**
 * Sharpness in a box (Keskar et al., 2017, metric 2.1 in full space): `100 (max L(w + d) - L(w)) / (1 + L(w))` over `|d_i| <= epsilon (|w_i| + 1)`. They ran
 * ten iterations of L-BFGS-B. Here each step goes to the corner that the gradient points to, or part of the way where that lowers the loss, until no
 * gradient points elsewhere; along a convex loss the maximum of a box is in a corner. A gradient and a value of the loss a step, or more values.
 *
 * @throws CurvatureError "argument" for options it cannot take, "aborted" when the signal fires
 */
export async function boxSharpness(risk: Risk, options: BoxSharpnessOptions = {}): Promise<BoxSharpness> {
  checkRiskFor(NAME, risk);
  checkOptions(NAME, options, "epsilon steps signal");
  const { epsilon = 5e-4, steps = 100 } = options;
  checkPositive(NAME, "epsilon", epsilon);
  checkCount(NAME, "steps", steps);
  const evaluate = evaluations(risk, options);
  const theta = risk.theta();
  const bound = theta.map((weight) => epsilon * (Math.abs(weight) + 1));
  const loss = await evaluate.loss(theta);
  const value = (d: Vector) => evaluate.loss(movedBy(risk, { theta, d }));
  const percent = (height: number) => (100 * (height - loss)) / (1 + loss);
  const corner = (g: Vector, d: Vector) => bound.map((width, i) => (g[i] === 0 ? d[i]! : Math.sign(g[i]!) * width));
  let d: Vector = corner(
    await evaluate.gradient(theta),
    theta.map(() => 0),
  );
  let height = await value(d);
  const oneStep = percent(height);
  for (let step = 0; ; step++) {
    const target = corner(await evaluate.gradient(movedBy(risk, { theta, d })), d);
    const inside = target.filter((entry, i) => entry !== d[i]).length;
    const result = { oneStep, epsilon, loss, inside, ...evaluate.cost() };
    if (inside === 0) {
      const message = "every gradient points to the side of the box where its weight is";
      return { sharpness: percent(height), ...result, status: "converged", message };
    }
    const next = step < steps ? await higher({ d, target, height, value }) : undefined;
    if (next === undefined) {
      const status = step < steps ? "stagnated" : "budget";
      const message = `the gradients of ${inside} weights point into the box${status === "budget" ? "; raise steps" : ", but no step along them raises the loss"}; the value is a lower bound`;
      return { sharpness: percent(height), ...result, status, message };
    }
    ({ d, height } = next);
  }
}

/** Halvings of a step before the ascent counts as ended. */
const HALVINGS = 20;

async function higher({
  d,
  target,
  height,
  value,
}: {
  readonly d: Vector;
  readonly target: Vector;
  readonly height: number;
  readonly value: (d: Vector) => Promise<number>;
}): Promise<{ readonly d: Vector; readonly height: number } | undefined> {
  const dtype = d instanceof Float32Array ? "float32" : "float64";
  for (let halving = 0, share = 1; halving < HALVINGS; halving++, share /= 2) {
    const next = halving === 0 ? target : combination([1 - share, d], [share, target], { dtype });
    const reached = await value(next);
    if (reached > height) return { d: next, height: reached };
  }
  return undefined;
}
