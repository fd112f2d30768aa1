import { constant, integers, type Shape, type Value } from "../../src/graph/index.ts";
import * as primitives from "../../src/primitives/index.ts";
import {
  at,
  convolution,
  countWindows,
  elementwise,
  erfReference,
  fill,
  forWindows,
  indices,
  type NdArray,
  reduce,
  sum,
  type WindowSettings,
} from "./ndarray.ts";
import {
  apart,
  awayFrom,
  between,
  type Case,
  integer,
  type Operand,
  positive,
  real,
  type Sample,
  truth,
  whole,
} from "./sample.ts";

const p = primitives;

type Primitives = typeof primitives;
type Builder<K extends keyof Primitives> = Primitives[K] extends (...operands: never[]) => Value ? K : never;
/** Exports that build values from values; the others build primitives, work on shapes, or make constants. */
type BuilderName = { [K in keyof Primitives]: Builder<K> }[keyof Primitives];
/** Constants, which have no operand to differentiate by. */
type ConstantName = Extract<BuilderName, "filled" | "range" | "zeros">;

/** A sample of every primitive: leaving one out does not compile. */
export type Samples = Readonly<Record<Exclude<BuilderName, ConstantName>, Sample>>;

function of(operands: readonly Operand[], build: Case["build"], reference: Case["reference"]): Case {
  return { operands, build, reference };
}

/** A function of one number. */
function unary(build: (x: Value) => Value, f: (x: number) => number, operand: Operand = real(2, 3)): Sample {
  return [of([operand], build, elementwise(f))];
}

/** A function of two numbers: equal shapes, and shapes that broadcast. */
function binary(
  build: (a: Value, b: Value) => Value,
  f: (a: number, b: number) => number,
  draw: readonly [(...shape: number[]) => Operand, (...shape: number[]) => Operand] = [real, real],
): Sample {
  const [a, b] = draw;
  const shapes: readonly (readonly [Shape, Shape])[] = [
    [
      [2, 3],
      [2, 3],
    ],
    [
      [2, 1, 3],
      [4, 1],
    ],
    [[3], []],
  ];
  return shapes.map(([s, t]) => of([a(...s), b(...t)], build, elementwise(f)));
}

const comparison = (build: (a: Value, b: Value) => Value, f: (a: number, b: number) => boolean): Sample => [
  ...binary(build, (a, b) => Number(f(a, b)), [whole, whole]),
  of(
    [integer(-1, 2, 2, 3), integer(-1, 2, 3)],
    build,
    elementwise((a, b) => Number(f(a, b))),
  ),
];

const logical = (build: (a: Value, b: Value) => Value, f: (a: number, b: number) => number): Sample =>
  binary(build, f, [truth, truth]);

/** Reduction over axes of all kinds; `reshapeTo` where axes stay. */
const reduction = (
  build: (x: Value, axes?: readonly number[]) => Value,
  collapse: (elements: number[]) => number,
  draw: (...shape: number[]) => Operand = real,
): Sample => [
  of(
    [draw(2, 3, 4)],
    (x) => build(x, [1]),
    (x) => reduce(x, [1], collapse),
  ),
  of(
    [draw(2, 3, 4)],
    (x) => build(x, [-1, 0]),
    (x) => reduce(x, [0, 2], collapse),
  ),
  of(
    [draw(5)],
    (x) => build(x),
    (x) => reduce(x, [0], collapse),
  ),
];

const softmax = (x: NdArray, axis: number): NdArray => {
  const total = reduce(x, [axis], (elements) => sum(elements.map(Math.exp)));
  return fill(
    x.shape,
    (i) =>
      Math.exp(at(x, i)) /
      at(
        total,
        i.filter((_, k) => k !== axis),
      ),
  );
};

/** Mean and 1 / deviation of the elements along the last axes, then a function of them and each element. */
const standardization = (
  build: (x: Value, options?: primitives.StandardizeOptions) => Value,
  f: (x: number, row: { readonly mean: number; readonly inverse: number }) => number,
  keeps = true,
): Sample => {
  const reference = (x: NdArray, trailing: number, epsilon: number) => {
    const axes = Array.from({ length: trailing }, (_, k) => x.shape.length - trailing + k);
    const average = (y: NdArray) => reduce(y, axes, (elements) => sum(elements) / elements.length);
    const row = (index: readonly number[]) => index.slice(0, x.shape.length - trailing);
    const mean = average(x);
    const variance = average(fill(x.shape, (i) => (at(x, i) - at(mean, row(i))) ** 2));
    const shape = keeps ? x.shape : x.shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim));
    return fill(shape, (i) =>
      f(at(x, i), { mean: at(mean, row(i)), inverse: 1 / Math.sqrt(at(variance, row(i)) + epsilon) }),
    );
  };
  return [
    of(
      [real(3, 4)],
      (x) => build(x),
      (x) => reference(x, 1, 1e-5),
    ),
    of(
      [real(2, 3, 2)],
      (x) => build(x, { trailing: 2, epsilon: 0.1 }),
      (x) => reference(x, 2, 0.1),
    ),
    of(
      [real(2, 2, 5)],
      (x) => build(x, { epsilon: 1e-3 }),
      (x) => reference(x, 1, 1e-3),
    ),
  ];
};

const matrixProduct = (a: NdArray, b: NdArray): NdArray => {
  const rank = Math.max(a.shape.length, b.shape.length);
  const batch = Array.from({ length: rank - 2 }, (_, k) =>
    Math.max(a.shape[k - rank + a.shape.length] ?? 1, b.shape[k - rank + b.shape.length] ?? 1),
  );
  const [m, inner, n] = [a.shape.at(-2)!, a.shape.at(-1)!, b.shape.at(-1)!];
  return fill([...batch, m, n], (index) => {
    const outer = index.slice(0, -2);
    const [i, j] = index.slice(-2);
    return sum(Array.from({ length: inner }, (_, k) => at(a, [...outer, i, k]) * at(b, [...outer, k, j])));
  });
};

const plainMatmul = (a: Value, b: Value) => p.matmul(a, b);

const swapped = (x: NdArray): NdArray =>
  fill([...x.shape.slice(0, -2), x.shape.at(-1)!, x.shape.at(-2)!], (index) =>
    at(x, [...index.slice(0, -2), index.at(-1)!, index.at(-2)!]),
  );

const permuted = (x: NdArray, axes: readonly number[]): NdArray =>
  fill(
    axes.map((axis) => x.shape[axis]),
    (index) => {
      const own = new Array<number>(axes.length);
      axes.forEach((axis, i) => {
        own[axis] = index[i];
      });
      return at(x, own);
    },
  );

/** Settings of sliding windows of every kind, each with a spatial shape. */
const windows = (rank: number, settings: Partial<WindowSettings>): WindowSettings => {
  const all = (value: number) => new Array<number>(rank).fill(value);
  return {
    kernel: all(2),
    strides: all(1),
    dilations: all(1),
    padsBefore: all(0),
    padsAfter: all(0),
    ...settings,
  };
};

interface ConvCase extends WindowSettings {
  readonly spatial: Shape;
  readonly groups: number;
  readonly N: number;
  readonly C: number;
  readonly O: number;
}

const convCase = (spatial: Shape, settings: Partial<ConvCase>): ConvCase => ({
  ...windows(spatial.length, settings),
  spatial,
  groups: 1,
  N: 2,
  C: 2,
  O: 3,
  ...settings,
});

const convCases: readonly ConvCase[] = [
  convCase([4, 5], { kernel: [3, 3], padsBefore: [1, 1], padsAfter: [1, 1] }),
  convCase([6, 5], { kernel: [3, 2], strides: [2, 3], padsBefore: [0, 2], padsAfter: [1, 0] }),
  convCase([6, 7], { kernel: [2, 3], dilations: [2, 2], strides: [1, 2], C: 4, O: 6, groups: 2, padsAfter: [1, 0] }),
  convCase([5, 4], { kernel: [2, 2], C: 10, O: 4, groups: 2, padsBefore: [1, 0] }),
  convCase([3, 3], { kernel: [2, 2], C: 3, O: 3, groups: 3, strides: [2, 2], padsBefore: [1, 1] }),
  convCase([7], { kernel: [3], C: 6, strides: [2], padsBefore: [2], padsAfter: [3] }),
  convCase([3, 4, 3], { kernel: [2, 3, 2], strides: [1, 2, 1], padsBefore: [0, 1, 0] }),
  convCase([5, 5], { kernel: [1, 1], strides: [2, 2], C: 5 }),
  convCase([8, 8], { kernel: [1, 1], C: 5 }),
  convCase([3, 3], { kernel: [2, 2], padsBefore: [2, 2], padsAfter: [1, 2] }),
  convCase([2, 1], { kernel: [3, 3], C: 8, padsBefore: [1, 1], padsAfter: [1, 1] }),
  convCase([3, 2], { kernel: [2, 2], C: 16, O: 2, groups: 2, strides: [2, 1], padsBefore: [1, 0] }),
];

/** One of the three maps of a convolution; each operand is named in the order in which it is given. */
function convSample(
  missing: "x" | "w" | "c",
  build: (a: Value, b: Value, options: ConvCase & { readonly kernel: Shape }) => Value,
): Sample {
  return convCases.map((settings) => {
    const { N, C, O, groups, spatial, kernel } = settings;
    const shapes = {
      x: [N, C, ...spatial],
      w: [O, C / groups, ...kernel],
      c: [N, O, ...countWindows(spatial, settings)],
    };
    const given = { c: ["x", "w"], x: ["c", "w"], w: ["x", "c"] }[missing] as ["x", "w"];
    return of(
      given.map((name) => real(...shapes[name])),
      (a, b) => build(a, b, settings),
      (a, b) => {
        const empty = (shape: Shape) => fill(shape, () => 0);
        const all = { x: empty(shapes.x), w: empty(shapes.w), c: empty(shapes.c) };
        return convolution(missing, { ...all, [given[0]]: a, [given[1]]: b }, settings);
      },
    );
  });
}

const poolCases: readonly (readonly [Shape, WindowSettings])[] = [
  [[4, 6], windows(2, { strides: [2, 2] })],
  [[5, 5], windows(2, { kernel: [3, 2], strides: [2, 1], padsBefore: [1, 0], padsAfter: [0, 1] })],
  [[5, 6], windows(2, { kernel: [2, 3], strides: [2, 2], ceilMode: true })],
  [[5, 4], windows(2, { kernel: [3, 3], strides: [2, 3], padsBefore: [1, 1], padsAfter: [1, 1], ceilMode: true })],
  [[7], windows(1, { kernel: [2], dilations: [3], padsBefore: [1], padsAfter: [1], strides: [2] })],
  [[7], windows(1, { kernel: [2], dilations: [3], padsBefore: [2], padsAfter: [2] })],
  [[3, 4, 3], windows(3, { kernel: [2, 2, 2], strides: [1, 2, 1] })],
];

/** Pooling by plain loops; `collapse` sees the elements of the input in a window, and how many positions it has with padding. */
function pooled(
  x: NdArray,
  settings: WindowSettings,
  collapse: (elements: number[], padded: number) => number,
): NdArray {
  const spatial = x.shape.slice(2);
  const counts = countWindows(spatial, settings);
  const inside = new Map<string, number[][]>();
  forWindows(spatial, settings, (window, _, position) => {
    inside.set(`${window}`, [...(inside.get(`${window}`) ?? []), position]);
  });
  const withPadding = new Map<string, number>();
  const { padsBefore, padsAfter, kernel, strides, dilations } = settings;
  for (const window of indices(counts)) {
    const padded = indices(kernel).filter((offset) =>
      offset.every((k, axis) => {
        const position = window[axis] * strides[axis] + k * dilations[axis];
        return position < padsBefore[axis] + spatial[axis] + padsAfter[axis];
      }),
    );
    withPadding.set(`${window}`, padded.length);
  }
  return fill([...x.shape.slice(0, 2), ...counts], ([n, c, ...window]) =>
    collapse(
      inside.get(`${window}`)!.map((position) => at(x, [n, c, ...position])),
      withPadding.get(`${window}`)!,
    ),
  );
}

const unfolded = (x: NdArray, settings: WindowSettings): NdArray => {
  const spatial = x.shape.slice(2);
  const places = indices(settings.kernel);
  const shape = [...x.shape.slice(0, 2), places.length, ...countWindows(spatial, settings)];
  const { strides, dilations, padsBefore } = settings;
  return fill(shape, ([n, c, k, ...window]) => {
    const position = window.map((j, axis) => j * strides[axis] + places[k][axis] * dilations[axis] - padsBefore[axis]);
    return position.every((i, axis) => i >= 0 && i < spatial[axis]) ? at(x, [n, c, ...position]) : 0;
  });
};

const folded = (c: NdArray, spatial: Shape, settings: WindowSettings): NdArray => {
  const places = indices(settings.kernel).map(String);
  const total = new Map<string, number>();
  for (const n of [0, 1])
    for (const channel of [0, 1])
      forWindows(spatial, settings, (window, offset, position) => {
        const key = `${[n, channel, ...position]}`;
        total.set(key, (total.get(key) ?? 0) + at(c, [n, channel, places.indexOf(`${offset}`), ...window]));
      });
  return fill([2, 2, ...spatial], (index) => total.get(`${index}`) ?? 0);
};

const gathered = (x: NdArray, i: NdArray, axis: number): NdArray => {
  const { shape } = x;
  return fill([...shape.slice(0, axis), ...i.shape, ...shape.slice(axis + 1)], (index) => {
    const which = at(i, index.slice(axis, axis + i.shape.length));
    const wrapped = which < 0 ? which + shape[axis] : which;
    return at(x, [...index.slice(0, axis), wrapped, ...index.slice(axis + i.shape.length)]);
  });
};

const scattered = (u: NdArray, i: NdArray, { axis, size }: { axis: number; size: number }): NdArray => {
  const ranks = i.shape.length;
  const shape = [...u.shape.slice(0, axis), size, ...u.shape.slice(axis + ranks)];
  return fill(shape, (index) =>
    sum(
      indices(i.shape).map((place) => {
        const which = at(i, place);
        const hit = (which < 0 ? which + size : which) === index[axis];
        return hit ? at(u, [...index.slice(0, axis), ...place, ...index.slice(axis + 1)]) : 0;
      }),
    ),
  );
};

const sliced = (x: NdArray, starts: Shape, limits: Shape, steps: Shape): NdArray =>
  fill(
    starts.map((start, axis) => Math.ceil((limits[axis] - start) / steps[axis])),
    (index) =>
      at(
        x,
        index.map((i, axis) => starts[axis] + i * steps[axis]),
      ),
  );

const padded = (x: NdArray, before: Shape, after: Shape, between: Shape): NdArray =>
  fill(
    x.shape.map((dim, axis) => before[axis] + after[axis] + dim + (dim - 1) * between[axis]),
    (index) => {
      const own = index.map((i, axis) => (i - before[axis]) / (between[axis] + 1));
      return own.every((i, axis) => Number.isInteger(i) && i >= 0 && i < x.shape[axis]) ? at(x, own) : 0;
    },
  );

const logistic = (x: number) => 1 / (1 + Math.exp(-x));
const reshaped = (x: NdArray, shape: Shape): NdArray => ({ shape, data: x.data });

export const samples: Samples = {
  abs: unary(p.abs, Math.abs, awayFrom([0], 2, 3)),
  acos: unary(p.acos, Math.acos, between(-0.9, 0.9, [2, 3])),
  acosh: unary(p.acosh, Math.acosh, between(1.1, 5, [2, 3])),
  add: binary(p.add, (a, b) => a + b),
  and: logical(p.and, (a, b) => a & b),
  asin: unary(p.asin, Math.asin, between(-0.9, 0.9, [2, 3])),
  asinh: unary(p.asinh, Math.asinh),
  atan: unary(p.atan, Math.atan, between(-4, 4, [3, 4])),
  atanh: unary(p.atanh, Math.atanh, between(-0.7, 0.7, [2, 3])),
  averagePool: poolCases.flatMap(([spatial, settings]) =>
    [true, false].map((countIncludePad) =>
      of(
        [real(2, 2, ...spatial)],
        (x) => p.averagePool(x, { ...settings, countIncludePad }),
        (x) => pooled(x, settings, (elements, all) => sum(elements) / (countIncludePad ? all : elements.length)),
      ),
    ),
  ),
  broadcast: [
    of(
      [real(3, 1)],
      (x) => p.broadcast(x, [2, 3, 4]),
      (x) => fill([2, 3, 4], (i) => at(x, i)),
    ),
    of(
      [real()],
      (x) => p.broadcast(x, [2]),
      (x) => fill([2], (i) => at(x, i)),
    ),
  ],
  cast: [
    of([awayFrom([-1, 0, 1], 2, 3)], (x) => p.cast(x, "int64"), elementwise(Math.trunc)),
    of(
      [integer(-3, 4, 2, 3)],
      (x) => p.cast(x, "float"),
      elementwise((x) => x),
    ),
    of(
      [real(2, 3)],
      (x) => p.cast(x, "float"),
      elementwise((x) => x),
    ),
    of(
      [truth(4)],
      (x) => p.cast(x, "int32"),
      elementwise((x) => x),
    ),
  ],
  clip: [{ low: -1, high: 0.5 }, { low: -1 }, { high: 0.5 }, {}].flatMap(({ low = -Infinity, high = Infinity }) =>
    unary(
      (x) => p.clip(x, { low, high }),
      (x) => Math.min(Math.max(x, low), high),
      awayFrom([-1, 0.5], 2, 3),
    ),
  ),
  concat: [
    of(
      [real(2, 1, 3), real(2, 2, 3), real(2, 1, 3)],
      (...parts) => p.concat(parts, 1),
      (a, b, c) => fill([2, 4, 3], ([i, j, k]) => [a, b, b, c].map((x, m) => at(x, [i, m === 2 ? 1 : 0, k]))[j]),
    ),
  ],
  conv: convSample("c", p.conv),
  convInputTranspose: convSample("x", p.convInputTranspose),
  convWeightTranspose: convSample("w", p.convWeightTranspose),
  cos: unary(p.cos, Math.cos),
  cosh: unary(p.cosh, Math.cosh),
  depthToSpace: [
    of(
      [real(2, 12, 2, 3)],
      (x) => p.depthToSpace(x, 2),
      (x) =>
        fill([2, 3, 4, 6], ([n, c, h, w]) =>
          at(x, [n, ((h % 2) * 2 + (w % 2)) * 3 + c, Math.floor(h / 2), Math.floor(w / 2)]),
        ),
    ),
  ],
  div: binary(p.div, (a, b) => a / b, [real, positive]),
  equal: comparison(p.equal, (a, b) => a === b),
  erf: unary(p.erf, erfReference, between(-4, 4, [4, 4])),
  exp: unary(p.exp, Math.exp),
  floor: unary(p.floor, Math.floor, awayFrom([-2, -1, 0, 1, 2], 2, 3)),
  fold: poolCases
    .filter(([, { ceilMode }]) => !ceilMode)
    .concat([[[5, 7], windows(2, { kernel: [2, 3], strides: [2, 3] })]])
    .map(([spatial, settings]) =>
      of(
        [real(2, 2, indices(settings.kernel).length, ...countWindows(spatial, settings))],
        (c) => p.fold(c, { ...settings, spatial }),
        (c) => folded(c, spatial, settings),
      ),
    ),
  gather: [
    of(
      [real(4, 2), integer(-4, 4, 3)],
      (x, i) => p.gather(x, i, 0),
      (x, i) => gathered(x, i, 0),
    ),
    of(
      [real(2, 3, 2), integer(-3, 3, 2, 2)],
      (x, i) => p.gather(x, i, -2),
      (x, i) => gathered(x, i, 1),
    ),
    of(
      [real(5), integer(0, 5)],
      (x, i) => p.gather(x, i, 0),
      (x, i) => gathered(x, i, 0),
    ),
  ],
  gelu: [
    ...unary(p.gelu, (x) => (x / 2) * (1 + erfReference(x / Math.SQRT2))),
    ...unary(
      (x) => p.gelu(x, { approximate: "tanh" }),
      (x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
    ),
  ],
  greater: comparison(p.greater, (a, b) => a > b),
  greaterOrEqual: comparison(p.greaterOrEqual, (a, b) => a >= b),
  hardSigmoid: [
    ...unary(p.hardSigmoid, (x) => Math.min(Math.max(0.2 * x + 0.5, 0), 1)),
    ...unary(
      (x) => p.hardSigmoid(x, { alpha: 0.7, beta: 0.4 }),
      (x) => Math.min(Math.max(0.7 * x + 0.4, 0), 1),
      awayFrom([-0.4 / 0.7, 0.6 / 0.7], 2, 3),
    ),
  ],
  indicator: unary(p.indicator, (x) => x, truth(2, 3)),
  isNaN: unary(p.isNaN, (x) => Number(Number.isNaN(x)), {
    ...whole(3, 3),
    draw: () => [0, 1, NaN, 2, NaN, -1, 3, NaN, 4],
  }),
  lastWriters: [
    of(
      [integer(0, 5, 4)],
      (i) => p.lastWriters(i, 5),
      ({ data }) => fill([5], ([place]) => data.lastIndexOf(place)),
    ),
  ],
  inverseDeviation: standardization(p.inverseDeviation, (_, { inverse }) => inverse, false),
  less: comparison(p.less, (a, b) => a < b),
  lessOrEqual: comparison(p.lessOrEqual, (a, b) => a <= b),
  log: unary(p.log, Math.log, positive(2, 3)),
  logSigmoid: unary(p.logSigmoid, (x) => Math.log(logistic(x))),
  logSoftmax: [0, -1].map((axis) =>
    of(
      [real(3, 4)],
      (x) => p.logSoftmax(x, axis),
      (x) => elementwise(Math.log)(softmax(x, axis === 0 ? 0 : 1)),
    ),
  ),
  maskedSoftmax: [
    of(
      [real(3, 2)],
      (x) => p.maskedSoftmax(x, 1),
      (x) => softmax(x, 1),
    ),
  ],
  matmul: [
    of([real(2, 3), real(3, 4)], plainMatmul, matrixProduct),
    of(
      [real(3, 2), real(3, 4)],
      (a, b) => p.matmul(a, b, { transposeA: true }),
      (a, b) => matrixProduct(swapped(a), b),
    ),
    of(
      [real(2, 3), real(4, 3)],
      (a, b) => p.matmul(a, b, { transposeB: true }),
      (a, b) => matrixProduct(a, swapped(b)),
    ),
    of(
      [real(2, 3, 2), real(4, 3)],
      (a, b) => p.matmul(a, b, { transposeA: true, transposeB: true }),
      (a, b) => matrixProduct(swapped(a), swapped(b)),
    ),
    of([real(2, 1, 2, 3), real(3, 3, 2)], plainMatmul, matrixProduct),
    of([real(2, 3), real(2, 3, 2)], plainMatmul, matrixProduct),
    of([real(2, 2, 3), real(3, 4)], plainMatmul, matrixProduct),
    of(
      [real(2, 3, 2), real(2, 4, 3)],
      (a, b) => p.matmul(p.swapLastAxes(a), p.swapLastAxes(b)),
      (a, b) => matrixProduct(swapped(a), swapped(b)),
    ),
  ],
  maxPool: poolCases.map(([spatial, settings]) =>
    of(
      [apart(0, 2, 2, ...spatial)],
      (x) => p.maxPool(x, settings),
      (x) => pooled(x, settings, (elements) => Math.max(...elements)),
    ),
  ),
  maximum: binary(p.maximum, Math.max, [(...s) => apart(0, ...s), (...s) => apart(1, ...s)]),
  mean: reduction(p.mean, (elements) => sum(elements) / elements.length),
  minimum: binary(p.minimum, Math.min, [(...s) => apart(0, ...s), (...s) => apart(1, ...s)]),
  moveAxis: [
    of(
      [real(2, 3, 4)],
      (x) => p.moveAxis(x, 0, 2),
      (x) => permuted(x, [1, 2, 0]),
    ),
    of(
      [real(2, 3, 4)],
      (x) => p.moveAxis(x, 2, 0),
      (x) => permuted(x, [2, 0, 1]),
    ),
  ],
  mul: binary(p.mul, (a, b) => a * b),
  neg: unary(p.neg, (x) => -x),
  not: unary(p.not, (x) => 1 - x, truth(2, 3)),
  or: logical(p.or, (a, b) => a | b),
  pad: [
    of(
      [real(2, 3)],
      (x) => p.pad(x, { before: [1, 0], after: [0, 2] }),
      (x) => padded(x, [1, 0], [0, 2], [0, 0]),
    ),
    of(
      [real(2, 3)],
      (x) => p.pad(x, { before: [0, 1], after: [2, 0], between: [1, 2] }),
      (x) => padded(x, [0, 1], [2, 0], [1, 2]),
    ),
  ],
  permute: [
    of(
      [real(2, 3, 4)],
      (x) => p.permute(x, [2, 0, 1]),
      (x) => permuted(x, [2, 0, 1]),
    ),
    of(
      [real(2, 1, 4)],
      (x) => p.permute(x, [1, 0, 2]),
      (x) => permuted(x, [1, 0, 2]),
    ),
  ],
  pow: [
    ...[-1, -0.5, 0.5, 1.5, 2.7].flatMap((e) =>
      unary(
        (x) => p.pow(x, e),
        (x) => x ** e,
        positive(2, 3),
      ),
    ),
    ...[0, 1, 2, 3, 4].flatMap((e) =>
      unary(
        (x) => p.pow(x, e),
        (x) => x ** e,
      ),
    ),
  ],
  power: [
    ...binary(p.power, (a, b) => a ** b, [positive, real]),
    of(
      [real(2, 3)],
      (x) => p.power(x, p.filled([2, 1], 3)),
      elementwise((x) => x ** 3),
    ),
    of(
      [real(3)],
      (x) => p.power(x, constant({ data: Float64Array.of(2, 3, 0), dims: [3] })),
      (x) => fill([3], ([i]) => at(x, [i]) ** [2, 3, 0][i]),
    ),
  ],
  reciprocal: unary(p.reciprocal, (x) => 1 / x, positive(2, 3)),
  reduceMax: reduction(
    p.reduceMax,
    (elements) => Math.max(...elements),
    (...shape) => apart(0, ...shape),
  ),
  reduceMin: reduction(
    p.reduceMin,
    (elements) => Math.min(...elements),
    (...shape) => apart(0, ...shape),
  ),
  reduceSum: [
    ...reduction(p.reduceSum, sum),
    of(
      [integer(-3, 4, 4, 3)],
      (x) => p.reduceSum(x, [0]),
      (x) => reduce(x, [0], sum),
    ),
  ],
  reduceSumKeeping: [
    of(
      [real(2, 3, 4)],
      (x) => p.reduceSumKeeping(x, [-2]),
      (x) => reshaped(reduce(x, [1], sum), [2, 1, 4]),
    ),
    of(
      [real(2, 3, 4)],
      (x) => p.reduceSumKeeping(x, [2, 0]),
      (x) => reshaped(reduce(x, [0, 2], sum), [1, 3, 1]),
    ),
  ],
  relu: unary(p.relu, (x) => Math.max(x, 0), awayFrom([0], 2, 3)),
  remainder: [
    ...binary(p.remainder, (a, b) => a % b, [(...s) => awayFrom([0], ...s), (...s) => between(2.1, 3, s)]),
    of(
      [between(3.2, 3.9, [2, 3]), between(1.3, 1.5, [3])],
      p.remainder,
      elementwise((a, b) => a % b),
    ),
  ],
  reshape: [
    of(
      [real(2, 3, 4)],
      (x) => p.reshape(x, [4, 1, 6]),
      (x) => reshaped(x, [4, 1, 6]),
    ),
  ],
  reverse: [
    of(
      [real(3, 2, 4)],
      (x) => p.reverse(x, [0, -1]),
      (x) => fill(x.shape, ([i, j, k]) => at(x, [2 - i, j, 3 - k])),
    ),
  ],
  round: unary(p.round, Math.round, awayFrom([-1.5, -0.5, 0.5, 1.5], 2, 3)),
  scale: unary(
    (x) => p.scale(x, -1.5),
    (x) => -1.5 * x,
  ),
  scatterAdd: [
    of(
      [real(3, 2), integer(-4, 4, 3)],
      (u, i) => p.scatterAdd(u, i, { axis: 0, size: 4 }),
      (u, i) => scattered(u, i, { axis: 0, size: 4 }),
    ),
    of(
      [real(2, 3, 2, 2), integer(-3, 3, 3, 2)],
      (u, i) => p.scatterAdd(u, i, { axis: 1, size: 3 }),
      (u, i) => scattered(u, i, { axis: 1, size: 3 }),
    ),
  ],
  sigmoid: unary(p.sigmoid, logistic),
  sign: unary(p.sign, Math.sign, awayFrom([0], 2, 3)),
  sin: unary(p.sin, Math.sin),
  sinh: unary(p.sinh, Math.sinh),
  slice: [
    of(
      [real(2, 7)],
      (x) => p.slice(x, { axis: -1, start: 1, limit: 7, step: 2 }),
      (x) => sliced(x, [0, 1], [2, 7], [1, 2]),
    ),
    of(
      [real(4, 2)],
      (x) => p.slice(x, { axis: 0, start: 1, limit: 3 }),
      (x) => sliced(x, [1, 0], [3, 2], [1, 1]),
    ),
  ],
  sliceAll: [
    of(
      [real(5, 7)],
      (x) => p.sliceAll(x, { starts: [1, 0], limits: [4, 6], steps: [2, 3] }),
      (x) => sliced(x, [1, 0], [4, 6], [2, 3]),
    ),
  ],
  softmax: [0, -1].map((axis) =>
    of(
      [real(3, 4)],
      (x) => p.softmax(x, axis),
      (x) => softmax(x, axis === 0 ? 0 : 1),
    ),
  ),
  softplus: unary(p.softplus, (x) => Math.log1p(Math.exp(x)), awayFrom([0], 2, 3)),
  spaceToDepth: [
    of(
      [real(2, 2, 3, 6)],
      (x) => p.spaceToDepth(x, 3),
      (x) =>
        fill([2, 18, 1, 2], ([n, channel, h, w]) => {
          const [place, c] = [Math.floor(channel / 2), channel % 2];
          return at(x, [n, c, 3 * h + Math.floor(place / 3), 3 * w + (place % 3)]);
        }),
    ),
  ],
  sqrt: unary(p.sqrt, Math.sqrt, positive(2, 3)),
  square: unary(p.square, (x) => x * x),
  standardize: standardization(p.standardize, (x, { mean, inverse }) => (x - mean) * inverse),
  sub: binary(p.sub, (a, b) => a - b),
  sumTo: [
    of(
      [real(2, 3, 4)],
      (x) => p.sumTo(x, [3, 1]),
      (x) => reshaped(reduce(x, [0, 2], sum), [3, 1]),
    ),
    of(
      [real(2, 3)],
      (x) => p.sumTo(x, []),
      (x) => reshaped(reduce(x, [0, 1], sum), []),
    ),
  ],
  swapLastAxes: [of([real(2, 3, 4)], p.swapLastAxes, swapped)],
  tanh: unary(p.tanh, Math.tanh),
  topIndices: [true, false].flatMap((largest) => [
    of(
      [apart(0, 3, 4)],
      (x) => p.topIndices(x, { axis: 1, count: 2, largest }),
      (x) => topPositions(x, 2, largest),
    ),
  ]),
  unfold: poolCases
    .filter(([, { ceilMode }]) => !ceilMode)
    .map(([spatial, settings]) =>
      of(
        [real(2, 2, ...spatial)],
        (x) => p.unfold(x, settings),
        (x) => unfolded(x, settings),
      ),
    ),
  where: [
    of(
      [truth(2, 3), real(2, 3), real(2, 3)],
      p.where,
      elementwise((c, a, b) => (c ? a : b)),
    ),
    of(
      [truth(3, 1), real(2, 1, 1), real(4)],
      p.where,
      elementwise((c, a, b) => (c ? a : b)),
    ),
    of(
      [truth(3), real(3)],
      (c, a) => p.where(c, a, countingFloats(3)),
      (c, a) => fill([3], ([i]) => (at(c, [i]) ? at(a, [i]) : i)),
    ),
  ],
  writtenTranspose: [
    of([real(2, 3)], p.writtenTranspose, (x) => permuted(x, [1, 0])),
    of([real(1, 4)], p.writtenTranspose, (x) => permuted(x, [1, 0])),
  ],
};

/** 0, 1, 2, ... as floats. */
function countingFloats(length: number): Value {
  return p.cast(integers(Array.from({ length }, (_, i) => i)), "float");
}

/** Positions of the largest or smallest elements of each row. */
function topPositions(x: NdArray, count: number, largest: boolean): NdArray {
  const [rows, columns] = x.shape as [number, number];
  const order = (row: number) =>
    Array.from({ length: columns }, (_, k) => k).sort(
      (a, b) => (largest ? -1 : 1) * (at(x, [row, a]) - at(x, [row, b])),
    );
  return fill([rows, count], ([row, k]) => order(row!)[k!]!);
}
