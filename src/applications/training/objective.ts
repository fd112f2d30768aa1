import { CurvatureError } from "../../errors/index.ts";
import { functionOperator, type LinearOperator, type RunOptions } from "../../linalg/index.ts";
import type { Pattern } from "../../models/index.ts";
import { matches } from "../../models/index.ts";
import type { Risk } from "../../operators/index.ts";
import type { Vector } from "../../tensors/index.ts";
import type { EvaluationCost } from "../evaluations.ts";
import type { Penalty } from "../penalty.ts";

/** What is minimized besides the loss, and which weights take part. */
export interface ObjectiveOptions {
  /** Strength w of `w / 2 |theta|^2`: one number, or one for each weight `[size]`; default 0. */
  readonly weightDecay?: number | Vector;
  /** Further terms, such as `ewcPenalty`. */
  readonly penalties?: readonly Penalty[];
  /** Names or patterns of parameters that keep their values. */
  readonly frozen?: Pattern | readonly Pattern[];
}

/** A curvature matrix of the loss, of any kind, for a risk at some weights. */
export type CurvatureFactory = (risk: Risk) => LinearOperator | Promise<LinearOperator>;

/** The objective of one step: loss plus penalties as a function of the weights that are not frozen. It counts what it computes. */
export interface Objective {
  readonly risk: Risk;
  /** Mean of the weight decay over the weights. */
  readonly meanDecay: number;
  value(theta: Vector): Promise<number>;
  /** Gradient, zero for frozen weights. */
  gradient(theta: Vector): Promise<Vector>;
  /** Works with the matrix of the objective at `theta`: that of the loss plus that of penalties, zero rows and columns for frozen weights. */
  withMatrix<T>(
    theta: Vector,
    options: { readonly make: CurvatureFactory; readonly work: (matrix: ObjectiveMatrix) => Promise<T> },
  ): Promise<T>;
}

/** The matrix of an objective at some weights. */
export interface ObjectiveMatrix {
  readonly operator: LinearOperator;
  /** That of the loss alone, with what it has: an inverse in closed form, for example. */
  readonly ofLoss: LinearOperator;
}

/** Counters that an objective adds to. */
export type Counters = { -readonly [name in keyof EvaluationCost]: number } & {
  /** Cost in gradients over all rows. */
  gradientEquivalents: number;
};

/** Cost of a value of the loss and of a product with a matrix, in gradients. */
const LOSS_COST = 1 / 3;
const PRODUCT_COST = 2;

/** What an objective is made with. */
export interface ObjectiveSetup {
  readonly plan: ObjectivePlan;
  readonly counters: Counters;
  readonly run: RunOptions;
  /** Rows of the whole data set, of which those of the risk may be a part. */
  readonly rows: number;
  /** The risk whose matrices are taken, on part of the rows or all; default: the risk itself. */
  readonly curvature?: Risk | undefined;
}

/** The objective on the rows of a risk. */
export function objectiveOf(risk: Risk, setup: ObjectiveSetup): Objective {
  const { plan, counters, run, rows, curvature = risk } = setup;
  const { decay, penalties, mask } = plan;
  const at = async <T>(theta: Vector, work: (moved: Risk) => Promise<T>, of = risk) => {
    const moved = of.at(theta);
    try {
      return await work(moved);
    } finally {
      await moved.dispose();
    }
  };
  let totalDecay = 0;
  for (let i = 0; i < risk.size; i++) totalDecay += decay(i);
  return {
    risk,
    meanDecay: totalDecay / risk.size,
    async value(theta) {
      counters.losses++;
      counters.gradientEquivalents += (LOSS_COST * risk.rows) / rows;
      let sum = await at(theta, (moved) => moved.loss(run));
      for (const [i, x] of theta.entries()) sum += (decay(i) * x * x) / 2;
      for (const penalty of penalties) sum += await penalty.value(theta);
      return sum;
    },
    async gradient(theta) {
      counters.gradients++;
      counters.gradientEquivalents += risk.rows / rows;
      const g = await at(theta, (moved) => moved.gradient(run));
      const added = await Promise.all(penalties.map((penalty) => penalty.gradient(theta)));
      return g.map((x, i) => mask(i) * added.reduce((sum, more) => sum + more[i]!, x + decay(i) * theta[i]!));
    },
    withMatrix: (theta, { make, work }) =>
      at(
        theta,
        async (moved) => {
          const ofLoss = await make(moved);
          return work({ ofLoss, operator: penalized(ofLoss, { ...setup, curvature }) });
        },
        curvature,
      ),
  };
}

function penalized(
  A: LinearOperator,
  { plan: { decay, penalties, mask }, counters, rows, curvature }: ObjectiveSetup & { readonly curvature: Risk },
): LinearOperator {
  return functionOperator({
    shape: A.shape,
    dtype: A.dtype,
    symmetric: true,
    psd: A.psd && penalties.every(({ matrix }) => matrix.psd),
    async matvec(x, run) {
      counters.matvecs++;
      counters.gradientEquivalents += (PRODUCT_COST * curvature.rows) / rows;
      const inside = x.map((entry, i) => mask(i) * entry);
      const product = await A.matvec(inside, run);
      const added = await Promise.all(penalties.map(({ matrix }) => matrix.matvec(inside, run)));
      return product.map((y, i) => mask(i) * added.reduce((sum, more) => sum + more[i]!, y + decay(i) * inside[i]!));
    },
  });
}

/** The options of an objective, checked. */
export interface ObjectivePlan {
  readonly decay: (i: number) => number;
  readonly penalties: readonly Penalty[];
  /** 1 for a weight that is trained, 0 for one that is frozen. */
  readonly mask: (i: number) => number;
  readonly frozen: number;
}

/** Checks the options of an objective. Throws "argument" or "shape" for what is out of range. */
export function objectivePlan(
  name: string,
  { risk, weightDecay = 0, penalties = [], frozen = [] }: ObjectiveOptions & { readonly risk: Risk },
): ObjectivePlan {
  const { size, parameters } = risk;
  if (typeof weightDecay !== "number" && weightDecay.length !== size) {
    throw new CurvatureError(
      "shape",
      `${name} expects weightDecay as a number or as ${size} numbers, got ${weightDecay.length}`,
    );
  }
  const values = typeof weightDecay === "number" ? [weightDecay] : weightDecay;
  if (!values.every((value) => value >= 0 && value < Number.POSITIVE_INFINITY)) {
    throw new CurvatureError("argument", `${name} expects weightDecay to be zero or positive and finite`);
  }
  for (const { matrix } of penalties) {
    if (matrix?.shape?.[0] === size) continue;
    const message = `${name} expects penalties of ${size} weights, got one of ${matrix?.shape?.[0]}; it belongs to another network or other parameters`;
    throw new CurvatureError("shape", message);
  }
  const patterns: readonly Pattern[] = Array.isArray(frozen) ? frozen : [frozen as Pattern];
  const unmatched = patterns.find((pattern) => !parameters.some((each) => matches(each.name, [pattern])));
  if (unmatched !== undefined) {
    const names = parameters.map((each) => each.name).slice(0, 10);
    throw new CurvatureError(
      "argument",
      `${name} finds no parameter to freeze that matches ${String(unmatched)}; there are ${names.join(", ")}`,
    );
  }
  const still = new Uint8Array(size);
  for (const { name: own, offset, size: length } of parameters) {
    if (patterns.length > 0 && matches(own, patterns)) still.fill(1, offset, offset + length);
  }
  const count = still.reduce((sum, entry) => sum + entry, 0);
  if (count === size) {
    throw new CurvatureError("argument", `${name} has nothing to train: all parameters are frozen; leave some out`);
  }
  return {
    decay: typeof weightDecay === "number" ? () => weightDecay : (i) => weightDecay[i]!,
    penalties,
    mask: (i) => 1 - still[i]!,
    frozen: count,
  };
}
