import { expect, test } from "vitest";
import { CurvatureError } from "../../src/errors/index.ts";
import { input, type Value } from "../../src/graph/index.ts";
import {
  add,
  averagePool,
  broadcast,
  concat,
  conv,
  convInputTranspose,
  convWeightTranspose,
  depthToSpace,
  fold,
  gather,
  inverseDeviation,
  matmul,
  maxPool,
  pad,
  permute,
  reduceMax,
  reduceSum,
  reshape,
  reverse,
  scatterAdd,
  slice,
  softmax,
  spaceToDepth,
  standardize,
  unfold,
} from "../../src/primitives/index.ts";

const x = (...shape: number[]): Value => input("x", shape);
const indices = (...shape: number[]): Value => input("i", shape, "int64");
const windows = { kernel: [2], strides: [1], dilations: [1], padsBefore: [0], padsAfter: [0] };

const refused: readonly (readonly [build: () => Value, message: string])[] = [
  [() => add(x(2, 3), x(2)), "add: shapes [2, 3] and [2] do not broadcast"],
  [() => broadcast(x(2), [3]), "broadcast: [2] does not broadcast to [3]"],
  [() => broadcast(x(2, 2), [2]), "broadcast: [2, 2] does not broadcast to [2]"],
  [() => reduceSum(x(2, 3), [2]), "reduceSum: axis 2 is outside a tensor of rank 2"],
  [() => reduceMax(x(2, 3), [-3]), "reduceMax: axis -3 is outside a tensor of rank 2"],
  [() => softmax(x(2), 0.5), "softmax: axis 0.5 is outside a tensor of rank 1"],
  [
    () => standardize(x(2, 3), { trailing: 3 }),
    "standardize: cannot average over the last 3 axes of [2, 3]; give a number of axes that it has",
  ],
  [
    () => inverseDeviation(x(2), { trailing: 0 }),
    "inverseDeviation: cannot average over the last 0 axes of [2]; give a number of axes that it has",
  ],
  [() => reverse(x(2), [1]), "reverse: axis 1 is outside a tensor of rank 1"],
  [() => reshape(x(2, 3), [5]), "reshape: [2, 3] has not as many elements as [5]"],
  [() => permute(x(2, 3), [0, 0]), "permute: [0, 0] is no order of the axes of [2, 3]"],
  [() => matmul(x(2, 3), x(4, 2)), "matmul: cannot multiply [2, 3] by [4, 2], of operands [2, 3] and [4, 2]"],
  [
    () => matmul(x(3, 2), x(4, 2), { transposeA: true, transposeB: true }),
    "matmul: cannot multiply [2, 3] by [2, 4], of operands [3, 2] and [4, 2]",
  ],
  [() => matmul(x(2), x(2, 2)), "matmul: operands need at least 2 axes, got [2]"],
  [() => matmul(x(2, 2, 2), x(3, 2, 2)), "matmul: shapes [2] and [3] do not broadcast"],
  [() => gather(x(2), x(2), 0), "gather: indices must be integers, got floats"],
  [() => scatterAdd(x(2), indices(3), { axis: 0, size: 4 }), "scatterAdd: updates [2] do not match indices [3]"],
  [() => slice(x(3, 2), { axis: 0, start: 1, limit: 4 }), "slice: [1, 4) by 1 is not within axis 0 of [3, 2]"],
  [() => pad(x(2), { before: [-1], after: [0] }), "pad: amounts must not be negative, got [-1] and [0]"],
  [() => concat([x(2, 3), x(2, 4)], 0), "concat: shapes [2, 3] and [2, 4] differ off axis 0"],
  [() => unfold(x(1, 1, 4), { ...windows, strides: [0] }), "unfold: strides must be 1 integers of at least 1, got [0]"],
  [() => unfold(x(1, 1, 4, 4), windows), "unfold: kernel must be 2 integers of at least 1, got [2]"],
  [
    () => unfold(x(1, 1, 4), { ...windows, kernel: [3], dilations: [3], padsAfter: [1] }),
    "unfold: a window of 7 does not fit axis 0 of [4] with 1 of padding",
  ],
  [() => fold(x(1, 1, 2, 4), { ...windows, spatial: [4] }), "fold: expected windows [1, 1, 2, 3], got [1, 1, 2, 4]"],
  [
    () => spaceToDepth(x(1, 1, 4, 3), 2),
    "spaceToDepth: needs [N, C, H, W] with H and W multiples of 2, got [1, 1, 4, 3]",
  ],
  [() => depthToSpace(x(1, 3, 2, 2), 2), "depthToSpace: needs [N, C, H, W] with C a multiple of 4, got [1, 3, 2, 2]"],
  [() => maxPool(x(2, 3), { kernel: [] }), "maxPool: needs 1, 2 or 3 spatial axes, got [2, 3]"],
  [
    () => averagePool(x(1, 1, 4), { kernel: [2], padsBefore: [-1] }),
    "averagePool: padsBefore must be 1 integers of at least 0, got [-1]",
  ],
  [() => conv(x(4), x(4)), "conv: needs 1, 2 or 3 spatial axes, got [4] and [4] with 1 groups"],
  [
    () => conv(x(1, 2, 4), x(3, 2, 2, 2)),
    "conv: operands must have the same number of axes, got [1, 2, 4] and [3, 2, 2, 2] with 1 groups",
  ],
  [
    () => conv(x(1, 4, 5), x(3, 2, 2), { groups: 2 }),
    "conv: groups must divide the channels of both sides, got [1, 4, 5] and [3, 2, 2] with 2 groups",
  ],
  [
    () => conv(x(1, 4, 5), x(3, 2, 2)),
    "conv: weights must have 4 input channels a group, got [1, 4, 5] and [3, 2, 2] with 1 groups",
  ],
  [() => conv(x(1, 2, 2), x(3, 2, 3)), "conv: a window of 3 does not fit axis 0 of [2] with 0 of padding"],
  [
    () => convInputTranspose(x(1, 4, 3), x(3, 2, 2), { spatial: [4] }),
    "convInputTranspose: output channels must agree, got [3, 2, 2] and [1, 4, 3] with 1 groups",
  ],
  [
    () => convInputTranspose(x(1, 3, 4), x(3, 2, 2), { spatial: [4] }),
    "convInputTranspose: outputs must be [3], got [3, 2, 2] and [1, 3, 4] with 1 groups",
  ],
  [
    () => convWeightTranspose(x(1, 2, 4), x(2, 3, 3), { kernel: [2] }),
    "convWeightTranspose: batch sizes must agree, got [1, 2, 4] and [2, 3, 3] with 1 groups",
  ],
];

for (const [build, message] of refused) {
  test(message, () => {
    expect(build).toThrow(new CurvatureError("shape", message));
  });
}
