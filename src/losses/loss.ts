import type { Value } from "../graph/index.ts";
import type { Stream } from "../random/index.ts";
import type { Tensor } from "../tensors/index.ts";

/** The reduction of a loss: the sum over terms, or this sum divided by the loss's denominator. */
export type Reduction = "mean" | "sum";

/**
 * The split of the outputs of n rows into loss terms: T = n `positions` terms with `outputs` numbers each along one `axis`. A term is a row
 * or, if outputs have further axes, a token or pixel of a row.
 */
export interface TermLayout {
  readonly positions: number;
  readonly outputs: number;
  readonly axis: number;
}

/**
 * A loss L = c sum_t w_t l(f_t, y_t) over terms t, with f_t the C outputs of a term. It declares the properties that automatic
 * differentiation cannot derive: the layout of terms in the outputs, whether l is convex in f, and its likelihood.
 */
export interface Loss {
  readonly name: string;
  readonly reduction: Reduction;
  /** Whether l is convex in f, so that the generalized Gauss-Newton matrix is positive semidefinite. */
  readonly convex: boolean;
  /** Final activations (ONNX operators) that the loss contains itself; models are cut before them. */
  readonly absorbs: readonly string[];
  /** Names of the outputs that the loss reads, joined along their last axis; default: the model's first output. */
  readonly outputNames?: readonly string[];
  /**
   * The split into terms of an output of this shape (including the axis of rows).
   *
   * @throws CurvatureError "shape" if output and targets do not fit the loss
   */
  layout(output: readonly number[], targets: TargetShape): TermLayout;
  /** l of each term, unweighted: [T, C] and targets as `arrangeTargets` gives them -> [T]. */
  terms(f: Value, y: Value): Value;
  /** Weights of terms that depend on their labels (class weights, 0 for ignored terms), [T]; undefined if all are one. */
  termWeights?(y: Value): Value | undefined;
  /** Share of a batch in the denominator of "mean". */
  denominator(targets: Tensor, facts: DenominatorFacts): number;
  /**
   * Shape of class indices for an output of this shape, for a loss that takes them.
   *
   * @throws CurvatureError "shape" if the output can be read in two ways
   */
  labelDims?(output: readonly number[]): readonly number[];
  /** The class labels that the loss accepts, if the targets are class indices. */
  labels?(layout: TermLayout, targets: TargetShape): LabelBounds | undefined;
  /** Whether integer targets are passed as int64 instead of floats. Targets of a loss with `labels` always are. */
  readonly keepsIntegers?: boolean;
  /** Whether each output is the logit of a target of its own that is 0 or 1, so that its sign decides. */
  readonly binary?: boolean;
  /** The range of numbers that the loss accepts as targets; default: all. */
  readonly targetRange?: { readonly from: number; readonly to: number };
  /** The distribution of labels whose negative log-likelihood the loss is, if there is one. */
  readonly likelihood?: Likelihood;
  /**
   * S u for a root S [C, V] of the Hessian of l in f, S S' = d^2 l / df^2, of each term: f [T, C], targets, u [T, V] -> [T, C]. Linear in u.
   * Structured matrices are built from its columns. For a convex loss without it they compute a root numerically, term by term.
   */
  hessianRoot?(f: Value, y: Value, u: Value): Value;
  /** Columns V of that root for C outputs; C if absent. */
  hessianRootColumns?(outputs: number): number;
}

/** Shape and kind of targets; `dims` includes the axis of rows. */
export interface TargetShape {
  readonly dims: readonly number[];
  readonly integer: boolean;
}

/** Quantities that the denominator depends on besides the targets. */
export interface DenominatorFacts {
  readonly layout: TermLayout;
  /** One number per row. */
  readonly rowWeights?: ArrayLike<number>;
}

/** Class labels 0, ..., classes - 1, and optionally one that marks ignored terms. */
export interface LabelBounds {
  readonly classes: number;
  readonly ignoreIndex?: number;
}

/** Families of distributions whose posterior predictive is known in closed form or by a standard approximation. */
export type LikelihoodFamily = "categorical" | "bernoulli" | "gaussian" | "poisson" | "heteroscedastic";

/** The predictive distribution p(y | f) that a loss belongs to. */
export interface Likelihood {
  /**
   * The family: softmax(f), an independent Bernoulli(sigmoid(f)) for each output, N(f, I/2), Poisson(e^f), or N(m, e^s) for outputs [m, s].
   * Absent for others.
   */
  readonly family?: LikelihoodFamily;
  /** Whether a label is a class index or a vector of numbers. */
  readonly label: "class" | "vector";
  /** Numbers in a label of a term with C outputs. */
  labelSize(outputs: number): number;
  /** -log p(y | f) of each term, up to a constant in f: [T, C] and labels -> [T]. */
  negativeLogLikelihood(f: Value, y: Value): Value;
  /** E[second derivative of the negative log-likelihood with respect to f] u: [T, C], [T, C] -> [T, C]. */
  expectedHessian(f: Value, u: Value): Value;
  /**
   * Its diagonal for each term, [T, C] -> [T, C], where that needs less than C products: for networks of many classes.
   */
  expectedHessianDiagonal?(f: Value): Value;
  /** Its sum over terms weighted by w [T], `diag(diagonal) - rest` with a diagonal [C] and a rest [C, C], where that needs less than C products. */
  expectedHessianSum?(f: Value, weights: Value | undefined): { readonly diagonal: Value; readonly rest: Value };
  /** S u for a root S [C, V] of that expectation, E[...] = S S': [T, C], [T, V] -> [T, C]. Computed numerically where it is absent. */
  expectedHessianRoot?(f: Value, u: Value): Value;
  /** Columns V of that root for C outputs; C if absent. */
  expectedHessianRootColumns?(outputs: number): number;
  /**
   * E[s (s' u)] for the score s, the gradient of the negative log-likelihood at a label from the predictive, summed exactly over labels or
   * in closed form: [T, C], [T, C] -> [T, C]. Absent if there is no such form.
   */
  scoreMoment?(f: Value, u: Value): Value;
  /** Draws a label from p(y | f) for the C outputs of a term and writes it into `label`. */
  sample(f: ArrayLike<number>, random: Stream, label: Float64Array): void;
}
