import { valueNamed } from "../../../tensors/index.ts";

/** Interpolation of one axis, in the words of ONNX Resize. */
export interface InterpolationOptions {
  readonly from: number;
  readonly to: number;
  readonly scale: number;
  /** nearest, linear or cubic. */
  readonly mode: string;
  /** Which place in the input a place in the output comes from. */
  readonly transformation: string;
  /** For nearest: which neighbour of a place between two. */
  readonly rounding: string;
  /** Coefficient a of the cubic kernel (Keys, 1981). */
  readonly cubic: number;
  /** For cubic: whether neighbours beyond the edge weigh nothing; else they are the edge. */
  readonly excludeOutside: boolean;
  /** For linear and cubic: whether the kernel widens with the scale where the result is smaller. */
  readonly antialias: boolean;
  /** For tf_crop_and_resize: start and end of the part of the input that is looked at, 0 and 1 being its ends. */
  readonly region?: readonly [start: number, end: number];
}

/** Weights `[to, from]`, row-major, of the input's elements in each element of the output; undefined for unknown words. */
export function interpolation(options: InterpolationOptions): Float64Array | undefined {
  const { from, to } = options;
  const transform = valueNamed(TRANSFORMATIONS, options.transformation);
  const neighbours = valueNamed(MODES, options.mode);
  if (transform === undefined || neighbours === undefined) return undefined;
  const weights = new Float64Array(to * from);
  for (let i = 0; i < to; i++) {
    const place = transform(i, options);
    // Beyond the ends there is nothing to interpolate, where a part of the input is looked at.
    if (options.region !== undefined && (place < 0 || place > from - 1)) continue;
    const smooth = options.antialias && options.scale < 1 && options.mode !== "nearest";
    const found = smooth ? smoothed(place, options) : neighbours(place, options);
    if (found === undefined) return undefined;
    for (const [position, weight] of found) weights[i * from + Math.min(Math.max(position, 0), from - 1)] += weight;
  }
  return weights;
}

const TRANSFORMATIONS: Readonly<Record<string, (i: number, options: InterpolationOptions) => number>> = {
  half_pixel: (i, { scale }) => (i + 0.5) / scale - 0.5,
  pytorch_half_pixel: (i, { scale, to }) => (to > 1 ? (i + 0.5) / scale - 0.5 : 0),
  align_corners: (i, { from, to }) => (to > 1 ? (i * (from - 1)) / (to - 1) : 0),
  asymmetric: (i, { scale }) => i / scale,
  tf_crop_and_resize(i, { from, to, region: [start, end] = [0, 1] }) {
    if (to === 1) return 0.5 * (start + end) * (from - 1);
    return start * (from - 1) + (i * (end - start) * (from - 1)) / (to - 1);
  },
  half_pixel_symmetric(i, { scale, from, to }) {
    const adjustment = to / (scale * from);
    return (from / 2) * (1 - adjustment) + (i + 0.5) / scale - 0.5;
  },
};

const ROUNDINGS: Readonly<Record<string, (x: number) => number>> = {
  round_prefer_floor: (x) => Math.ceil(x - 0.5),
  round_prefer_ceil: (x) => Math.floor(x + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
};

type Weighted = readonly (readonly [position: number, weight: number])[];

const MODES: Readonly<Record<string, (x: number, options: InterpolationOptions) => Weighted | undefined>> = {
  nearest(x, { rounding }) {
    const round = valueNamed(ROUNDINGS, rounding);
    return round && [[round(x), 1]];
  },
  linear(x, { from }) {
    const inside = Math.min(Math.max(x, 0), from - 1);
    const left = Math.floor(inside);
    return [
      [left, 1 - (inside - left)],
      [left + 1, inside - left],
    ];
  },
  cubic(x, { from, cubic: a, excludeOutside }) {
    const left = Math.floor(x);
    const all = [-1, 0, 1, 2].map((k) => [left + k, cubicKernel(Math.abs(x - left - k), a)] as const);
    if (!excludeOutside) return all;
    const inside = all.filter(([position]) => position >= 0 && position < from);
    const total = inside.reduce((sum, [, weight]) => sum + weight, 0);
    return inside.map(([position, weight]) => [position, weight / total] as const);
  },
};

/** Cubic convolution (Keys, 1981). */
function cubicKernel(distance: number, a: number): number {
  if (distance >= 2) return 0;
  return distance <= 1
    ? ((a + 2) * distance - (a + 3)) * distance ** 2 + 1
    : (((distance - 5) * distance + 8) * distance - 4) * a;
}

/** The kernel stretched by how much smaller the result is; beyond the edges stand the edges, unless they are to weigh nothing. */
function smoothed(place: number, { from, scale, mode, cubic, excludeOutside }: InterpolationOptions): Weighted {
  const reach = (mode === "linear" ? 1 : 2) / scale;
  const kernel = (distance: number) => (mode === "linear" ? Math.max(0, 1 - distance) : cubicKernel(distance, cubic));
  const first = Math.ceil(place - reach);
  const all = Array.from({ length: Math.floor(place + reach) - first + 1 }, (_, k) => first + k)
    .filter((position) => !excludeOutside || (position >= 0 && position < from))
    .map((position) => [position, kernel(Math.abs(position - place) * scale)] as const);
  const total = all.reduce((sum, [, weight]) => sum + weight, 0);
  return all.map(([position, weight]) => [position, weight / total] as const);
}
