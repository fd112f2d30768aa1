import { constant, constantTensor, integers, normalizeAxis, scalar, type Value } from "../../../graph/index.ts";
import {
  add,
  cast,
  concat,
  equal,
  gather,
  less,
  matmul,
  moveAxis,
  mul,
  range,
  reshape,
  reverse,
  slice,
  topIndices,
  where,
} from "../../../primitives/index.ts";
import { sizeOf } from "../../../tensors/index.ts";
import { type ImportedNode, int, knownNumbers, listed, operand, outputShape, unsupported } from "./importedNode.ts";
import { elementsAt } from "./scatter.ts";
import type { OperatorTraits } from "./traits.ts";

/** Tensors one after the other along an axis. */
export function Concat(node: ImportedNode): Value {
  return concat(
    node.inputs.map((_, i) => operand(node, i)),
    int(node, "axis", 1),
  );
}
Concat.traits = { joins: true, constantRole: "token" } satisfies OperatorTraits;

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
Split.traits = { formSince: 13 } satisfies OperatorTraits;

/** Slices along an axis by integer indices, negative ones counted from the end. */
export function Gather(node: ImportedNode): Value {
  const [x, indices] = [operand(node, 0), operand(node, 1)];
  const axis = normalizeAxis("Gather", int(node, "axis", 0), x.shape.length);
  const known = sizeOf(indices.shape) === 1 ? constantTensor(indices) : undefined;
  if (known === undefined) return gather(x, indices, axis);
  // One known slice: a copy of neighbours, whose transpose is padding.
  const given = Number(known.data[0]);
  const start = given < 0 ? given + x.shape[axis] : given;
  return reshape(slice(x, { axis, start, limit: start + 1 }), outputShape(node));
}
Gather.traits = { roles: ["table"] } satisfies OperatorTraits;

/** Elements where a condition holds that is known when the graph is built: along an axis, or of all elements in a row. */
export function Compress(node: ImportedNode): Value {
  const x = operand(node, 0);
  const given = node.attributes.axis;
  const isFlat = given === undefined || !("int" in given);
  const from = isFlat ? reshape(x, [sizeOf(x.shape)]) : x;
  const axis = isFlat ? 0 : normalizeAxis(node.op, given.int, x.shape.length);
  // Conditions beyond the end of the axis count for nothing.
  const conditions = (knownNumbers(node, 1) ?? []).slice(0, from.shape[axis]);
  const kept = conditions.flatMap((holds, i) => (holds === 0 ? [] : [i]));
  return gather(from, integers(kept), axis);
}
Compress.traits = { shapedBy: [1] } satisfies OperatorTraits;

/** The largest or smallest elements along an axis in their order, and their positions. */
export function TopK(node: ImportedNode): readonly Value[] {
  const x = operand(node, 0);
  const axis = normalizeAxis(node.op, int(node, "axis", -1), x.shape.length);
  const count = node.outputShapes.find((shape) => shape !== undefined)![axis];
  const indices = topIndices(x, { axis, count, largest: int(node, "largest", 1) !== 0 });
  return [elementsAt(x, indices, axis), indices];
}
TopK.traits = { formSince: 10 } satisfies OperatorTraits;

/** `on` where the index is that of the position along a new axis, `off` elsewhere; negative indices count from the end. */
export function OneHot(node: ImportedNode): Value {
  const [indices, values] = [operand(node, 0), operand(node, 2)];
  const shape = outputShape(node);
  const axis = normalizeAxis(node.op, int(node, "axis", -1), shape.length);
  const depth = shape[axis];
  const whole = cast(indices, "int64");
  const fromFront = where(less(whole, integers([0])), add(whole, integers([depth])), whole);
  const column = reshape(
    fromFront,
    shape.map((dim, i) => (i === axis ? 1 : dim)),
  );
  const positions = reshape(
    range(depth),
    shape.map((dim, i) => (i === axis ? dim : 1)),
  );
  const [off, on] = [0, 1].map((i) => reshape(slice(values, { axis: 0, start: i, limit: i + 1 }), []));
  return where(equal(column, positions), on, off);
}
OneHot.traits = { sizedBy: [{ position: 1, kind: "factors" }] } satisfies OperatorTraits;

/** start, start + delta, ... before the limit; their number is known from ONNX Runtime. */
export function Range(node: ImportedNode): Value {
  const [length] = outputShape(node);
  const steps = cast(range(length), "float");
  return add(operand(node, 0), mul(steps, operand(node, 2)));
}
Range.traits = { withoutDerivative: [0, 1, 2], sizedBy: "range" } satisfies OperatorTraits;

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
Slice.traits = { passes: "selected", formSince: 10 } satisfies OperatorTraits;

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
