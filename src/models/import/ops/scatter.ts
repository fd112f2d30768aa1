import { constant, constantTensor, integers, normalizeAxis, scalar, type Value } from "../../../graph/index.ts";
import {
  add,
  cast,
  concat,
  equal,
  gather,
  greaterOrEqual,
  lastWriters,
  less,
  maximum,
  minimum,
  mul,
  permute,
  range,
  reduceMax,
  reduceMin,
  reduceSum,
  reshape,
  scatterAdd,
  where,
} from "../../../primitives/index.ts";
import { sizeOf, valueNamed } from "../../../tensors/index.ts";
import { type ImportedNode, int, operand, string, unsupported } from "./importedNode.ts";
import { productAlong } from "./reduce.ts";
import type { OperatorTraits } from "./traits.ts";

/** A table `[places, width]`, and for each of m rows of updates `[m, width]` the place (int64 `[m]`) it is for. */
interface Rows {
  readonly table: Value;
  readonly places: Value;
  readonly updates: Value;
}

/** Slices of x by tuples of indices, the last axis of the indices, for each element of the leading `batch_dims` axes apart. */
export function GatherND(node: ImportedNode): Value {
  const x = operand(node, 0);
  const indices = cast(operand(node, 1), "int64");
  const batch = int(node, "batch_dims", 0);
  const outer = x.shape.slice(0, batch);
  const { places, inner, count } = placesOf(indices, { dims: x.shape.slice(batch), batch: sizeOf(outer) });
  const table = reshape(x, [sizeOf(outer) * count, ...inner]);
  return gather(table, reshape(places, indices.shape.slice(0, -1)), 0);
}

/** A copy of x with other slices where tuples of indices say; the last one stays, or all are added, multiplied or compared. */
export function ScatterND(node: ImportedNode): Value {
  const x = operand(node, 0);
  const indices = cast(operand(node, 1), "int64");
  const { places, inner, count } = placesOf(indices, { dims: x.shape, batch: 1 });
  const width = sizeOf(inner);
  const rows = places.shape[0];
  const updates = reshape(operand(node, 2), [rows, width]);
  return reshape(scattered(node, { table: reshape(x, [count, width]), places, updates }), x.shape);
}

/** A copy of x with other elements along an axis where indices say, `y[index[i][j]][j] = updates[i][j]` for axis 0. */
export function ScatterElements(node: ImportedNode): Value {
  const x = operand(node, 0);
  const indices = cast(operand(node, 1), "int64");
  const axis = normalizeAxis(node.op, int(node, "axis", 0), x.shape.length);
  const places = elementPlaces(indices, { dims: x.shape, axis });
  const updates = reshape(operand(node, 2), [sizeOf(indices.shape), 1]);
  const table = reshape(x, [sizeOf(x.shape), 1]);
  return reshape(scattered(node, { table, places, updates }), x.shape);
}

/** ScatterElements under the name it had before opset 11. */
export function Scatter(node: ImportedNode): Value {
  return ScatterElements(node);
}
Scatter.traits = { formSince: 11 } satisfies OperatorTraits;

/** One element along an axis for each index, `y[i][j] = x[index[i][j]][j]` for axis 0; negative indices count from the end. */
export function GatherElements(node: ImportedNode): Value {
  const x = operand(node, 0);
  const indices = cast(operand(node, 1), "int64");
  const axis = normalizeAxis(node.op, int(node, "axis", 0), x.shape.length);
  return elementsAt(x, indices, axis);
}

/** One element along an axis for each index. */
export function elementsAt(x: Value, indices: Value, axis: number): Value {
  const places = elementPlaces(indices, { dims: x.shape, axis });
  return reshape(gather(reshape(x, [sizeOf(x.shape)]), places, 0), indices.shape);
}

/** Row-major places of tuples of indices in a tensor's leading axes, with the shape of what stands there. */
function placesOf(
  indices: Value,
  { dims, batch }: { readonly dims: readonly number[]; readonly batch: number },
): { readonly places: Value; readonly inner: readonly number[]; readonly count: number } {
  const { shape } = indices;
  const depth = shape[shape.length - 1];
  const leading = dims.slice(0, depth);
  const count = sizeOf(leading);
  const tuples = sizeOf(shape.slice(0, -1));
  const strides = leading.map((_, k) => sizeOf(leading.slice(k + 1)));
  const flat = reshape(indices, [tuples, depth]);
  const place = reduceSum(mul(fromFront(flat, integers(leading)), integers(strides)), [1]);
  if (batch === 1) return { places: place, inner: dims.slice(depth), count };
  const offsets = Array.from({ length: tuples }, (_, i) => Math.floor(i / (tuples / batch)) * count);
  return { places: add(place, integers(offsets)), inner: dims.slice(depth), count };
}

/** Row-major places of elements whose index along one axis is given, the others being their own. */
function elementPlaces(
  indices: Value,
  { dims, axis }: { readonly dims: readonly number[]; readonly axis: number },
): Value {
  const { shape } = indices;
  const stride = sizeOf(dims.slice(axis + 1));
  const offsets = Array.from({ length: sizeOf(shape) }, (_, i) => {
    let rest = i;
    let offset = 0;
    for (let k = shape.length - 1; k >= 0; k--) {
      if (k !== axis) offset += (rest % shape[k]) * sizeOf(dims.slice(k + 1));
      rest = Math.floor(rest / shape[k]);
    }
    return offset;
  });
  const along = mul(fromFront(reshape(indices, [sizeOf(shape)]), integers([dims[axis]])), integers([stride]));
  return add(along, integers(offsets));
}

/** Indices counted from the front. */
function fromFront(indices: Value, sizes: Value): Value {
  return where(less(indices, constant({ data: BigInt64Array.of(0n), dims: [] })), add(indices, sizes), indices);
}

function scattered(node: ImportedNode, rows: Rows): Value {
  const reduction = string(node, "reduction", "none");
  if (reduction === "add") {
    const { table, places, updates } = rows;
    return add(table, scatterAdd(updates, places, { axis: 0, size: table.shape[0] }));
  }
  if (reduction === "none") return replaced(rows, (_, update) => update);
  const combine = valueNamed(COMBINATIONS, reduction);
  if (combine === undefined) throw unsupported(node, `reduces by "${reduction}"`);
  const known = constantTensor(operand(node, 1));
  return known === undefined
    ? amongAll(node, rows, reduction)
    : inRounds(node, rows, { known: known.data as ArrayLike<number | bigint>, combine });
}

const COMBINATIONS: Readonly<Record<string, (a: Value, b: Value) => Value>> = { mul, max: maximum, min: minimum };

/** Every place that updates are for gets what its row and the last update make. */
function replaced({ table, places, updates }: Rows, combine: (row: Value, update: Value) => Value): Value {
  if (updates.shape[0] === 0) return table;
  const writers = lastWriters(places, table.shape[0]);
  const zero = constant({ data: BigInt64Array.of(0n), dims: [] });
  const written = greaterOrEqual(writers, zero);
  const chosen = gather(updates, where(written, writers, zero), 0);
  return where(reshape(written, [table.shape[0], 1]), combine(table, chosen), table);
}

/**
 * One round after the other, in each of which a place gets at most one update: that needs indices that are known. Equal
 * maxima and minima share the derivative by halves, where PyTorch shares it evenly among all.
 */
function inRounds(
  node: ImportedNode,
  { table, places, updates }: Rows,
  { known, combine }: { readonly known: ArrayLike<number | bigint>; readonly combine: (a: Value, b: Value) => Value },
): Value {
  const order = roundsOf(knownPlaces(node, known));
  return order.reduce((result, members) => {
    const index = integers(members);
    return replaced({ table: result, places: gather(places, index, 0), updates: gather(updates, index, 0) }, combine);
  }, table);
}

/** Numbers that places and updates may take beside one another. */
const MOST_CANDIDATES = 2 ** 24;

/**
 * Every place looks at all updates, since which are for it depends on the data: places x updates x width numbers. Equal maxima
 * and minima share the derivative evenly, as in PyTorch.
 */
function amongAll(node: ImportedNode, { table, places, updates }: Rows, reduction: string): Value {
  const [size, width] = table.shape;
  const count = updates.shape[0];
  if (size * count * width > MOST_CANDIDATES) {
    throw unsupported(
      node,
      `reduces by "${reduction}" at places that depend on the data, where ${size} places times ${count} updates of ${width} numbers are more than can be compared; make the places constant`,
    );
  }
  const here = reshape(equal(reshape(range(size), [size, 1]), reshape(places, [1, count])), [size, count, 1]);
  const neutral = { mul: 1, max: Number.NEGATIVE_INFINITY, min: Number.POSITIVE_INFINITY }[reduction]!;
  const own = reshape(table, [size, 1, width]);
  const candidates = concat([own, where(here, reshape(updates, [1, count, width]), scalar(neutral))], 1);
  if (reduction === "max") return reduceMax(candidates, [1]);
  if (reduction === "min") return reduceMin(candidates, [1]);
  const factors = reshape(permute(candidates, [0, 2, 1]), [size * width, count + 1]);
  return reshape(productAlong(factors), [size, width]);
}

/** The indices of each update as one text, so that equal places are found. */
function knownPlaces(node: ImportedNode, data: ArrayLike<number | bigint>): string[] {
  const x = operand(node, 0).shape;
  const { shape } = operand(node, 1);
  const numbers = Array.from(data, Number);
  if (node.op === "ScatterND") {
    const depth = shape[shape.length - 1];
    const front = (value: number, k: number) => (value < 0 ? value + x[k] : value);
    return Array.from({ length: numbers.length / depth }, (_, i) =>
      numbers
        .slice(i * depth, (i + 1) * depth)
        .map(front)
        .join(),
    );
  }
  const axis = normalizeAxis(node.op, int(node, "axis", 0), x.length);
  return numbers.map((value, i) => {
    const place = shape.map((size, k) => Math.floor(i / sizeOf(shape.slice(k + 1))) % size);
    place[axis] = value < 0 ? value + x[axis] : value;
    return place.join();
  });
}

/** Positions grouped so that no text appears twice in a group: the first ones, the second ones, ... */
function roundsOf(places: readonly string[]): number[][] {
  const seen = new Map<string, number>();
  const rounds: number[][] = [];
  places.forEach((place, i) => {
    const round = seen.get(place) ?? 0;
    seen.set(place, round + 1);
    rounds[round] = [...(rounds[round] ?? []), i];
  });
  return rounds;
}
