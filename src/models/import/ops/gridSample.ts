import { integers, scalar, type Value } from "../../../graph/index.ts";
import {
  abs,
  add,
  and,
  cast,
  clip,
  filled,
  floor,
  gather,
  greaterOrEqual,
  indicator,
  lessOrEqual,
  moveAxis,
  mul,
  reshape,
  round,
  scale,
  slice,
  sub,
  where,
} from "../../../primitives/index.ts";
import { sizeOf, valueNamed } from "../../../tensors/index.ts";
import { type ImportedNode, int, operand, outputShape, string, unsupported } from "./importedNode.ts";

/** Where one axis is read: a place that is a whole number (as a float), and how much it weighs. */
interface Neighbour {
  readonly place: Value;
  readonly weight: Value;
}

/** Reads places beyond the edges along an axis of a given size. */
interface Border {
  readonly size: number;
  readonly padding: string;
  readonly aligned: boolean;
}

/**
 * x read at the places that a grid names, -1 and 1 being the edges (or, with align_corners, the middles of the outermost
 * elements): the nearest element, a linear or a cubic interpolation of its neighbours. Derivatives in x and in the grid; at
 * whole places the one from the right, as in PyTorch.
 */
export function GridSample(node: ImportedNode): Value {
  const [x, grid] = [operand(node, 0), operand(node, 1)];
  const mode = string(node, "mode", "linear").replace(/^bi/, "");
  const padding = string(node, "padding_mode", "zeros");
  const aligned = int(node, "align_corners", 0) !== 0;
  const neighbours = valueNamed(MODES, mode);
  if (neighbours === undefined || !["zeros", "border", "reflection"].includes(padding)) {
    throw unsupported(node, `samples in mode "${mode}" with padding "${padding}"`);
  }
  const [rows, channels, ...spatial] = x.shape;
  const count = sizeOf(grid.shape.slice(1, -1));
  // The grid names the last axis first.
  const axes = spatial.map((size, axis) => {
    const component = spatial.length - 1 - axis;
    const given = slice(grid, { axis: -1, start: component, limit: component + 1 });
    const along = reshape(given, [rows * count]);
    const place = aligned
      ? scale(add(along, scalar(1)), (size - 1) / 2)
      : scale(sub(scale(add(along, scalar(1)), size), scalar(1)), 0.5);
    return neighbours(place, { size, padding, aligned });
  });
  const table = reshape(moveAxis(x, 1, x.shape.length - 1), [rows * sizeOf(spatial), channels]);
  const offsets = Array.from({ length: rows * count }, (_, i) => Math.floor(i / count) * sizeOf(spatial));
  const result = combinations(axes)
    .map((chosen) => readAt(table, chosen, { spatial, offsets, zeros: padding === "zeros" }))
    .reduce(add);
  return reshape(moveAxis(reshape(result, [rows, count, channels]), 2, 1), outputShape(node));
}

function combinations(axes: readonly (readonly Neighbour[])[]): Neighbour[][] {
  return axes.reduce<Neighbour[][]>((all, next) => all.flatMap((one) => next.map((each) => [...one, each])), [[]]);
}

/** The table's rows at whole places, times all their weights; 0 outside, for padding by zeros. */
function readAt(
  table: Value,
  chosen: readonly Neighbour[],
  {
    spatial,
    offsets,
    zeros,
  }: { readonly spatial: readonly number[]; readonly offsets: readonly number[]; readonly zeros: boolean },
): Value {
  let index = integers(offsets);
  let weight: Value = chosen[0].weight;
  chosen.forEach(({ place, weight: own }, axis) => {
    const last = spatial[axis] - 1;
    const inside = clip(place, { low: 0, high: last });
    if (axis > 0) weight = mul(weight, own);
    if (zeros) {
      const within = and(greaterOrEqual(place, scalar(0)), lessOrEqual(place, scalar(last)));
      weight = mul(weight, indicator(within));
    }
    const stride = sizeOf(spatial.slice(axis + 1));
    index = add(index, mul(cast(inside, "int64"), integers([stride])));
  });
  return mul(gather(table, index, 0), reshape(weight, [weight.shape[0], 1]));
}

const MODES: Readonly<Record<string, (place: Value, border: Border) => readonly Neighbour[]>> = {
  nearest: (place, border) => [{ place: round(bounded(place, border)), weight: filled(place.shape, 1) }],
  linear(place, border) {
    const inside = bounded(place, border);
    const left = floor(inside);
    const rest = sub(inside, left);
    return [
      { place: left, weight: sub(scalar(1), rest) },
      { place: add(left, scalar(1)), weight: rest },
    ];
  },
  // The kernel of Keys (1981) with a = -3/4; the neighbours, not the place, are brought inside.
  cubic(place, border) {
    const a = -0.75;
    const left = floor(place);
    const rest = sub(place, left);
    return [-1, 0, 1, 2].map((k) => {
      const distance = abs(sub(rest, scalar(k)));
      const near = k === 0 || k === 1;
      const weight = near
        ? polynomial(distance, [a + 2, -(a + 3), 0, 1])
        : polynomial(distance, [a, -5 * a, 8 * a, -4 * a]);
      return { place: bounded(add(left, scalar(k)), border), weight };
    });
  },
};

function polynomial(x: Value, [first, ...rest]: readonly number[]): Value {
  return rest.reduce<Value>((sum, coefficient) => add(mul(sum, x), scalar(coefficient)), scalar(first));
}

/** A place brought inside, where padding is by the border or by reflection at it. */
function bounded(place: Value, { size, padding, aligned }: Border): Value {
  if (padding === "zeros") return place;
  const bounds = { low: 0, high: size - 1 };
  if (padding === "border") return clip(place, bounds);
  const [low, span] = aligned ? [0, size - 1] : [-0.5, size];
  if (span === 0) return scale(place, 0);
  const distance = abs(sub(place, scalar(low)));
  const turns = floor(scale(distance, 1 / span));
  const rest = sub(distance, scale(turns, span));
  const odd = greaterOrEqual(sub(turns, scale(floor(scale(turns, 0.5)), 2)), scalar(1));
  const reflected = add(where(odd, sub(scalar(span), rest), rest), scalar(low));
  return aligned ? reflected : clip(reflected, bounds);
}
