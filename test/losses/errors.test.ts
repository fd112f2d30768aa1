import { expect, test } from "vitest";
import { input, type Value } from "../../src/graph/index.ts";
import {
  bceWithLogits,
  crossEntropy,
  customLoss,
  gaussianNll,
  meanSquaredError,
  poissonNll,
} from "../../src/losses/index.ts";
import { reduceSum, square } from "../../src/primitives/index.ts";
import { messageOf } from "../onnx/messageOf.ts";

const indices = (dims: readonly number[]) => ({ dims, integer: true });
const numbers = (dims: readonly number[]) => ({ dims, integer: false });
const rowSums = (f: Value) => reduceSum(square(f), [1]);

test.each([
  [
    () => crossEntropy({ reduction: "none" as "sum" }),
    'argument: crossEntropy: reduction must be "mean" or "sum", got "none"',
  ],
  [
    () => bceWithLogits({ reduction: 1 as unknown as "sum" }),
    'argument: bceWithLogits: reduction must be "mean" or "sum", got 1',
  ],
  [
    () => crossEntropy({ labelSmoothing: 1.5 }),
    "argument: crossEntropy: labelSmoothing must be between 0 and 1, got 1.5",
  ],
  [
    () => crossEntropy({ labelSmoothing: Number.NaN }),
    "argument: crossEntropy: labelSmoothing must be between 0 and 1, got NaN",
  ],
  [() => crossEntropy({ ignoreIndex: 0.5 }), "argument: crossEntropy: ignoreIndex must be an integer, got 0.5"],
  [
    () => crossEntropy({ classWeights: [1, -1] }),
    "argument: crossEntropy: classWeights must be finite and not negative",
  ],
  [
    () => crossEntropy({ classWeights: [1, Number.POSITIVE_INFINITY] }),
    "argument: crossEntropy: classWeights must be finite and not negative",
  ],
  [
    () => crossEntropy({ classWeights: [1, 0], labelSmoothing: 0.1 }),
    "argument: crossEntropy: a class weight of 0 cannot be combined with labelSmoothing; leave the rows of that class out instead",
  ],
  [
    () => crossEntropy({ classAxis: "first" as "last" }),
    'argument: crossEntropy: classAxis must be "second" or "last", got "first"',
  ],
  [
    () => bceWithLogits({ positiveWeights: [1, 0] }),
    "argument: bceWithLogits: positiveWeights must be positive and finite, got 1, 0",
  ],
  [
    () => bceWithLogits({ positiveWeights: [] }),
    "argument: bceWithLogits: positiveWeights must be one number or one for each output, got none",
  ],
  [
    () => gaussianNll({ outputs: ["mean"] as unknown as readonly [string, string] }),
    "argument: gaussianNll: outputs must be two names, of mean and log-variance, got mean",
  ],
])("options out of range are refused: %#", (make, message) => {
  expect(messageOf(make)).toBe(message);
});

test.each([
  [
    () => crossEntropy().layout([5], indices([5])),
    "shape: crossEntropy: outputs need an axis of classes, [n, c] or more axes, got [5]",
  ],
  [
    () => crossEntropy().layout([5, 3], indices([5, 3])),
    "shape: crossEntropy: outputs of shape [5, 3] need class indices of shape [5], or probabilities of shape [5, 3]; got integers of shape [5, 3]",
  ],
  [
    () => crossEntropy().layout([2, 4, 5], numbers([2, 4])),
    "shape: crossEntropy: outputs of shape [2, 4, 5] need class indices of shape [2, 5] or [2, 4], or probabilities of shape [2, 4, 5]; got floats of shape [2, 4]",
  ],
  [
    () => crossEntropy().layout([6, 5, 5], indices([6, 5])),
    'shape: crossEntropy: outputs of shape [6, 5, 5] with class indices of shape [6, 5] can be read in two ways, 5 classes along the second axis ([n, c, t]) or 5 along the last ([n, t, c]); say which with classAxis: "second" or "last" (--class-axis)',
  ],
  [
    () => crossEntropy().layout([2, 3, 3, 3], indices([2, 3, 3])),
    'shape: crossEntropy: outputs of shape [2, 3, 3, 3] with class indices of shape [2, 3, 3] can be read in two ways, 3 classes along the second axis ([n, c, ...]) or 3 along the last ([n, ..., c]); say which with classAxis: "second" or "last" (--class-axis)',
  ],
  [
    () => crossEntropy().layout([2, 4, 5], numbers([2, 4, 5])),
    'shape: crossEntropy: outputs of shape [2, 4, 5] with probabilities of shape [2, 4, 5] can be read in two ways, 4 classes along the second axis ([n, c, t]) or 5 along the last ([n, t, c]); say which with classAxis: "second" or "last" (--class-axis)',
  ],
  [
    () => crossEntropy().labelDims!([2, 4, 5]),
    'shape: crossEntropy: outputs of shape [2, 4, 5] can be read in two ways, 4 classes along the second axis ([n, c, t]) or 5 along the last ([n, t, c]); say which with classAxis: "second" or "last" (--class-axis), or give the shape of the targets',
  ],
  [
    () => crossEntropy({ classAxis: "last" }).layout([2, 4, 5], indices([2, 5])),
    "shape: crossEntropy: outputs of shape [2, 4, 5] need class indices of shape [2, 4], or probabilities of shape [2, 4, 5]; got integers of shape [2, 5]",
  ],
  [
    () => crossEntropy({ classWeights: [1, 2] }).layout([5, 3], indices([5])),
    "shape: crossEntropy: the model has 3 classes, but 2 classWeights were given",
  ],
  [
    () => meanSquaredError().layout([5, 3], numbers([5, 2])),
    "shape: meanSquaredError: outputs of shape [5, 3] need targets of that shape, got [5, 2]",
  ],
  [
    () => meanSquaredError().layout([5, 2, 3], numbers([5, 3, 2])),
    "shape: meanSquaredError: outputs of shape [5, 2, 3] need targets of that shape, got [5, 3, 2]",
  ],
  [
    () => poissonNll().layout([5, 3], numbers([5])),
    "shape: poissonNll: outputs of shape [5, 3] need targets of that shape, got [5]; for class labels choose crossEntropy",
  ],
  [
    () => bceWithLogits({ positiveWeights: [1, 2] }).layout([5, 3], numbers([5, 3])),
    "shape: bceWithLogits: the model has 3 outputs, but 2 positiveWeights were given",
  ],
  [
    () => gaussianNll().layout([5, 3], numbers([5, 1])),
    "shape: gaussianNll: outputs must be [..., 2 d], mean then log-variance, for targets [..., d]; got outputs [5, 3] and targets [5, 1]",
  ],
  [
    () => gaussianNll().layout([5, 2, 6], numbers([5, 3, 2])),
    "shape: gaussianNll: outputs must be [..., 2 d], mean then log-variance, for targets [..., d]; got outputs [5, 2, 6] and targets [5, 3, 2]",
  ],
  [
    () => customLoss({ terms: rowSums }).layout([5, 4, 3], numbers([5, 6])),
    "shape: customLoss: outputs of shape [5, 4, 3] make 4 terms a row, among which the 6 numbers of a row of targets [5, 6] cannot be divided",
  ],
])("targets that do not fit are refused: %#", (layout, message) => {
  expect(messageOf(layout)).toBe(message);
});

test("a custom loss has to return a number a term", () => {
  const loss = customLoss({ name: "total", terms: (f) => reduceSum(f) });
  expect(messageOf(() => loss.terms(input("f", [5, 3]), input("y", [5, 3])))).toBe(
    "shape: total: terms must return one number a term, shape [5], got []",
  );
});

test.each([
  [[2, 4, 5], indices([2, 5]), 1],
  [[2, 4, 5], indices([2, 4]), 2],
  [[2, 4, 1], indices([2, 1]), 1],
  [[2, 4, 1], numbers([2, 4, 1]), 1],
  [[2, 1, 4], numbers([2, 1, 4]), 2],
  [[2, 1, 1], indices([2, 1]), 1],
  [[2, 3, 4, 4], indices([2, 4, 4]), 1],
])("the targets show the axis of classes in outputs %j", (output, targets, axis) => {
  expect(crossEntropy().layout(output, targets).axis).toBe(axis);
});
