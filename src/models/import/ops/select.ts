import { constant, integers, normalizeAxis, scalar, type Value } from "../../../graph/index.ts";
import {
  add,
  cast,
  concat,
  gather,
  less,
  matmul,
  moveAxis,
  reshape,
  reverse,
  slice,
  sliceAll,
  where,
} from "../../../primitives/index.ts";
import { sizeOf } from "../../../tensors/index.ts";
import { type ImportedNode, int, knownNumbers, listed, operand, outputShape, unsupported } from "../importedNode.ts";

/** Tensors one after the other along an axis. */
export function Concat(node: ImportedNode): Value {
  return concat(
    node.inputs.map((_, i) => operand(node, i)),
    int(node, "axis", 1),
  );
}

/** Pieces along an axis; their sizes are those that ONNX Runtime has found. */
export function Split(node: ImportedNode): readonly Value[] {
  const x = operand(node, 0);
  const axis = normalizeAxis("Split", int(node, "axis", 0), x.shape.length);
  let start = 0;
  return node.outputShapes.map((_, i) => {
    const limit = start + outputShape(node, i)[axis];
    const piece = slice(x, { axis, start, limit });
    start = limit;
    return piece;
  });
}

/** Slices along an axis by integer indices, negative ones counted from the end. */
export function Gather(node: ImportedNode): Value {
  return gather(operand(node, 0), operand(node, 1), int(node, "axis", 0));
}

/** One element along an axis for each index, `y[i][j] = x[index[i][j]][j]` for axis 0; negative indices count from the end. */
export function GatherElements(node: ImportedNode): Value {
  const x = operand(node, 0);
  const index = cast(operand(node, 1), "int64");
  const axis = normalizeAxis("GatherElements", int(node, "axis", 0), x.shape.length);
  const last = x.shape.length - 1;
  const size = x.shape[axis];
  const limits = x.shape.map((dim, i) => (i === axis ? dim : index.shape[i]));
  const lanes = moveAxis(sliceAll(x, { starts: limits.map(() => 0), limits, steps: limits.map(() => 1) }), axis, last);
  const moved = moveAxis(index, axis, last);
  // All lanes one after the other: the index within a lane becomes one into all of them.
  const count = sizeOf(moved.shape.slice(0, -1));
  const starts = integers(Array.from({ length: count }, (_, lane) => lane * size));
  const offsets = reshape(starts, [...moved.shape.slice(0, -1), 1]);
  const inLane = where(less(moved, integers([0])), add(moved, integers([size])), moved);
  const gathered = gather(reshape(lanes, [count * size]), add(inLane, offsets), 0);
  return moveAxis(gathered, last, axis);
}

/** Elements start, start + step, ... before end along some axes; negative numbers count from the end, steps may be negative. */
export function Slice(node: ImportedNode): Value {
  const x = operand(node, 0);
  const starts = listed(node, "starts", 1);
  const ends = listed(node, "ends", 2);
  if (starts === undefined || ends === undefined) throw unsupported(node, "lacks its starts or ends");
  const axes = listed(node, "axes", 3) ?? starts.map((_, i) => i);
  const steps = knownNumbers(node, 4) ?? starts.map(() => 1);
  return axes.reduce(
    (result, axis, i) =>
      sliceAxis(result, {
        axis: normalizeAxis("Slice", axis, x.shape.length),
        start: starts[i],
        end: ends[i],
        step: steps[i],
      }),
    x,
  );
}

function sliceAxis(
  x: Value,
  {
    axis,
    start,
    end,
    step,
  }: { readonly axis: number; readonly start: number; readonly end: number; readonly step: number },
): Value {
  const dim = x.shape[axis];
  const fromFront = (index: number) => (index < 0 ? index + dim : index);
  const clamp = (index: number, low: number, high: number) => Math.min(Math.max(index, low), high);
  if (step > 0) {
    const first = clamp(fromFront(start), 0, dim);
    return slice(x, { axis, start: first, limit: Math.max(first, clamp(fromFront(end), 0, dim)), step });
  }
  const last = clamp(fromFront(start), -1, dim - 1);
  const count = Math.max(0, Math.ceil((last - clamp(fromFront(end), -1, dim - 1)) / -step));
  if (count === 0) return slice(x, { axis, start: 0, limit: 0 });
  return reverse(slice(x, { axis, start: last + (count - 1) * step, limit: last + 1, step: -step }), [axis]);
}

/** Cumulative sum along an axis, as a product with a triangular matrix of ones. */
export function CumSum(node: ImportedNode): Value {
  const x = operand(node, 0);
  const [given] = knownNumbers(node, 1) ?? [];
  const axis = normalizeAxis("CumSum", given ?? 0, x.shape.length);
  const [exclusive, reversed] = [int(node, "exclusive", 0), int(node, "reverse", 0)];
  const n = x.shape[axis];
  // Entry [i, j] says whether term i is in sum j.
  const terms = Float32Array.from({ length: n * n }, (_, k) => {
    const ahead = reversed ? Math.floor(k / n) - (k % n) : (k % n) - Math.floor(k / n);
    return Number(ahead >= exclusive);
  });
  const rows = reshape(moveAxis(x, axis, x.shape.length - 1), [sizeOf(x.shape) / Math.max(n, 1), n]);
  const sums = matmul(rows, constant({ data: terms, dims: [n, n] }));
  const moved = [...x.shape.filter((_, i) => i !== axis), n];
  return moveAxis(reshape(sums, moved), x.shape.length - 1, axis);
}

/** Upper or lower triangle of the last two axes, from diagonal k on; zeros elsewhere. */
export function Trilu(node: ImportedNode): Value {
  const x = operand(node, 0);
  const upper = int(node, "upper", 1) !== 0;
  const [k] = knownNumbers(node, 1) ?? [0];
  const [rows, columns] = x.shape.slice(-2);
  const kept = Uint8Array.from({ length: rows * columns }, (_, i) => {
    const above = (i % columns) - Math.floor(i / columns);
    return Number(upper ? above >= k : above <= k);
  });
  return where(constant({ data: kept, dims: [rows, columns], dtype: "bool" }), x, scalar(0));
}
