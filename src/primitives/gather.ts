import { CurvatureError } from "../errors/index.ts";
import { apply, constantTensor, integers, normalizeAxis, type Primitive, type Value } from "../graph/index.ts";
import { formatDims } from "../tensors/index.ts";
import { add } from "./arithmetic.ts";
import { broadcast, zeros } from "./broadcast.ts";
import { moveAxis, permute, reshape } from "./movement.ts";
import { cast, less, where } from "./select.ts";

interface GatherParams {
  readonly axis: number;
}

const gatherPrimitive: Primitive<GatherParams> = {
  name: "gather",
  sums: true,
  output([x, indices], { axis }) {
    if (indices.type === "float") throw new CurvatureError("shape", "gather: indices must be integers, got floats");
    return { shape: [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)], type: x.type };
  },
  moves: ({ inputs: [, indices] }) => areDistinct(indices),
  affine: ({ params: { axis } }) => (axis === 0 ? { kind: "table" } : undefined),
  axes({ inputs: [x, indices], params: { axis } }) {
    const inserted = indices.shape.length - 1;
    return [
      x.shape.map((_, i) => (i < axis ? i : i === axis ? null : i + inserted)),
      indices.shape.map((_, i) => axis + i),
    ];
  },
  jvp: ({ inputs: [, indices], params: { axis } }, [dx]) => dx && gather(dx, indices, axis),
  transpose: ({ inputs: [x, indices], params: { axis } }, c) => [
    scatterAdd(c, indices, { axis, size: x.shape[axis] }),
    null,
  ],
  vectorize({ params: { axis }, inputs: [x0, i0] }, [x, indices], [xBatched, indicesBatched], size) {
    if (!indicesBatched) return gather(x, indices, axis + 1);
    // Result axes: those of x before the axis, then [K, ...indices], then the rest; K goes to the front.
    if (!xBatched) return moveAxis(gather(x, indices, axis), axis, 0);
    // Both: one table of K times as many entries, entry i of example k at k n + i.
    const length = x0.shape[axis];
    const table = reshape(moveAxis(x, axis + 1, 1), [size * length, ...x0.shape.filter((_, i) => i !== axis)]);
    const result = gather(table, offsetIndices(indices, length, size), 0);
    const ranks = i0.shape.length;
    const inner = Array.from({ length: ranks }, (_, i) => i + 1);
    const outer = x0.shape.slice(1).map((_, i) => i + 1 + ranks);
    return permute(result, [0, ...outer.slice(0, axis), ...inner, ...outer.slice(axis)]);
  },
  lower: ({ inputs: [x, indices], params: { axis } }, context) =>
    context.node("Gather", [context.name(x), context.name(indices)], { axis: { int: axis } }),
};

/** Whether indices are known and none is there twice; negative ones, which count from the end, could be. */
function areDistinct(indices: Value): boolean {
  const data = constantTensor(indices)?.data;
  if (data === undefined || data.length > MOST_INDICES) return false;
  const numbers = Array.from(data, Number);
  return new Set(numbers).size === numbers.length && numbers.every((index) => index >= 0);
}

/** Indices beyond which they are not looked through. */
const MOST_INDICES = 1 << 20;

/**
 * Slices of x along an axis by integer indices of any shape, negative ones counted from the end: shape
 * `[...before, ...indices.shape, ...after]` (ONNX Gather).
 */
export function gather(x: Value, indices: Value, axis: number): Value {
  return apply(gatherPrimitive, [x, indices], { axis: normalizeAxis("gather", axis, x.shape.length) });
}

/** Indices [K, ...] into tables of `length` entries, as indices into the K tables one after the other. */
function offsetIndices(indices: Value, length: number, size: number): Value {
  const wide = cast(indices, "int64");
  const nonnegative = where(less(wide, integers([0])), add(wide, integers([length])), wide);
  const ones = indices.shape.slice(1).map(() => 1);
  const offsets = reshape(integers(Array.from({ length: size }, (_, k) => k * length)), [size, ...ones]);
  return add(nonnegative, offsets);
}

interface ScatterAddParams {
  readonly axis: number;
  readonly size: number;
}

const scatterAddPrimitive: Primitive<ScatterAddParams> = {
  name: "scatterAdd",
  sums: true,
  output([updates, indices], { axis, size }) {
    const { shape } = updates;
    const ranks = indices.shape.length;
    if (indices.shape.some((dim, i) => dim !== shape[axis + i])) {
      throw new CurvatureError(
        "shape",
        `scatterAdd: updates ${formatDims(shape)} do not match indices ${formatDims(indices.shape)}`,
      );
    }
    return { shape: [...shape.slice(0, axis), size, ...shape.slice(axis + ranks)], type: updates.type };
  },
  simplify: ([updates], _, { shape }) => (updates.uniform === 0 ? zeros(shape) : undefined),
  jvp: ({ inputs: [, indices], params }, [dUpdates]) => dUpdates && scatterAdd(dUpdates, indices, params),
  transpose: ({ inputs: [, indices], params: { axis } }, c) => [gather(c, indices, axis), null],
  vectorize(
    { params: { axis, size: length }, inputs: [u0, i0] },
    [updates, indices],
    [updatesBatched, indicesBatched],
    size,
  ) {
    if (!indicesBatched) return scatterAdd(updates, indices, { axis: axis + 1, size: length });
    const batchedUpdates = updatesBatched ? updates : broadcast(updates, [size, ...u0.shape]);
    const ranks = i0.shape.length;
    const inner = i0.shape.map((_, i) => i + 1 + axis);
    const outer = u0.shape.map((_, i) => i + 1).filter((i) => !inner.includes(i));
    const ordered = permute(batchedUpdates, [0, ...inner, ...outer]);
    const sums = scatterAdd(ordered, offsetIndices(indices, length, size), { axis: 0, size: size * length });
    const split = reshape(sums, [size, length, ...ordered.shape.slice(1 + ranks)]);
    return moveAxis(split, 1, axis + 1);
  },
  lower({ inputs: [updates, indices], params: { axis, size } }, context) {
    const { shape } = updates;
    const ranks = indices.shape.length;
    const indexAxes = indices.shape.map((_, i) => axis + i);
    const rest = shape.map((_, i) => i).filter((i) => !indexAxes.includes(i));
    const front =
      axis === 0
        ? context.name(updates)
        : context.node("Transpose", [context.name(updates)], { perm: { ints: [...indexAxes, ...rest] } });
    const index = context.node("Cast", [context.name(indices)], { to: { int: 7 } });
    const column = context.node("Unsqueeze", [index, context.integers([ranks])]);
    const target = [size, ...rest.map((i) => shape[i])];
    const empty = context.node("Expand", [context.float(0), context.integers(target)]);
    const sums = context.node("ScatterND", [empty, column, front], { reduction: { string: "add" } });
    if (axis === 0) return sums;
    const back = target.map((_, i) => i + 1).slice(0, -1);
    return context.node("Transpose", [sums], { perm: { ints: [...back.slice(0, axis), 0, ...back.slice(axis)] } });
  },
};

/**
 * Zeros of length `size` along an axis, to which slices of `updates` are added where the indices say: the transpose of
 * `gather`. Updates have the shape of the result of `gather`.
 */
export function scatterAdd(
  updates: Value,
  indices: Value,
  { axis, size }: { readonly axis: number; readonly size: number },
): Value {
  return apply(scatterAddPrimitive, [updates, indices], { axis, size });
}
