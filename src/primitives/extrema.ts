import { apply, normalizeAxis, type Primitive, scalar, type Value } from "../graph/index.ts";
import { formatDims } from "../tensors/index.ts";
import { add, div, mul, scale } from "./arithmetic.ts";
import { broadcast, filled, reduceSum, withOnes, zeros } from "./broadcast.ts";
import { elementwise, withoutBroadcasts } from "./elementwise.ts";
import { reshape } from "./movement.ts";
import { and, equal, greater, indicator, less, where } from "./select.ts";

type Nothing = Record<string, never>;
const NOTHING: Nothing = {};

interface Extremum {
  readonly op: string;
  /** Whether a bound of 0 or less leaves a nonnegative operand unchanged. */
  readonly keepsPositive: boolean;
  readonly evaluate: (a: number, b: number) => number;
  /** Whether the first operand is the result, where the two differ. */
  readonly wins: (a: Value, b: Value) => Value;
}

/** The larger or the smaller of two operands, elementwise. */
function extremum(name: string, { op, evaluate, wins, keepsPositive }: Extremum): (a: Value, b: Value) => Value {
  const rebuild = (a: Value, b: Value) => apply(primitive, [a, b], NOTHING);
  const primitive: Primitive<Nothing> = {
    name,
    commutative: true,
    ...elementwise(name, ([a, b]) => rebuild(a, b)),
    simplify(inputs, _, { shape }) {
      const [a, b] = inputs;
      if (a === b) return a;
      if (a.uniform !== undefined && b.uniform !== undefined && a.type === "float") {
        return filled(shape, evaluate(a.uniform, b.uniform));
      }
      const bare = withoutBroadcasts(inputs, shape);
      return bare && rebuild(bare[0], bare[1]);
    },
    flatAtZero: ({ inputs: [a, b] }, isFlat) => {
      const isNothing = (x: Value) => keepsPositive && (x.uniform ?? 1) <= 0;
      return (isFlat(a) && (isNothing(b) || isFlat(b))) || (isNothing(a) && isFlat(b));
    },
    jvp({ inputs: [a, b], shape }, tangents) {
      const [da, db] = tangents.map((tangent) => tangent ?? zeros([]));
      const apart = where(wins(a, b), da, db);
      return broadcast(where(equal(a, b), scale(add(da, db), 0.5), apart), shape);
    },
    lower: ({ inputs: [a, b] }, context) => context.node(op, [context.name(a), context.name(b)]),
  };
  return rebuild;
}

/** max(a, b), elementwise with broadcasting; where they are equal the derivative is half of each, as in PyTorch. */
export const maximum: (a: Value, b: Value) => Value = extremum("maximum", {
  op: "Max",
  keepsPositive: true,
  evaluate: Math.max,
  wins: greater,
});

/** min(a, b), elementwise with broadcasting; where they are equal the derivative is half of each, as in PyTorch. */
export const minimum: (a: Value, b: Value) => Value = extremum("minimum", {
  op: "Min",
  keepsPositive: false,
  evaluate: Math.min,
  wins: less,
});

/** Bounds of `clip`; an absent one does not bind. */
export interface ClipBounds {
  readonly low?: number;
  readonly high?: number;
}

const clipPrimitive: Primitive<ClipBounds> = {
  name: "clip",
  ...elementwise("clip", ([x], bounds: ClipBounds) => clip(x, bounds)),
  simplify([x], { low = -Infinity, high = Infinity }, { shape }) {
    if (low === -Infinity && high === Infinity) return x;
    if (x.uniform === undefined || x.type !== "float") return undefined;
    return filled(shape, Math.min(Math.max(x.uniform, low), high));
  },
  flatAtZero: ({ inputs: [x], params: { low = 0 } }, isFlat) => low <= 0 && isFlat(x),
  jvp({ inputs: [x], params: { low, high } }, [dx]) {
    const above = low === undefined ? undefined : greater(x, scalar(low));
    const below = high === undefined ? undefined : less(x, scalar(high));
    return mul(dx!, indicator(above && below ? and(above, below) : (above ?? below)!));
  },
  lower({ inputs: [x], params: { low, high } }, context) {
    const bounds = [low, high].map((bound) => (bound === undefined ? "" : context.float(bound)));
    return context.node("Clip", [context.name(x), ...(high === undefined ? bounds.slice(0, 1) : bounds)]);
  },
};

/** min(max(x, low), high), with derivative 1 between the bounds, 0 at them and beyond, as PyTorch's clamp and hardtanh (2.15). */
export function clip(x: Value, { low = -Infinity, high = Infinity }: ClipBounds): Value {
  return apply(clipPrimitive, [x], { ...(low > -Infinity && { low }), ...(high < Infinity && { high }) });
}

/** min(max(alpha x + beta, 0), 1), with derivative 0 at both kinks as in PyTorch; the defaults are those of ONNX. */
export function hardSigmoid(
  x: Value,
  { alpha = 0.2, beta = 0.5 }: { readonly alpha?: number; readonly beta?: number } = {},
): Value {
  return clip(add(scale(x, alpha), scalar(beta)), { low: 0, high: 1 });
}

interface ReduceParams {
  /** Axes that are removed, ascending. */
  readonly axes: readonly number[];
}

/** The largest or smallest element over some axes. */
function reduceExtremum(name: string, op: string): (x: Value, axes?: readonly number[]) => Value {
  const rebuild = (x: Value, axes: readonly number[] = x.shape.map((_, axis) => axis)) => {
    const normalized = axes.map((axis) => normalizeAxis(name, axis, x.shape.length)).sort((a, b) => a - b);
    return apply(primitive, [x], { axes: normalized });
  };
  const primitive: Primitive<ReduceParams> = {
    name,
    output: ([x], { axes }) => ({ shape: x.shape.filter((_, axis) => !axes.includes(axis)), type: x.type }),
    simplify([x], { axes }, { shape }) {
      if (axes.every((axis) => x.shape[axis] === 1)) return reshape(x, shape);
      return x.uniform === undefined || x.type !== "float" ? undefined : filled(shape, x.uniform);
    },
    // The mean of the tangents of all elements that equal the result.
    jvp(node, [dx]) {
      const { axes } = node.params;
      const [x] = node.inputs;
      const attained = indicator(equal(x, reshape(node, withOnes(x.shape, axes))));
      return div(reduceSum(mul(attained, dx!), axes), reduceSum(attained, axes));
    },
    vectorize: ({ params: { axes } }, [x]) =>
      rebuild(
        x,
        axes.map((axis) => axis + 1),
      ),
    lower({ inputs: [x], params: { axes } }, context) {
      const keepdims = { int: 0 };
      // Axes became an operand in operator set 18.
      return context.opset < 18
        ? context.node(op, [context.name(x)], { axes: { ints: axes }, keepdims })
        : context.node(op, [context.name(x), context.integers(axes)], { keepdims });
    },
    format: ({ axes }) => formatDims(axes),
  };
  return rebuild;
}

/**
 * Largest element over some axes, which are removed; over all axes by default. Equal maxima share the derivative equally, as
 * in PyTorch's amax.
 */
export const reduceMax: (x: Value, axes?: readonly number[]) => Value = reduceExtremum("reduceMax", "ReduceMax");

/** Smallest element over some axes, which are removed; over all axes by default. Equal minima share the derivative equally. */
export const reduceMin: (x: Value, axes?: readonly number[]) => Value = reduceExtremum("reduceMin", "ReduceMin");
