import type * as operators from "../../src/models/import/ops/index.ts";
import type { AttributeValue } from "../../src/tensors/index.ts";
import {
  fixed,
  float,
  floats,
  givenBooleans,
  givenIntegers,
  int32,
  integers,
  type Operand,
  type OperatorCase,
} from "./operatorCase.ts";

const int = (value: number) => ({ int: value });
const ints = (...values: number[]) => ({ ints: values });
const real = (value: number) => ({ float: value });
const text = (value: string) => ({ string: value });

/** A function of one operand: several shapes are no matter, so one form does. */
const unary = (operand: Operand = float([2, 3])): readonly OperatorCase[] => [
  { title: "elementwise", operands: [operand] },
];

const binary = (b: Operand = float([4])): readonly OperatorCase[] => [
  { title: "with broadcasting on the right", operands: [float([2, 3, 4]), b] },
  { title: "opset 7, with broadcasting on the left", opset: 7, operands: [b, float([2, 3, 4])] },
];

const comparison: readonly OperatorCase[] = [
  { title: "of floats", operands: [floats([1, 2, 3, 4]), floats([2, 2, 2, 5])] },
];

/** Axes as an attribute, as an operand (from opset `since` on), none, and none as "do nothing". */
const reduction = (since: number, operand: Operand = float([2, 3, 4])): readonly OperatorCase[] => [
  {
    title: "opset 7, axes as attribute",
    opset: 7,
    attributes: { axes: ints(2, 0), keepdims: int(0) },
    operands: [operand],
  },
  { title: "opset 11, negative axis", opset: 11, attributes: { axes: ints(-2) }, operands: [operand] },
  { title: "axes as operand", opset: since, operands: [operand, integers([1, -1])] },
  { title: "all axes", opset: since, attributes: { keepdims: int(0) }, operands: [operand] },
  {
    title: "no axes at all",
    opset: since,
    attributes: { noop_with_empty_axes: int(1) },
    operands: [operand, integers([])],
  },
];

const images = float([2, 3, 5, 6]);

const rowwise: readonly OperatorCase[] = [
  { title: "last axis", operands: [float([2, 3, 4])] },
  { title: "axis 1", attributes: { axis: int(1) }, operands: [float([2, 3, 4])] },
  { title: "opset 9, all axes from 1 on", opset: 9, operands: [float([2, 3, 4])] },
  { title: "opset 11, all axes from -1 on", opset: 11, attributes: { axis: int(-1) }, operands: [float([2, 3, 4])] },
];

const normalizationOverLast = (domain: string, opset: number): readonly OperatorCase[] => [
  { title: "last axis", domain, opset, operands: [float([2, 3, 4]), float([4])], compared: [0] },
  {
    title: "two axes, another epsilon",
    domain,
    opset,
    attributes: { axis: int(-2), epsilon: real(0.1) },
    operands: [float([2, 3, 4]), float([3, 4])],
    compared: [0],
  },
];

const sequence = float([3, 2, 4]);

/** Forward; both ways with everything; backward. `gates` h columns, h = 2. */
const recurrence = (gates: number, states: number, more: Readonly<Record<string, AttributeValue>> = {}) => {
  const weights = (directions: number) => [float([directions, gates * 2, 4]), float([directions, gates * 2, 2])];
  const bias = (directions: number) => float([directions, 2 * gates * 2]);
  const start = (directions: number) =>
    Array.from({ length: states }, (_, k) => float([directions, 2, 2], [-1 - k, 1]));
  const attributes = { hidden_size: int(2), ...more };
  const every = { outputs: 1 + states };
  const ends = (name: string, lengths: Operand, direction: string, directions: number) => ({
    title: `sequences of several lengths, ${name}`,
    attributes: { ...attributes, direction: text(direction) },
    operands: [sequence, ...weights(directions), bias(directions), lengths, ...start(directions)],
    ...every,
  });
  return [
    { title: "forward", attributes, operands: [sequence, ...weights(1)], ...every },
    ends("forward", int32([3, 2]), "forward", 1),
    ends("backward", tokens([1, 3], [2]), "reverse", 1),
    ends("both ways, given with the data", tokens([2, 1], [2]), "bidirectional", 2),
    {
      title: "both ways, bias, first states",
      attributes: { ...attributes, direction: text("bidirectional") },
      operands: [sequence, ...weights(2), bias(2), null, ...start(2)],
      ...every,
    },
    {
      title: "opset 7, backward",
      opset: 7,
      attributes: { ...attributes, direction: text("reverse") },
      operands: [sequence, ...weights(1), bias(1), null, ...start(1)],
      ...every,
    },
  ] satisfies readonly OperatorCase[];
};

/** int32 numbers that are given when the model is run. */
const tokens = (values: readonly number[], dims: readonly number[]): Operand => ({
  fixed: { data: Int32Array.from(values), dims, dtype: "int32" },
  asInput: true,
});

/** Places between elements, since the nearest one jumps half way. */
const fixedGrid = fixed(
  [
    -0.9, -0.8, 0.1, 0.7, 1.2, -1.1, 0.3, 0.2, -0.4, 0.9, 0.55, -0.6, -0.9, -0.8, 0.1, 0.7, 1.2, -1.1, 0.3, 0.2, -0.4,
    0.9, 0.55, -0.6,
  ],
  [2, 2, 3, 2],
);

/** Every operator with a rule has its forms here. */
export const operatorCases: Readonly<Record<keyof typeof operators, readonly OperatorCase[]>> = {
  Abs: unary(),
  Acos: unary(float([2, 3], [-0.9, 0.9])),
  Acosh: unary(float([2, 3], [1.1, 4])),
  Add: binary(),
  Asin: unary(float([2, 3], [-0.9, 0.9])),
  Asinh: unary(),
  Atan: unary(),
  Atanh: unary(float([2, 3], [-0.7, 0.7])),
  Attention: [
    { title: "four axes", opset: 23, operands: [float([2, 2, 3, 4]), float([2, 2, 5, 4]), float([2, 2, 5, 2])] },
    {
      title: "three axes, grouped heads, causal",
      opset: 23,
      attributes: { q_num_heads: int(4), kv_num_heads: int(2), is_causal: int(1), scale: real(0.3) },
      operands: [float([1, 3, 8]), float([1, 3, 4]), float([1, 3, 6])],
    },
    {
      title: "a mask that is added, softcap",
      opset: 23,
      attributes: { softcap: real(2) },
      operands: [float([1, 2, 3, 4]), float([1, 2, 3, 4]), float([1, 2, 3, 4]), float([3, 3])],
    },
    {
      title: "a mask of booleans",
      opset: 23,
      operands: [
        float([1, 2, 2, 4]),
        float([1, 2, 3, 4]),
        float([1, 2, 3, 4]),
        givenBooleans([1, 0, 1, 1, 1, 0], [2, 3]),
      ],
    },
    {
      title: "a query that sees no key",
      opset: 23,
      operands: [
        float([1, 1, 2, 4]),
        float([1, 1, 3, 4]),
        float([1, 1, 3, 4]),
        givenBooleans([0, 0, 0, 1, 1, 0], [2, 3]),
      ],
    },
    ...[0, 2, 3].map((mode) => ({
      title: `scores at stage ${mode}`,
      opset: 23,
      attributes: { qk_matmul_output_mode: int(mode), softcap: real(2) },
      operands: [float([1, 2, 3, 4]), float([1, 2, 3, 4]), float([1, 2, 3, 4]), float([3, 3])],
      outputs: 4,
    })),
    {
      title: "opset 24, lengths of padded keys, causal",
      opset: 24,
      attributes: { is_causal: int(1) },
      operands: [
        float([2, 1, 2, 4]),
        float([2, 1, 3, 4]),
        float([2, 1, 3, 4]),
        null,
        null,
        null,
        givenIntegers([3, 2]),
      ],
    },
    {
      title: "keys and values of the past",
      opset: 23,
      operands: [
        float([1, 2, 2, 4]),
        float([1, 2, 2, 4]),
        float([1, 2, 2, 4]),
        null,
        float([1, 2, 3, 4]),
        float([1, 2, 3, 4]),
      ],
      outputs: 3,
    },
  ],
  AveragePool: [
    { title: "1-D", attributes: { kernel_shape: ints(2) }, operands: [float([2, 3, 7])] },
    {
      title: "strides, asymmetric padding",
      attributes: { kernel_shape: ints(3, 2), strides: ints(2, 1), pads: ints(1, 0, 2, 1) },
      operands: [images],
    },
    {
      title: "padding that counts",
      attributes: { kernel_shape: ints(3, 3), pads: ints(1, 1, 1, 1), count_include_pad: int(1) },
      operands: [images],
    },
    {
      title: "ceil_mode",
      attributes: { kernel_shape: ints(2, 3), strides: ints(2, 2), ceil_mode: int(1) },
      operands: [images],
    },
    {
      title: "opset 7, SAME_LOWER",
      opset: 7,
      attributes: { kernel_shape: ints(2, 2), strides: ints(2, 2), auto_pad: text("SAME_LOWER") },
      operands: [images],
    },
    {
      title: "opset 19, dilations",
      opset: 19,
      attributes: { kernel_shape: ints(2, 2), dilations: ints(2, 1) },
      operands: [images],
    },
  ],
  BatchNormalization: [
    {
      title: "inference",
      operands: [images, float([3]), float([3]), fixed([0.1, -0.2, 0.3]), fixed([0.5, 1, 2])],
      attributes: { epsilon: real(0.01), momentum: real(0.8) },
    },
    {
      title: "opset 7, a matrix",
      opset: 7,
      operands: [float([4, 3]), float([3]), float([3]), fixed([0.1, -0.2, 0.3]), fixed([0.5, 1, 2])],
    },
    {
      title: "opset 9",
      opset: 9,
      operands: [float([2, 3, 4]), float([3]), float([3]), fixed([0.1, -0.2, 0.3]), fixed([0.5, 1, 2])],
    },
    {
      title: "statistics that are differentiated too",
      operands: [images, float([3]), float([3]), float([3]), float([3], [0.5, 2])],
    },
  ],
  AffineGrid: [
    { title: "images", opset: 20, operands: [float([2, 2, 3]), integers([2, 3, 4, 5])] },
    {
      title: "images, aligned corners",
      opset: 20,
      attributes: { align_corners: int(1) },
      operands: [float([2, 2, 3]), integers([2, 1, 3, 4])],
    },
    { title: "volumes", opset: 20, operands: [float([2, 3, 4]), integers([2, 1, 2, 3, 4])] },
    {
      title: "volumes, aligned corners",
      opset: 20,
      attributes: { align_corners: int(1) },
      operands: [float([1, 3, 4]), integers([1, 2, 3, 2, 4])],
    },
  ],
  BiasGelu: [{ title: "com.microsoft", domain: "com.microsoft", operands: [float([2, 3, 4]), float([4])] }],
  Cast: [
    { title: "to float", attributes: { to: int(1) }, operands: [float([2, 3])] },
    { title: "double is float", attributes: { to: int(11) }, operands: [float([2, 3])] },
  ],
  CastLike: [{ title: "to the type of a float", operands: [float([2, 3]), fixed([1])] }],
  Ceil: unary(),
  Celu: [{ title: "alpha", attributes: { alpha: real(2) }, operands: [float([2, 3])] }],
  Clip: [
    { title: "bounds as operands", operands: [float([3, 4]), fixed([-0.5], []), fixed([0.7], [])] },
    { title: "upper bound only", operands: [float([3, 4]), null, fixed([0.5], [])] },
    { title: "no bounds", operands: [float([3, 4])] },
    { title: "bounds that are parameters", operands: [float([3, 4]), floats([-0.5], []), floats([0.7], [])] },
    {
      title: "opset 7, bounds as attributes",
      opset: 7,
      attributes: { min: real(-0.5), max: real(0.7) },
      operands: [float([3, 4])],
    },
    { title: "opset 9, upper bound only", opset: 9, attributes: { max: real(0.5) }, operands: [float([3, 4])] },
  ],
  Col2Im: [
    { title: "images", opset: 18, operands: [float([2, 3 * 4, 9]), integers([4, 4]), integers([2, 2])] },
    {
      title: "images, dilations, pads, strides",
      opset: 18,
      attributes: { dilations: ints(1, 2), pads: ints(1, 0, 0, 2), strides: ints(2, 1) },
      operands: [float([1, 2 * 6, 3 * 3]), integers([6, 5]), integers([2, 3])],
    },
    {
      title: "signals",
      opset: 18,
      attributes: { pads: ints(1, 1), strides: ints(2) },
      operands: [float([2, 3 * 3, 4]), integers([7]), integers([3])],
    },
    {
      title: "volumes",
      opset: 18,
      attributes: { strides: ints(1, 2, 1) },
      operands: [float([1, 2 * 8, 2 * 2 * 3]), integers([3, 4, 4]), integers([2, 2, 2])],
    },
  ],
  Compress: [
    {
      title: "along an axis",
      attributes: { axis: int(1) },
      operands: [float([2, 4]), { fixed: { data: Uint8Array.of(0, 1, 1), dims: [3], dtype: "bool" } }],
    },
    {
      title: "with conditions beyond the end of the axis",
      attributes: { axis: int(1) },
      operands: [float([2, 2]), { fixed: { data: Uint8Array.of(0, 1, 1, 1), dims: [4], dtype: "bool" } }],
    },
    {
      title: "of all elements",
      operands: [float([2, 3]), { fixed: { data: Uint8Array.of(1, 0, 0, 1), dims: [4], dtype: "bool" } }],
    },
  ],
  Concat: [
    {
      title: "three tensors",
      attributes: { axis: int(1) },
      operands: [float([2, 1, 3]), float([2, 2, 3]), float([2, 4, 3])],
    },
    {
      title: "opset 11, negative axis",
      opset: 11,
      attributes: { axis: int(-1) },
      operands: [float([2, 1]), float([2, 2])],
    },
  ],
  Conv: [
    { title: "1-D with bias", operands: [float([2, 2, 6]), float([3, 2, 3]), float([3])] },
    {
      title: "2-D, strides, dilations, asymmetric padding",
      attributes: { strides: ints(2, 1), dilations: ints(1, 2), pads: ints(0, 1, 2, 3) },
      operands: [float([2, 2, 5, 5]), float([3, 2, 3, 2])],
    },
    { title: "3-D", operands: [float([1, 2, 3, 3, 4]), float([2, 2, 2, 1, 2]), float([2])] },
    { title: "groups", attributes: { group: int(2) }, operands: [float([2, 4, 4, 4]), float([6, 2, 2, 2])] },
    { title: "depthwise", attributes: { group: int(3) }, operands: [float([2, 3, 4, 4]), float([3, 1, 2, 2])] },
    {
      title: "SAME_UPPER",
      attributes: { auto_pad: text("SAME_UPPER"), strides: ints(2, 2), kernel_shape: ints(2, 3) },
      operands: [float([1, 2, 5, 5]), float([2, 2, 2, 3])],
    },
    {
      title: "opset 7, SAME_LOWER",
      opset: 7,
      attributes: { auto_pad: text("SAME_LOWER"), strides: ints(1, 1) },
      operands: [float([1, 2, 5, 5]), float([2, 2, 2, 2])],
    },
    { title: "VALID", attributes: { auto_pad: text("VALID") }, operands: [float([1, 2, 4, 5]), float([2, 2, 2, 2])] },
  ],
  ConvTranspose: [
    { title: "1-D with bias", operands: [float([2, 2, 4]), float([2, 3, 3]), float([3])] },
    {
      title: "strides, padding, output_padding",
      attributes: { strides: ints(2, 3), pads: ints(1, 0, 0, 1), output_padding: ints(1, 2) },
      operands: [float([1, 2, 3, 3]), float([2, 3, 3, 2])],
    },
    {
      title: "groups, dilations",
      attributes: { group: int(2), dilations: ints(2, 1) },
      operands: [float([1, 4, 3, 3]), float([4, 2, 2, 2])],
    },
    {
      title: "output_shape",
      attributes: { strides: ints(2, 2), output_shape: ints(6, 6) },
      operands: [float([1, 2, 3, 3]), float([2, 3, 3, 3])],
    },
    {
      title: "SAME_UPPER",
      attributes: { strides: ints(2, 2), auto_pad: text("SAME_UPPER") },
      operands: [float([1, 2, 3, 3]), float([2, 3, 3, 3])],
    },
    {
      title: "SAME_LOWER",
      attributes: { strides: ints(2, 2), auto_pad: text("SAME_LOWER") },
      operands: [float([1, 2, 3, 3]), float([2, 3, 3, 3])],
    },
  ],
  Cos: unary(),
  Cosh: unary(),
  CumSum: [
    { title: "along an axis", operands: [float([2, 3, 4]), integers([1], [])] },
    {
      title: "reversed, without the element itself",
      attributes: { exclusive: int(1), reverse: int(1) },
      operands: [float([2, 4]), integers([-1], [])],
    },
    { title: "of a vector", attributes: { exclusive: int(1) }, operands: [float([4]), integers([0], [])] },
  ],
  DFT: [
    { title: "opset 17, real", operands: [float([2, 6, 1])] },
    { title: "opset 17, complex, axis 2", attributes: { axis: int(2) }, operands: [float([2, 3, 5, 2])] },
    {
      title: "opset 17, real, one-sided, longer than the signal",
      attributes: { onesided: int(1) },
      operands: [float([2, 6, 1]), integers([9], [])],
    },
    { title: "opset 17, inverse", attributes: { inverse: int(1) }, operands: [float([2, 6, 2])] },
    {
      title: "opset 17, inverse of one-sided frequencies",
      attributes: { inverse: int(1), onesided: int(1) },
      operands: [float([2, 5, 2])],
    },
    { title: "opset 20, the last axis of signals by default", opset: 20, operands: [float([2, 3, 4, 2])] },
    {
      title: "opset 20, axis as operand, shorter than the signal",
      opset: 20,
      attributes: { inverse: int(1) },
      operands: [float([2, 6, 3, 2]), integers([4], []), integers([1], [])],
    },
    {
      title: "opset 20, negative axis, one-sided",
      opset: 20,
      attributes: { onesided: int(1) },
      operands: [float([2, 4, 3, 1]), null, integers([-3], [])],
    },
    { title: "by factors", operands: [float([1, 128, 1])] },
    { title: "by factors, inverse", attributes: { inverse: int(1) }, operands: [float([1, 128, 2])] },
  ],
  DepthToSpace: [
    { title: "DCR", attributes: { blocksize: int(2) }, operands: [float([2, 8, 2, 3])] },
    { title: "CRD", attributes: { blocksize: int(2), mode: text("CRD") }, operands: [float([2, 8, 2, 3])] },
  ],
  Div: binary(float([4], [0.5, 2])).map((each) => ({ ...each, operands: each.operands.map((x) => positive(x)) })),
  Dropout: [
    { title: "inference", operands: [float([2, 3])] },
    { title: "with its mask", operands: [float([2, 3])], outputs: 2 },
    { title: "opset 7", opset: 7, attributes: { ratio: real(0.3) }, operands: [float([2, 3])] },
  ],
  Einsum: [
    {
      title: "a matrix product",
      attributes: { equation: text("ij, jk -> ik") },
      operands: [float([2, 3]), float([3, 4])],
    },
    {
      title: "a batch, sums and another order",
      attributes: { equation: text("bhid,bhjd->jbi") },
      operands: [float([2, 3, 2, 4]), float([2, 3, 5, 4])],
    },
    {
      title: "axes of size 1 under dots, and of a letter",
      attributes: { equation: text("...ij,...jk,k->...ik") },
      operands: [float([2, 1, 2, 3]), float([1, 4, 3, 2]), float([1])],
    },
    {
      title: "axes of size 1 that stay or are summed",
      attributes: { equation: text("a...,b...->b...") },
      operands: [float([1, 1, 3]), float([2, 1, 1])],
    },
    {
      title: "three operands",
      attributes: { equation: text("ij,jk,k->i") },
      operands: [float([2, 3]), float([3, 4]), float([4])],
    },
    { title: "no result named", attributes: { equation: text("ba,bc") }, operands: [float([3, 2]), float([3, 4])] },
    { title: "dots", attributes: { equation: text("...ij,jk->...ki") }, operands: [float([2, 3, 4]), float([4, 2])] },
    { title: "diagonals", attributes: { equation: text("...ii->...i") }, operands: [float([2, 3, 3])] },
    { title: "one operand", attributes: { equation: text("ijk->ki") }, operands: [float([2, 3, 4])] },
  ],
  Elu: [
    { title: "alpha", attributes: { alpha: real(0.5) }, operands: [float([2, 3])] },
    { title: "where e^x leaves the numbers", operands: [floats([-1000, -1, 1, 1000])] },
  ],
  EmbedLayerNormalization: [
    {
      title: "with segments, and the sum",
      domain: "com.microsoft",
      attributes: { epsilon: real(1e-5) },
      operands: [
        tokens([0, 2, 1, 3], [2, 2]),
        tokens([0, 1, 1, 0], [2, 2]),
        float([4, 4]),
        float([3, 4]),
        float([2, 4], [-1, 1]),
        float([4]),
        float([4], [-1, 1]),
      ],
      outputs: 3,
      compared: [0, 2],
    },
    {
      title: "with positions and a mask",
      domain: "com.microsoft",
      operands: [
        tokens([0, 2, 1, 3], [2, 2]),
        null,
        float([4, 4]),
        float([3, 4]),
        null,
        float([4]),
        float([4], [-1, 1]),
        tokens([1, 1, 1, 0], [2, 2]),
        tokens([2, 0, 1, 1], [2, 2]),
      ],
      outputs: 2,
    },
  ],
  Equal: comparison,
  Erf: unary(),
  Exp: unary(),
  Expand: [
    { title: "new and repeated axes", operands: [float([3, 1]), integers([2, 1, 4])] },
    { title: "a shape that is smaller", operands: [float([2, 3]), integers([1])] },
  ],
  FastGelu: [
    { title: "with a bias", domain: "com.microsoft", operands: [float([2, 4]), float([4])] },
    { title: "without", domain: "com.microsoft", operands: [float([2, 4])] },
  ],
  Flatten: [
    { title: "axis 1", operands: [float([2, 3, 4])] },
    { title: "axis 0", attributes: { axis: int(0) }, operands: [float([2, 3])] },
    { title: "opset 11, negative axis", opset: 11, attributes: { axis: int(-1) }, operands: [float([2, 3, 4])] },
  ],
  Floor: unary(),
  FusedConv: [
    {
      title: "with a sum and Relu",
      domain: "com.microsoft",
      attributes: { activation: text("Relu"), kernel_shape: ints(2, 2) },
      operands: [float([1, 2, 4, 4]), float([2, 2, 2, 2]), float([2]), float([1, 2, 3, 3])],
    },
    {
      title: "Clip",
      domain: "com.microsoft",
      attributes: { activation: text("Clip"), activation_params: { floats: [-0.4, 1.2] } },
      operands: [float([1, 2, 4, 4]), float([2, 2, 2, 2])],
    },
  ],
  FusedGemm: [
    {
      title: "LeakyRelu",
      domain: "com.microsoft",
      attributes: { activation: text("LeakyRelu"), activation_alpha: real(0.3), transB: int(1) },
      operands: [float([3, 4]), float([2, 4]), float([2])],
    },
  ],
  FusedMatMul: [
    {
      title: "transposed and scaled",
      domain: "com.microsoft",
      attributes: { transA: int(1), transB: int(1), alpha: real(0.5) },
      operands: [float([2, 4, 3]), float([2, 5, 4])],
    },
  ],
  GRU: [
    ...recurrence(3, 1),
    ...recurrence(3, 1, { linear_before_reset: int(1) }).map((each) => ({
      ...each,
      title: `${each.title}, reset last`,
    })),
  ],
  Gather: [
    { title: "rows of a table by tokens", operands: [float([5, 3]), givenIntegers([0, -1, 2, 2], [2, 2])] },
    { title: "axis 1", attributes: { axis: int(1) }, operands: [float([2, 4, 3]), givenIntegers([3, 0, -4])] },
    { title: "one constant index", attributes: { axis: int(-2) }, operands: [float([2, 4, 3]), integers([1], [])] },
  ],
  GatherElements: [
    {
      title: "along the last axis",
      attributes: { axis: int(-1) },
      operands: [float([2, 3, 4]), givenIntegers([0, -1, 2, 2, 1, 0, 3, 3, 3, 1, 0, -4], [2, 3, 2])],
    },
    { title: "fewer columns", operands: [float([3, 4]), givenIntegers([2, 0, 1, -1], [2, 2])] },
  ],
  GatherND: [
    { title: "elements", operands: [float([2, 3]), givenIntegers([0, -1, 1, 0], [2, 2])] },
    { title: "slices", operands: [float([2, 3, 2]), givenIntegers([1, 0, -1], [3, 1, 1])] },
    {
      title: "batches",
      attributes: { batch_dims: int(1) },
      operands: [float([2, 3, 2]), givenIntegers([2, 0, 1, -3], [2, 2, 1])],
    },
  ],
  Gelu: [
    { title: "opset 20", opset: 20, operands: [float([2, 3])] },
    { title: "opset 20, by tanh", opset: 20, attributes: { approximate: text("tanh") }, operands: [float([2, 3])] },
    { title: "com.microsoft", domain: "com.microsoft", operands: [float([2, 3])] },
  ],
  Gemm: [
    { title: "with bias", operands: [float([3, 4]), float([4, 2]), float([2])] },
    {
      title: "transposed and scaled",
      attributes: { transA: int(1), transB: int(1), alpha: real(0.5), beta: real(-2) },
      operands: [float([4, 3]), float([2, 4]), float([3, 1])],
    },
    { title: "opset 11, without bias", opset: 11, operands: [float([3, 4]), float([4, 2])] },
    { title: "opset 7", opset: 7, operands: [float([3, 4]), float([4, 2]), float([1, 2])] },
  ],
  GlobalAveragePool: [{ title: "2-D", operands: [images] }],
  GlobalLpPool: [
    { title: "2-D", operands: [images] },
    { title: "of degree 3", attributes: { p: int(3) }, operands: [float([2, 3, 5])] },
  ],
  GlobalMaxPool: [{ title: "2-D", operands: [images] }],
  Greater: comparison,
  GreaterOrEqual: comparison,
  GridSample: [
    ...["linear", "cubic", "nearest"].flatMap((mode) =>
      ["zeros", "border", "reflection"].map((padding) => ({
        title: `opset 20, ${mode}, ${padding}`,
        opset: 20,
        attributes: { mode: text(mode), padding_mode: text(padding) },
        operands: [float([2, 2, 3, 4]), mode === "nearest" ? fixedGrid : float([2, 2, 3, 2], [-1.3, 1.3])],
      })),
    ),
    {
      title: "bilinear, aligned corners",
      attributes: { align_corners: int(1) },
      operands: [float([2, 2, 3, 4]), float([2, 2, 3, 2], [-1.3, 1.3])],
    },
    {
      title: "bicubic, aligned corners, reflection",
      attributes: { mode: text("bicubic"), align_corners: int(1), padding_mode: text("reflection") },
      operands: [float([1, 2, 3, 4]), float([1, 2, 3, 2], [-1.9, 1.9])],
    },
    {
      title: "opset 20, three axes",
      opset: 20,
      operands: [float([1, 2, 2, 3, 2]), float([1, 2, 1, 2, 3], [-0.9, 0.9])],
    },
  ],
  GroupNormalization: [
    {
      title: "opset 21",
      opset: 21,
      attributes: { num_groups: int(2) },
      operands: [float([2, 4, 3]), float([4]), float([4])],
    },
    {
      title: "opset 18, scale and bias of a group",
      opset: 18,
      attributes: { num_groups: int(2), epsilon: real(0.1) },
      operands: [float([2, 4, 2, 2]), float([2]), float([2])],
    },
  ],
  HardSigmoid: [
    { title: "defaults", operands: [float([3, 4], [-5, 5])] },
    { title: "alpha and beta", attributes: { alpha: real(0.5), beta: real(0.4) }, operands: [float([3, 4])] },
  ],
  HardSwish: unary(float([3, 4], [-5, 5])),
  Identity: unary(),
  InstanceNormalization: [
    { title: "2-D", operands: [images, float([3]), float([3])] },
    {
      title: "opset 7, 1-D",
      opset: 7,
      attributes: { epsilon: real(0.1) },
      operands: [float([2, 3, 4]), float([3]), float([3])],
    },
  ],
  IsNaN: unary(floats([1, Number.NaN])),
  LRN: [
    { title: "defaults", attributes: { size: int(3) }, operands: [images] },
    {
      title: "opset 7, all attributes",
      opset: 7,
      attributes: { size: int(5), alpha: real(0.5), beta: real(0.6), bias: real(2) },
      operands: [float([2, 5, 3, 2])],
    },
  ],
  LSTM: [
    ...recurrence(4, 2),
    {
      title: "peepholes",
      attributes: { hidden_size: int(2) },
      operands: [sequence, float([1, 8, 4]), float([1, 8, 2]), null, null, null, null, float([1, 6])],
      outputs: 3,
    },
    {
      title: "coupled gates",
      attributes: { hidden_size: int(2), input_forget: int(1) },
      operands: [sequence, float([1, 8, 4]), float([1, 8, 2])],
    },
    {
      title: "lengths that are all the same, other activations, clip",
      attributes: { hidden_size: int(2), activations: { strings: ["Sigmoid", "Relu", "Tanh"] }, clip: real(0.9) },
      operands: [sequence, float([1, 8, 4]), float([1, 8, 2]), null, int32([3, 3])],
    },
  ],
  LayerNormalization: [
    ...normalizationOverLast("", 17),
    { title: "with a bias", operands: [float([2, 3, 4]), float([4]), float([4])] },
    { title: "with mean and deviation", operands: [float([2, 3, 4]), float([4]), float([4])], outputs: 3 },
    { title: "of large numbers", operands: [floats([1000, 1001, 1003, 1002], [1, 4]), float([4])] },
  ],
  LeakyRelu: [{ title: "alpha", attributes: { alpha: real(0.3) }, operands: [float([2, 3])] }],
  Less: comparison,
  LessOrEqual: comparison,
  Log: unary(float([2, 3], [0.5, 2])),
  LogSoftmax: rowwise,
  LpNormalization: [
    { title: "of degree 2", operands: [float([2, 3, 4])] },
    { title: "of degree 1, axis 1", attributes: { p: int(1), axis: int(1) }, operands: [float([2, 3, 4])] },
  ],
  LpPool: [
    { title: "1-D", attributes: { kernel_shape: ints(2) }, operands: [float([2, 3, 7])] },
    {
      title: "of degree 3, strides, padding",
      attributes: { p: int(3), kernel_shape: ints(3, 2), strides: ints(2, 1), pads: ints(1, 0, 1, 1) },
      operands: [images],
    },
    {
      title: "opset 18, dilations, SAME_UPPER not",
      opset: 18,
      attributes: { p: int(1), kernel_shape: ints(2, 2), dilations: ints(2, 1) },
      operands: [images],
    },
    {
      title: "opset 18, ceil_mode",
      opset: 18,
      attributes: { kernel_shape: ints(2, 3), strides: ints(3, 2), pads: ints(1, 0, 0, 0), ceil_mode: int(1) },
      operands: [images],
    },
  ],
  MatMul: [
    { title: "matrices", operands: [float([3, 4]), float([4, 2])] },
    { title: "a batch by one matrix", operands: [float([2, 3, 4]), float([4, 2])] },
    { title: "batches that broadcast", operands: [float([2, 1, 3, 4]), float([5, 4, 2])] },
    { title: "a vector on the left", operands: [float([4]), float([2, 4, 3])] },
    { title: "a vector on the right", operands: [float([2, 3, 4]), float([4])] },
    { title: "two vectors", opset: 7, operands: [float([4]), floats([1, 2, 3, 4])] },
  ],
  Max: [
    { title: "three tensors", operands: [float([2, 3]), float([3]), float([2, 1])] },
    { title: "one tensor", operands: [float([2, 3])] },
  ],
  MaxPool: [
    { title: "1-D", attributes: { kernel_shape: ints(2) }, operands: [float([2, 3, 7])] },
    {
      title: "strides, asymmetric padding",
      attributes: { kernel_shape: ints(3, 2), strides: ints(2, 1), pads: ints(1, 0, 2, 1) },
      operands: [images],
    },
    {
      title: "dilations",
      attributes: { kernel_shape: ints(2, 2), dilations: ints(2, 3), strides: ints(1, 2) },
      operands: [images],
    },
    {
      title: "ceil_mode",
      attributes: { kernel_shape: ints(2, 3), strides: ints(2, 2), ceil_mode: int(1) },
      operands: [images],
    },
    {
      title: "SAME_UPPER",
      attributes: { kernel_shape: ints(2, 3), strides: ints(2, 2), auto_pad: text("SAME_UPPER") },
      operands: [images],
    },
    {
      title: "opset 7",
      opset: 7,
      attributes: { kernel_shape: ints(2, 2), auto_pad: text("VALID") },
      operands: [images],
    },
  ],
  Mean: [{ title: "three tensors", operands: [float([2, 3]), float([3]), float([2, 1])] }],
  MeanVarianceNormalization: [
    { title: "defaults", operands: [images] },
    { title: "opset 9, other axes", opset: 9, attributes: { axes: ints(1, -1) }, operands: [float([2, 3, 4])] },
  ],
  Min: [{ title: "three tensors", opset: 8, operands: [float([2, 3]), float([3]), float([2, 1])] }],
  Mish: [{ title: "opset 18", opset: 18, operands: [float([2, 3])] }],
  Mod: [
    {
      title: "fmod",
      attributes: { fmod: int(1) },
      operands: [floats([5.3, -5.3, 7.1, 0.4]), floats([2.1, 2.2, -1.5, 3])],
    },
    { title: "of one parameter", attributes: { fmod: int(1) }, operands: [floats([5.3, -5.3]), fixed([2], [])] },
  ],
  Mul: binary(),
  MultiHeadAttention: [
    {
      title: "with biases",
      domain: "com.microsoft",
      attributes: { num_heads: int(2) },
      operands: [float([2, 3, 4]), float([2, 2, 4]), float([2, 2, 4], [-1, 1]), float([12])],
    },
    ...[
      { title: "numbers of keys", mask: int32([2, 4]) },
      {
        title: "numbers of keys and where rows begin, given with the data",
        mask: tokens([3, 1, 0, 3, 6, 0, 5, 10], [8]),
      },
    ].map(({ title, mask }) => ({
      title,
      domain: "com.microsoft",
      attributes: { num_heads: int(2) },
      operands: [float([2, 3, 4]), float([2, 5, 4]), float([2, 5, 4], [-1, 1]), null, mask],
    })),
    {
      title: "a mask of keys, one that is added, a scale",
      domain: "com.microsoft",
      attributes: { num_heads: int(2), scale: real(0.3) },
      operands: [
        float([1, 2, 4]),
        float([1, 3, 4]),
        float([1, 3, 4], [-1, 1]),
        null,
        int32([1, 1, 0], [1, 3]),
        float([1, 2, 2, 3]),
      ],
    },
    {
      title: "causal, with the past",
      domain: "com.microsoft",
      attributes: { num_heads: int(2), unidirectional: int(1) },
      operands: [
        float([1, 2, 4]),
        float([1, 2, 4], [-1, 1]),
        float([1, 2, 4], [-2, 2]),
        null,
        null,
        null,
        float([1, 2, 3, 2]),
        float([1, 2, 3, 2], [-1, 1]),
      ],
      outputs: 3,
    },
  ],
  Neg: unary(),
  OneHot: [
    {
      title: "last axis",
      operands: [givenIntegers([0, 2, -1], [3]), integers([3], []), floats([0.5, 2])],
    },
    {
      title: "axis 0",
      attributes: { axis: int(0) },
      operands: [givenIntegers([0, 1, 1, 5], [2, 2]), integers([2], []), floats([-1, 3])],
    },
  ],
  PRelu: [
    { title: "a slope for each channel", operands: [float([2, 3, 4]), float([3, 1])] },
    { title: "opset 7, one slope", opset: 7, operands: [float([2, 3]), floats([0.25])] },
  ],
  Pad: [
    { title: "zeros", operands: [float([2, 3]), integers([1, 0, 0, 2])] },
    { title: "another constant, and less", operands: [float([3, 4]), integers([1, -1, -1, 2]), fixed([0.5], [])] },
    { title: "a parameter", operands: [float([2, 3]), integers([1, 0, 0, 2]), floats([0.5], [])] },
    { title: "edge", attributes: { mode: text("edge") }, operands: [float([2, 3]), integers([0, 2, 1, 1])] },
    { title: "reflect", attributes: { mode: text("reflect") }, operands: [float([3, 4]), integers([2, 1, 1, 3])] },
    {
      title: "opset 19, wrap",
      opset: 19,
      attributes: { mode: text("wrap") },
      operands: [float([3, 4]), integers([2, 1, 1, 3])],
    },
    { title: "opset 18, some axes", opset: 18, operands: [float([2, 3, 2]), integers([1, 2]), null, integers([-2])] },
    {
      title: "opset 7, amounts as attribute",
      opset: 7,
      attributes: { pads: ints(1, 0, 0, 2), value: real(0.5) },
      operands: [float([2, 3])],
    },
  ],
  Pow: [
    { title: "a constant exponent", operands: [float([2, 3]), fixed([3], [])] },
    { title: "an integer exponent at 0", operands: [floats([-1, 0, 2]), integers([2], [])] },
    {
      title: "opset 7, constant exponents that differ",
      opset: 7,
      operands: [float([2, 3], [0.5, 2]), fixed([0.5, 2, -1])],
    },
    { title: "powers of integers", operands: [givenIntegers([2, 3, -3]), floats([1.5, 2.2, 2])] },
    { title: "an exponent that is a parameter", operands: [float([2, 3], [0.5, 2]), float([3])] },
  ],
  QuickGelu: [{ title: "alpha", domain: "com.microsoft", attributes: { alpha: real(1.5) }, operands: [float([2, 3])] }],
  RNN: [
    ...recurrence(1, 1),
    {
      title: "ReLU",
      attributes: { hidden_size: int(2), activations: { strings: ["Relu"] } },
      operands: [sequence, float([1, 2, 4]), float([1, 2, 2])],
    },
    ...[
      "Affine",
      "Elu",
      "HardSigmoid",
      "LeakyRelu",
      "ScaledTanh",
      "Sigmoid",
      "Softplus",
      "Softsign",
      "ThresholdedRelu",
    ].map((name) => ({
      title: name,
      attributes: {
        hidden_size: int(2),
        activations: { strings: [name] },
        activation_alpha: { floats: [0.3] },
        activation_beta: { floats: [0.4] },
      },
      operands: [sequence, float([1, 2, 4]), float([1, 2, 2])],
    })),
  ],
  RMSNormalization: normalizationOverLast("", 23),
  Range: [{ title: "of floats", operands: [floats([0.5], []), fixed([3], []), floats([0.75], [])] }],
  Reciprocal: unary(float([2, 3], [0.5, 2])),
  ReduceL1: reduction(18),
  ReduceL2: reduction(18),
  ReduceLogSum: reduction(18, float([2, 3, 4], [0.5, 2])),
  ReduceLogSumExp: reduction(18),
  ReduceMax: reduction(18),
  ReduceMean: reduction(18),
  ReduceMin: reduction(18),
  ReduceProd: [...reduction(18), { title: "with a zero", operands: [floats([2, 0, -3, 1.5, 4], [1, 5])] }],
  ReduceSum: reduction(13),
  ReduceSumSquare: reduction(18),
  Relu: unary(),
  Reshape: [
    { title: "0 keeps a size, -1 is the rest", operands: [float([2, 3, 4]), integers([0, -1, 2])] },
    {
      title: "opset 14, allowzero",
      opset: 14,
      attributes: { allowzero: int(1) },
      operands: [float([2, 6]), integers([3, 4])],
    },
    { title: "opset 7", opset: 7, operands: [float([2, 3, 4]), integers([6, 4])] },
  ],
  Resize: [
    {
      title: "nearest, twice the size",
      attributes: { coordinate_transformation_mode: text("asymmetric"), nearest_mode: text("floor") },
      operands: [float([1, 2, 3, 2]), null, fixed([1, 1, 2, 2])],
    },
    { title: "nearest, to sizes", operands: [float([1, 2, 3, 4]), null, null, integers([1, 2, 5, 3])] },
    {
      title: "linear",
      attributes: { mode: text("linear") },
      operands: [float([1, 2, 3, 2]), null, fixed([1, 1, 2, 1.5])],
    },
    {
      title: "linear, aligned corners",
      attributes: { mode: text("linear"), coordinate_transformation_mode: text("align_corners") },
      operands: [float([1, 2, 3, 4]), null, null, integers([1, 2, 5, 7])],
    },
    {
      title: "linear, smaller, as in PyTorch",
      attributes: { mode: text("linear"), coordinate_transformation_mode: text("pytorch_half_pixel") },
      operands: [float([1, 2, 4, 3]), null, null, integers([1, 2, 3, 1])],
    },
    { title: "cubic", attributes: { mode: text("cubic") }, operands: [float([1, 1, 3, 4]), null, fixed([1, 1, 2, 2])] },
    {
      title: "cubic without what is outside",
      attributes: { mode: text("cubic"), exclude_outside: int(1), cubic_coeff_a: real(-0.5) },
      operands: [float([1, 1, 3, 4]), null, fixed([1, 1, 1.5, 2])],
    },
    {
      title: "opset 19, some axes, symmetric",
      opset: 19,
      attributes: {
        mode: text("linear"),
        axes: ints(2, 3),
        coordinate_transformation_mode: text("half_pixel_symmetric"),
      },
      operands: [float([1, 2, 3, 4]), null, fixed([1.6, 2])],
    },
    {
      title: "cropped, with what is outside",
      attributes: {
        mode: text("linear"),
        coordinate_transformation_mode: text("tf_crop_and_resize"),
        extrapolation_value: real(0.7),
      },
      operands: [float([1, 1, 4, 4]), fixed([0, 0, 0.3, -0.2, 1, 1, 1.2, 0.8]), null, integers([1, 1, 3, 5])],
    },
    ...["linear", "cubic"].map((mode) => ({
      title: `opset 18, ${mode}, smoothed`,
      opset: 18,
      attributes: { mode: text(mode), antialias: int(1) },
      operands: [float([1, 1, 7, 8]), null, fixed([1, 1, 0.6, 0.5])],
    })),
    ...["not_larger", "not_smaller"].map((policy) => ({
      title: `opset 18, ${policy}`,
      opset: 18,
      attributes: { mode: text("linear"), keep_aspect_ratio_policy: text(policy), axes: ints(2, 3) },
      operands: [float([1, 1, 4, 3]), null, null, integers([7, 8])],
    })),
    {
      title: "opset 10",
      opset: 10,
      attributes: { mode: text("linear") },
      operands: [float([1, 2, 3, 2]), fixed([1, 1, 2, 2])],
    },
  ],
  RotaryEmbedding: [
    {
      title: "opset 23, four axes",
      opset: 23,
      operands: [float([2, 2, 3, 4]), float([2, 3, 2]), float([2, 3, 2], [-1, 1])],
    },
    {
      title: "opset 23, three axes, positions, pairs of neighbours, a part",
      opset: 23,
      attributes: { num_heads: int(2), interleaved: int(1), rotary_embedding_dim: int(2) },
      operands: [float([1, 3, 8]), float([5, 1]), float([5, 1], [-1, 1]), givenIntegers([4, 0, 2], [1, 3])],
    },
    {
      title: "com.microsoft",
      domain: "com.microsoft",
      operands: [float([1, 2, 3, 4]), givenIntegers([1], [1]), float([5, 2]), float([5, 2], [-1, 1])],
    },
    {
      title: "com.microsoft, three axes, positions, neighbours",
      domain: "com.microsoft",
      attributes: { interleaved: int(1) },
      operands: [float([2, 2, 8]), givenIntegers([1, 0, 2, 3], [2, 2]), float([5, 2]), float([5, 2], [-1, 1])],
    },
  ],
  Round: unary(),
  Scatter: [
    {
      title: "opset 9",
      opset: 9,
      operands: [float([3, 3]), givenIntegers([1, 0, 2, 0, 2, 1], [2, 3]), float([2, 3])],
    },
  ],
  ScatterElements: [
    ...["mul", "max", "min"].map((reduction) => ({
      title: `opset 18, ${reduction} at places that come with the data`,
      opset: 18,
      attributes: { reduction: text(reduction), axis: int(1) },
      operands: [float([2, 4]), givenIntegers([1, 1, -1, 0, 0, 0], [2, 3]), float([2, 3])],
    })),
    {
      title: "rows, one place twice",
      operands: [float([3, 3]), givenIntegers([1, 0, 2, 1, 2, 1], [2, 3]), float([2, 3])],
    },
    {
      title: "axis 1",
      opset: 11,
      attributes: { axis: int(-1) },
      operands: [float([2, 5]), givenIntegers([1, -1, 0, 3], [2, 2]), float([2, 2])],
    },
    ...["add", "mul", "max", "min"].map((reduction) => ({
      title: `opset 18, ${reduction}`,
      opset: 18,
      attributes: { reduction: text(reduction), axis: int(1) },
      operands: [float([2, 4]), integers([1, 1, 3, 0, 0, 0], [2, 3]), float([2, 3])],
    })),
  ],
  ScatterND: [
    ...["mul", "max", "min"].map((reduction) => ({
      title: `opset 18, ${reduction} at places that come with the data`,
      opset: 18,
      attributes: { reduction: text(reduction) },
      operands: [float([4, 2]), givenIntegers([2, 0, 2, -2], [4, 1]), float([4, 2], [-2, 2])],
    })),
    { title: "elements", operands: [float([4, 2]), givenIntegers([0, 1, -1, 0], [2, 2]), float([2])] },
    { title: "slices, one place twice", operands: [float([4, 2]), givenIntegers([2, 0, 2], [3, 1]), float([3, 2])] },
    ...["add", "mul", "max", "min"].map((reduction) => ({
      title: `opset 18, ${reduction}`,
      opset: 18,
      attributes: { reduction: text(reduction) },
      operands: [float([4, 2]), integers([2, 0, 2, -2], [4, 1]), float([4, 2], [-2, 2])],
    })),
  ],
  Selu: [
    { title: "defaults", operands: [float([2, 3])] },
    { title: "alpha and gamma", attributes: { alpha: real(0.5), gamma: real(2) }, operands: [float([2, 3])] },
  ],
  Sigmoid: unary(),
  Sign: unary(),
  SimplifiedLayerNormalization: normalizationOverLast("", 17),
  Sin: unary(),
  Sinh: unary(),
  SkipLayerNormalization: [
    {
      title: "with shift and bias, and the sum",
      domain: "com.microsoft",
      operands: [float([2, 3, 4]), float([2, 3, 4], [-1, 1]), float([4]), float([4], [-1, 1]), float([4], [-2, 2])],
      outputs: 4,
      compared: [0, 3],
    },
    {
      title: "without",
      domain: "com.microsoft",
      attributes: { epsilon: real(0.1) },
      operands: [float([2, 3, 4]), float([2, 3, 4], [-1, 1]), float([4])],
    },
  ],
  SkipSimplifiedLayerNormalization: [
    {
      title: "with a bias, and the sum",
      domain: "com.microsoft",
      operands: [float([2, 3, 4]), float([2, 3, 4], [-1, 1]), float([4]), float([4], [-2, 2])],
      outputs: 4,
      compared: [0, 3],
    },
  ],
  Slice: [
    { title: "operands", operands: [float([4, 5]), integers([1, -3]), integers([3, 2 ** 62])] },
    {
      title: "axes and steps",
      operands: [float([4, 7]), integers([0, 1]), integers([4, -1]), integers([-2, -1]), integers([3, 2])],
    },
    {
      title: "backwards",
      operands: [float([3, 7]), integers([-1, 5]), integers([-(2 ** 62), 0]), integers([0, 1]), integers([-1, -2])],
    },
    {
      title: "opset 7, attributes",
      opset: 7,
      attributes: { starts: ints(1, 0), ends: ints(2 ** 63, -1), axes: ints(1, 0) },
      operands: [float([4, 5])],
    },
  ],
  Softmax: rowwise,
  Softplus: unary(floats([-100, -1, 0, 1, 100])),
  Softsign: unary(),
  SpaceToDepth: [{ title: "blocks of 2", attributes: { blocksize: int(2) }, operands: [float([2, 3, 4, 6])] }],
  Split: [
    {
      title: "sizes as operand",
      attributes: { axis: int(1) },
      operands: [float([2, 7]), integers([2, 4, 1])],
      outputs: 3,
    },
    { title: "equal parts", attributes: { axis: int(-1) }, operands: [float([2, 6])], outputs: 2 },
    {
      title: "opset 18, num_outputs, the last one smaller",
      opset: 18,
      attributes: { axis: int(1), num_outputs: int(3) },
      operands: [float([2, 7])],
      outputs: 3,
    },
    {
      title: "opset 7, sizes as attribute",
      opset: 7,
      attributes: { axis: int(0), split: ints(1, 3) },
      operands: [float([4, 2])],
      outputs: 2,
    },
  ],
  Sqrt: unary(float([2, 3], [0.5, 2])),
  Squeeze: [
    { title: "axes as operand", operands: [float([1, 3, 1, 2]), integers([-2])] },
    { title: "all axes", operands: [float([1, 3, 1, 2])] },
    {
      title: "opset 7, axes as attribute",
      opset: 7,
      attributes: { axes: ints(0, 2) },
      operands: [float([1, 3, 1, 2])],
    },
  ],
  STFT: [
    { title: "with a window", operands: [float([2, 20, 1]), integers([4], []), float([8])] },
    {
      title: "length of frames instead of a window, all frequencies",
      attributes: { onesided: int(0) },
      operands: [float([1, 15, 1]), integers([3], []), null, integers([6], [])],
    },
  ],
  Sub: binary(),
  Sum: [{ title: "three tensors", operands: [float([2, 3]), float([3]), float([2, 1])] }],
  Swish: [
    {
      title: "opset 24",
      opset: 24,
      attributes: { alpha: real(1.5) },
      operands: [float([2, 3])],
    },
  ],
  Tan: unary(float([2, 3], [-1, 1])),
  Tanh: unary(),
  ThresholdedRelu: [{ title: "alpha", opset: 10, attributes: { alpha: real(0.3) }, operands: [float([2, 3])] }],
  Tile: [{ title: "two axes", operands: [float([2, 1, 3]), integers([2, 1, 3])] }],
  TopK: [
    { title: "the largest", operands: [float([2, 5]), integers([3])], outputs: 2 },
    {
      title: "the smallest along an axis",
      attributes: { axis: int(0), largest: int(0) },
      operands: [float([4, 3]), integers([2])],
      outputs: 2,
    },
  ],
  Transpose: [
    { title: "perm", attributes: { perm: ints(2, 0, 1) }, operands: [float([2, 3, 4])] },
    { title: "reversed by default", operands: [float([2, 3, 4])] },
  ],
  Trilu: [
    { title: "upper", operands: [float([2, 3, 4])] },
    { title: "lower, with a diagonal", attributes: { upper: int(0) }, operands: [float([4, 4]), integers([-1], [])] },
  ],
  Unsqueeze: [
    { title: "axes as operand", operands: [float([2, 3]), integers([0, -1])] },
    { title: "opset 7, axes as attribute", opset: 7, attributes: { axes: ints(1) }, operands: [float([2, 3])] },
  ],
  Upsample: [
    { title: "opset 9, nearest", opset: 9, operands: [float([1, 2, 2, 3]), fixed([1, 1, 2, 3])] },
    {
      title: "opset 7, linear",
      opset: 7,
      attributes: { mode: text("linear"), scales: { floats: [1, 1, 2, 2] } },
      operands: [float([1, 2, 2, 3])],
    },
  ],
  Where: [
    { title: "with broadcasting", operands: [givenBooleans([1, 0, 1]), float([2, 3]), float([2, 1])] },
    { title: "with a constant", operands: [givenBooleans([1, 0, 1]), fixed([-1000], []), float([2, 3])] },
  ],
};

/** The operand with every element above 1/2 in magnitude and positive. */
function positive(operand: Operand | null): Operand {
  const { data, dims } = (operand as { parameter: { data: Float32Array; dims: readonly number[] } }).parameter;
  return floats(
    Array.from(data, (x) => 0.5 + Math.abs(x)),
    dims,
  );
}
