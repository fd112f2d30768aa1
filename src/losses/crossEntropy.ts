import { CurvatureError } from "../errors/index.ts";
import { constant, integers, scalar, type Value } from "../graph/index.ts";
import {
  add,
  cast,
  equal,
  gather,
  indicator,
  logSoftmax,
  mul,
  neg,
  not,
  reduceSum,
  reduceSumKeeping,
  scale,
  sqrt,
  where,
} from "../primitives/index.ts";
import type { Tensor } from "../tensors/index.ts";
import { categorical, isLabel, labelLogLoss } from "./categorical.ts";
import { type ClassAxis, classAxisOf, labelShape } from "./classAxis.ts";
import { checkedReduction, positionsOf } from "./layout.ts";
import type { DenominatorFacts, Loss, Reduction, TargetShape, TermLayout } from "./loss.ts";

/** Options of `crossEntropy`; defaults and meanings are PyTorch's. */
export interface CrossEntropyOptions {
  /** Default "mean": divided by the summed weight of the terms that are not ignored, or by their number without weights. */
  readonly reduction?: Reduction;
  /** Share of the target that is spread evenly over all classes; default 0. */
  readonly labelSmoothing?: number;
  /** Weight of each class, [C]. */
  readonly classWeights?: ArrayLike<number>;
  /** Label of ignored terms; default -100. */
  readonly ignoreIndex?: number;
  /**
   * Position of the axis of classes in outputs with more than two axes: "second" for [n, c, ...] (PyTorch's convention, pixels), "last" for
   * [n, t, c] (tokens). By default the shape of the targets decides. If it fits both, this option is required.
   */
  readonly classAxis?: ClassAxis;
}

interface Settings {
  readonly labelSmoothing: number;
  readonly classWeights: Float64Array | undefined;
  readonly ignoreIndex: number;
}

/**
 * Softmax cross-entropy of class labels or class probabilities, l = -sum_c q_c log softmax(f)_c, where q is the target. Outputs are logits
 * [n, c], [n, c, ...] or [n, t, c]; targets are class indices without the axis of classes, or probabilities in the shape of the outputs.
 * The likelihood is softmax(f).
 *
 * The class weight of the observed label is the weight w of its term; with label smoothing, the smoothed share is weighted by each class's
 * own weight, as in PyTorch. For probability targets the class weights are part of l.
 *
 * @throws CurvatureError "argument" for options out of range
 */
export function crossEntropy(options: CrossEntropyOptions = {}): Loss {
  const { reduction = "mean", labelSmoothing = 0, ignoreIndex = -100, classAxis } = options;
  const classWeights = options.classWeights && Float64Array.from(options.classWeights);
  const settings: Settings = { labelSmoothing, classWeights, ignoreIndex };
  checkSettings(settings, classAxis);
  return {
    name: "crossEntropy",
    reduction: checkedReduction("crossEntropy", reduction),
    convex: true,
    absorbs: ["Softmax", "LogSoftmax"],
    layout: (output, targets) => classLayout(output, { targets, classAxis, classWeights }),
    terms: (f, y) => (y.type === "float" ? probabilityTerms(f, y, settings) : labelTerms(f, y, settings)),
    termWeights: (y) => labelWeights(y, settings),
    denominator: (targets, facts) => summedWeight(targets, { ...facts, ...settings }),
    labelDims: (output) => labelShape(output, classAxis),
    labels: ({ outputs }, { integer }) => (integer ? { classes: outputs, ignoreIndex } : undefined),
    targetRange: { from: 0, to: 1 },
    hessianRoot: (f, y, u) => weightedRoot(categorical.expectedHessianRoot!(f, u), y, settings),
    hessianRootColumns: categorical.expectedHessianRootColumns!,
    likelihood: categorical,
  };
}
/** Short names that the command line takes as well. */
crossEntropy.aliases = ["ce", "categoricalCrossEntropy", "sparseCategoricalCrossEntropy", "softmaxCrossEntropy"];

function checkSettings(
  { labelSmoothing, classWeights, ignoreIndex }: Settings,
  classAxis: CrossEntropyOptions["classAxis"],
): void {
  const refuse = (message: string) => {
    throw new CurvatureError("argument", `crossEntropy: ${message}`);
  };
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1))
    refuse(`labelSmoothing must be between 0 and 1, got ${labelSmoothing}`);
  if (classAxis !== undefined && classAxis !== "second" && classAxis !== "last")
    refuse(`classAxis must be "second" or "last", got ${JSON.stringify(classAxis)}`);
  if (!Number.isInteger(ignoreIndex)) refuse(`ignoreIndex must be an integer, got ${ignoreIndex}`);
  if (classWeights?.some((weight) => !(weight >= 0 && Number.isFinite(weight))))
    refuse("classWeights must be finite and not negative");
  if (labelSmoothing > 0 && classWeights?.some((weight) => weight === 0)) {
    refuse("a class weight of 0 cannot be combined with labelSmoothing; leave the rows of that class out instead");
  }
}

function classLayout(
  output: readonly number[],
  facts: {
    readonly targets: TargetShape;
    readonly classAxis: CrossEntropyOptions["classAxis"];
    readonly classWeights: Float64Array | undefined;
  },
): TermLayout {
  const { targets, classAxis, classWeights } = facts;
  const axis = classAxisOf(output, { targets, asked: classAxis });
  const outputs = output[axis];
  if (classWeights !== undefined && classWeights.length !== outputs) {
    throw new CurvatureError(
      "shape",
      `crossEntropy: the model has ${outputs} classes, but ${classWeights.length} classWeights were given`,
    );
  }
  return { positions: positionsOf(output, axis), outputs, axis };
}

/** The target with a share spread evenly over all classes, [T, C]. */
function smoothedTarget(y: Value, { labelSmoothing }: Pick<Settings, "labelSmoothing">): Value {
  return labelSmoothing === 0 ? y : add(scale(y, 1 - labelSmoothing), scalar(labelSmoothing / y.shape[1]));
}

/** -sum_c q_c weight_c log p_c with smoothed probabilities q. */
function probabilityTerms(f: Value, y: Value, { labelSmoothing, classWeights }: Settings): Value {
  const smoothed = smoothedTarget(y, { labelSmoothing });
  const weighted = classWeights === undefined ? smoothed : mul(smoothed, vector(classWeights));
  // A term with probability 0 stays 0 even if its logit is minus infinity.
  const summand = where(equal(weighted, scalar(0)), scalar(0), mul(weighted, logSoftmax(f, 1)));
  return neg(reduceSum(summand, [1]));
}

/**
 * (1 - e) (-log p_y) + e / C sum_c (weight_c / weight_y) (-log p_c). Multiplied by the term's weight, weight_y, this is PyTorch's smoothed
 * and weighted loss.
 */
function labelTerms(f: Value, y: Value, { labelSmoothing, classWeights }: Settings): Value {
  const plain = labelLogLoss(f, y);
  if (labelSmoothing === 0) return plain;
  const classes = f.shape[1];
  const logs = logSoftmax(f, 1);
  const even = neg(reduceSum(classWeights === undefined ? logs : mul(logs, vector(classWeights)), [1]));
  const observed = indicator(isLabel(y, classes));
  const own =
    classWeights === undefined
      ? undefined
      : reduceSum(mul(observed, vector(classWeights.map((weight) => 1 / weight))), [1]);
  const smoothed = scale(own === undefined ? even : mul(even, own), labelSmoothing / classes);
  return add(scale(plain, 1 - labelSmoothing), smoothed);
}

/**
 * The root of the Hessian of l, which is a multiple of diag(p) - p p': by (1 - e) + e / C sum_c weight_c / weight_y for labels, by sum_c q_c
 * weight_c for probabilities q.
 */
function weightedRoot(root: Value, y: Value, settings: Settings): Value {
  const { labelSmoothing, classWeights } = settings;
  const classes = root.shape[1];
  if (y.type === "float") {
    const q = smoothedTarget(y, settings);
    return mul(root, sqrt(reduceSumKeeping(classWeights === undefined ? q : mul(q, vector(classWeights)), [1])));
  }
  if (classWeights === undefined || labelSmoothing === 0) return root;
  const sum = classWeights.reduce((a, b) => a + b, 0);
  const own = reduceSumKeeping(
    mul(
      indicator(isLabel(y, classes)),
      vector(classWeights.map((weight) => (labelSmoothing * sum) / (classes * weight))),
    ),
    [1],
  );
  return mul(root, sqrt(add(own, scalar(1 - labelSmoothing))));
}

/** Class weight of the observed label, 0 for ignored terms; all ones for probabilities. */
function labelWeights(y: Value, { classWeights, ignoreIndex }: Settings): Value | undefined {
  if (y.type === "float") return undefined;
  const wide = cast(y, "int64");
  const counted = not(equal(wide, integers([ignoreIndex])));
  if (classWeights === undefined) return indicator(counted);
  const label = where(counted, wide, integers([0]));
  return mul(indicator(counted), gather(vector(classWeights), label, 0));
}

function vector(values: Float64Array): Value {
  return constant({ data: values, dims: [values.length] });
}

function summedWeight(targets: Tensor, facts: DenominatorFacts & Settings): number {
  const { layout, rowWeights, classWeights, ignoreIndex } = facts;
  const { data, dims } = targets;
  const rows = dims[0];
  const perRow = data.length / Math.max(rows, 1);
  const areLabels = perRow === layout.positions && !isFloat(targets);
  let sum = 0;
  for (let row = 0; row < rows; row++) {
    let weight = areLabels ? 0 : layout.positions;
    for (let i = 0; areLabels && i < perRow; i++) {
      const label = Number(data[row * perRow + i]);
      if (label !== ignoreIndex) weight += classWeights?.[label] ?? 1;
    }
    sum += weight * (rowWeights?.[row] ?? 1);
  }
  return sum;
}

function isFloat({ data }: Tensor): boolean {
  return data instanceof Float32Array || data instanceof Float64Array;
}
