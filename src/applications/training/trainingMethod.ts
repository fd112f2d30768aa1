import type { Outcome, RunOptions } from "../../linalg/index.ts";
import type { Risk } from "../../operators/index.ts";
import type { Vector } from "../../tensors/index.ts";
import type { EvaluationCost } from "../evaluations.ts";
import type { Objective, ObjectiveOptions } from "./objective.ts";

/** Options of every method of training. */
export interface TrainingOptions<State> extends ObjectiveOptions, RunOptions {
  /** Most steps; 100 by default. */
  readonly steps?: number;
  /** Bound on the norm of the gradient over that at the start: 1e-6 by default, 1e-4 for float32 risks, at which the run has converged. Not used with `batchRows`. */
  readonly tolerance?: number;
  /** A value of the objective at which the run ends. */
  readonly target?: number;
  /** Rows of a step, drawn at random; default: all. `seed` is required then. */
  readonly batchRows?: number;
  /** Rows for the matrix of a step, drawn at random, in methods that use one (sub-sampled Newton methods; Byrd et al., 2011); default: those of the step. `seed` is required then. */
  readonly curvatureRows?: number;
  readonly seed?: number;
  /** The risk on other rows, as `risk.on(data)` gives it: its loss is watched, and the weights with the least one are the result. */
  readonly validation?: Risk;
  /** Steps without a lower validation loss after which the run ends; 10 by default. */
  readonly patience?: number;
  /** Where an earlier run with the same risk and options stopped. */
  readonly state?: State;
}

/** One step of training. */
export interface TrainingStep {
  readonly step: number;
  /** Objective before the step on the rows of the step. */
  readonly objective: number;
  /** Norm of its gradient. */
  readonly gradientNorm: number;
  /** Whether the weights moved. */
  readonly accepted: boolean;
  readonly stepNorm: number;
  /** Change of the objective that the quadratic model predicts, without damping; absent in methods without a model. */
  readonly predictedChange?: number;
  /** Change of the objective by the step, on the same rows; absent where the method does not evaluate it. */
  readonly actualChange?: number;
  /** `actualChange / predictedChange` */
  readonly ratio?: number;
  readonly damping?: number;
  readonly radius?: number;
  /** Factor of the step: learning rate, or length found by line search. */
  readonly rate?: number;
  /** Products with the matrix in this step. */
  readonly matvecs: number;
  /** Loss of the validation rows after the step. */
  readonly validationLoss?: number;
}

/** Everything that the next step needs: plain data, from which the run can go on. */
export interface TrainingState<Own> {
  readonly method: string;
  readonly columns: number;
  readonly step: number;
  readonly theta: Vector;
  /** Weights before the last step. */
  readonly previous: Vector | undefined;
  /** Objective at theta over all rows, where it is known. */
  readonly objective: number | undefined;
  /** Gradient at theta over all rows, where it is known: after a step that was rejected. */
  readonly gradient: Vector | undefined;
  /** Norm of the gradient at the start. */
  readonly firstNorm: number;
  /** Weights with the least validation loss. */
  readonly best: { readonly theta: Vector; readonly loss: number; readonly step: number } | undefined;
  readonly records: readonly TrainingStep[];
  readonly losses: number;
  readonly gradients: number;
  readonly matvecs: number;
  readonly gradientEquivalents: number;
  /** What the method itself remembers. */
  readonly own: Own;
}

/** The end of a training run. */
export interface TrainingResult extends Outcome, EvaluationCost {
  /** `[size]`, the weights: those with the least validation loss if one was watched, else the last. */
  readonly theta: Vector;
  /** Loss plus penalties at `theta` over all rows. */
  readonly objective: number;
  /** Norm of the gradient of the objective at `theta` over all rows; frozen weights do not count. */
  readonly gradientNorm: number;
  /** Why the run ended. */
  readonly stopped: "gradient" | "target" | "validation" | "steps" | "no progress" | "nonfinite" | "aborted";
  /** Cost in gradients over all rows: one for a gradient, a third for a value of the loss, two for a product with a matrix, in proportion to the rows of each. */
  readonly gradientEquivalents: number;
  readonly steps: readonly TrainingStep[];
  /** Least validation loss and its step. */
  readonly validation?: { readonly loss: number; readonly step: number };
}

/** What a method is given for a step. */
export interface StepContext<Own> {
  readonly objective: Objective;
  readonly theta: Vector;
  readonly value: number;
  readonly gradient: Vector;
  readonly gradientNorm: number;
  /** Norm of the gradient at the start of the run. */
  readonly firstNorm: number;
  readonly step: number;
  readonly own: Own;
  readonly run: RunOptions;
}

/** What a method makes of a step. */
export interface Proposal<Own> {
  /** The next weights; those before where the step is rejected. */
  readonly theta: Vector;
  /** Objective there on the rows of the step, if the method has computed it. */
  readonly value?: number;
  readonly own: Own;
  readonly record: Pick<
    TrainingStep,
    "accepted" | "stepNorm" | "predictedChange" | "actualChange" | "ratio" | "damping" | "radius" | "rate"
  >;
  /** Where no further step will change anything. */
  readonly ending?: string;
}

/** A method of training: how it starts and what it does in a step. */
export interface TrainingMethod<Own> {
  readonly name: string;
  readonly start: () => Own;
  readonly step: (context: StepContext<Own>) => Promise<Proposal<Own>>;
}
