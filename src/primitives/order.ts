import { CurvatureError } from "../errors/index.ts";
import { apply, constant, integers, normalizeAxis, type Primitive, type Value } from "../graph/index.ts";
import { formatDims } from "../tensors/index.ts";
import { add } from "./arithmetic.ts";
import { maximum } from "./extrema.ts";
import { reshape } from "./movement.ts";

interface TopParams {
  readonly axis: number;
  readonly count: number;
  readonly largest: boolean;
}

const topIndicesPrimitive: Primitive<TopParams> = {
  name: "topIndices",
  output([x], { axis, count }) {
    if (!(count >= 0 && count <= x.shape[axis])) {
      throw new CurvatureError(
        "shape",
        `topIndices: cannot take ${count} elements along axis ${axis} of ${formatDims(x.shape)}`,
      );
    }
    return { shape: x.shape.map((dim, i) => (i === axis ? count : dim)), type: "int64" };
  },
  vectorize: ({ params: { axis, ...rest } }, [x]) => topIndices(x, { axis: axis + 1, ...rest }),
  lower({ inputs: [x], params: { axis, count, largest } }, context) {
    const [, indices] = context.nodes(`topIndices:${x.id}:${axis}:${count}:${largest}`, {
      op: "TopK",
      inputs: [context.name(x), context.integers([count])],
      attributes: { axis: { int: axis }, largest: { int: Number(largest) }, sorted: { int: 1 } },
      outputs: 2,
    });
    return indices;
  },
};

/** Positions (int64) of the `count` largest or smallest elements along an axis, the first of equal ones first; no derivative. */
export function topIndices(
  x: Value,
  { axis, count, largest }: { readonly axis: number; readonly count: number; readonly largest: boolean },
): Value {
  return apply(topIndicesPrimitive, [x], { axis: normalizeAxis("topIndices", axis, x.shape.length), count, largest });
}

interface WriterParams {
  readonly size: number;
}

const lastWritersPrimitive: Primitive<WriterParams> = {
  name: "lastWriters",
  output([indices], { size }) {
    if (indices.shape.length !== 1 || indices.type !== "int64") {
      throw new CurvatureError(
        "shape",
        `lastWriters: indices must be one row of int64, got ${formatDims(indices.shape)}`,
      );
    }
    return { shape: [size], type: "int64" };
  },
  vectorize({ params: { size: length }, inputs: [i0] }, [indices], _, size) {
    // One row of all: index i of example k is k n + i, and writer j of example k is number k m + j.
    const count = i0.shape[0];
    const each = (step: number) => reshape(integers(Array.from({ length: size }, (_, k) => k * step)), [size, 1]);
    const all = reshape(add(indices, each(length)), [size * count]);
    const writers = reshape(lastWriters(all, size * length), [size, length]);
    // Nobody stays nobody, -1: below every number that is moved.
    return maximum(add(writers, each(-count)), constant({ data: BigInt64Array.of(-1n), dims: [] }));
  },
  lower({ inputs: [indices], params: { size } }, context) {
    const count = indices.shape[0];
    const nobody = context.node("Expand", [
      context.constant({ data: BigInt64Array.of(-1n), dims: [1] }),
      context.integers([size]),
    ]);
    const column = context.node("Unsqueeze", [context.name(indices), context.integers([1])]);
    const numbers = context.integers(Array.from({ length: count }, (_, j) => j));
    return context.node("ScatterND", [nobody, column, numbers]);
  },
};

/** Last position of each of `size` places in `indices` (int64, `[m]`), -1 for a place that does not occur. */
export function lastWriters(indices: Value, size: number): Value {
  return apply(lastWritersPrimitive, [indices], { size });
}
