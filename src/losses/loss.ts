import type { Value } from "../graph/index.ts";
import type { Stream } from "../random/index.ts";
import type { Tensor } from "../tensors/index.ts";

/** What the loss of a data set is: the sum over terms, or the sum divided by the loss's denominator. */
export type Reduction = "mean" | "sum";

/**
 * How the outputs of n rows are cut into loss terms: T = n `positions` terms with `outputs` numbers each, which lie along
 * one `axis`. A term is a row, or a token or pixel of it where outputs have further axes.
 */
export interface TermLayout {
  readonly positions: number;
  readonly outputs: number;
  readonly axis: number;
}

/**
 * A loss L = c sum_t w_t l(f_t, y_t) over terms t, with f_t the C outputs of a term. It declares what automatic
 * differentiation cannot know: how terms lie in the outputs, whether l is convex in f, and its likelihood.
 */
export interface Loss {
  readonly name: string;
  readonly reduction: Reduction;
  /** Whether l is convex in f, so that the generalized Gauss-Newton matrix is positive semidefinite. */
  readonly convex: boolean;
  /** Final activations (ONNX operators) that the loss contains itself: models are cut before them. */
  readonly absorbs: readonly string[];
  /** Names of the outputs it reads, joined along their last axis; by default the model's first output. */
  readonly outputNames?: readonly string[];
  /**
   * How an output of this shape (with the axis of rows) is cut into terms.
   *
   * @throws CurvatureError "shape" where output and targets do not fit the loss
   */
  layout(output: readonly number[], targets: TargetShape): TermLayout;
  /** l of each term, unweighted: [T, C] and targets as `arrangeTargets` gives them -> [T]. */
  terms(f: Value, y: Value): Value;
  /** Weights of terms that come from their labels (class weights, 0 for ignored terms): [T]; undefined: all one. */
  termWeights?(y: Value): Value | undefined;
  /** Share of a batch in the denominator of "mean". */
  denominator(targets: Tensor, facts: DenominatorFacts): number;
  /**
   * Shape of class indices for an output of a shape, for a loss that takes them.
   *
   * @throws CurvatureError "shape" where the output can be read in two ways
   */
  labelDims?(output: readonly number[]): readonly number[];
  /** The class labels it accepts, where the targets are class indices. */
  labels?(layout: TermLayout, targets: TargetShape): LabelBounds | undefined;
  /** Whether integer targets are passed on as int64 rather than as floats; those of a loss with `labels` always are. */
  readonly keepsIntegers?: boolean;
  /** The numbers it accepts as targets, where not all. */
  readonly targetRange?: { readonly from: number; readonly to: number };
  /** The distribution of labels whose negative log-likelihood the loss is, where there is one. */
  readonly likelihood?: Likelihood;
}

/** Shape and kind of targets: `dims` with the axis of rows. */
export interface TargetShape {
  readonly dims: readonly number[];
  readonly integer: boolean;
}

/** What the denominator depends on besides the targets. */
export interface DenominatorFacts {
  readonly layout: TermLayout;
  /** One number a row. */
  readonly rowWeights?: ArrayLike<number>;
}

/** Class labels 0, ..., classes - 1, and perhaps one that marks ignored terms. */
export interface LabelBounds {
  readonly classes: number;
  readonly ignoreIndex?: number;
}

/** The predictive distribution p(y | f) that a loss belongs to. */
export interface Likelihood {
  /** Whether a label is a class index or a vector of numbers. */
  readonly label: "class" | "vector";
  /** Numbers in a label of a term with C outputs. */
  labelSize(outputs: number): number;
  /** -log p(y | f) of each term, up to what does not depend on f: [T, C] and labels -> [T]. */
  negativeLogLikelihood(f: Value, y: Value): Value;
  /** E[second derivative of the negative log-likelihood in f] u: [T, C], [T, C] -> [T, C]. */
  expectedHessian(f: Value, u: Value): Value;
  /**
   * E[s (s' u)] for the score s, the gradient of the negative log-likelihood at a label from the predictive, summed exactly
   * over labels or in closed form: [T, C], [T, C] -> [T, C]. Absent where that cannot be had.
   */
  scoreMoment?(f: Value, u: Value): Value;
  /** Draws a label from p(y | f) for the C outputs of a term and writes it into `label`. */
  sample(f: ArrayLike<number>, random: Stream, label: Float64Array): void;
}
