import { apply, constant, type Primitive, type Shape, type Value } from "../graph/index.ts";
import { sizeOf } from "../tensors/index.ts";
import { zeros } from "./broadcast.ts";
import { matmul } from "./matmul.ts";
import { reshape } from "./movement.ts";
import { slice } from "./slice.ts";
import { type Windows, windowCounts, windowOffsets } from "./windows.ts";

/** The positions in a window that any window has on data rather than on padding, as a smaller window. */
export interface ReachedPositions {
  /** First of them along each axis. */
  readonly starts: readonly number[];
  readonly kernel: readonly number[];
  /** Padding with which the smaller windows read the same data. */
  readonly pads: { readonly padsBefore: readonly number[]; readonly padsAfter: readonly number[] };
}

/** Part of a window that ever meets data; the whole window where a smaller one would need negative padding. */
export function reachedPositions(spatial: Shape, windows: Windows): ReachedPositions {
  const { kernel, strides, dilations, padsBefore, padsAfter } = windows;
  const counts = windowCounts("windows", spatial, windows);
  const axes = kernel.map((size, axis) => {
    const meets = (k: number) => {
      const first = k * dilations[axis] - padsBefore[axis];
      const skipped = Math.max(0, Math.ceil(-first / strides[axis]));
      return skipped < counts[axis] && first + skipped * strides[axis] < spatial[axis];
    };
    const met = Array.from({ length: size }, (_, k) => k).filter(meets);
    if (met.length === 0) return { start: 0, after: 0 };
    return {
      start: Math.min(met[0], Math.floor(padsBefore[axis] / dilations[axis])),
      after: Math.min(size - 1 - met[met.length - 1], Math.floor(padsAfter[axis] / dilations[axis])),
    };
  });
  return {
    starts: axes.map(({ start }) => start),
    kernel: kernel.map((size, axis) => size - axes[axis].start - axes[axis].after),
    pads: {
      padsBefore: padsBefore.map((before, axis) => before - axes[axis].start * dilations[axis]),
      padsAfter: padsAfter.map((amount, axis) => amount - axes[axis].after * dilations[axis]),
    },
  };
}

/** A part of the positions of weights [O, C, ...whole], and back. */
interface Positions {
  readonly starts: readonly number[];
  readonly kernel: readonly number[];
  readonly whole: readonly number[];
}

const selectPrimitive: Primitive<Positions> = {
  name: "selectPositions",
  moves: () => true,
  output: ([w], { kernel }) => ({ shape: [...w.shape.slice(0, 2), ...kernel], type: w.type }),
  uniform: ([w]) => w.uniform,
  jvp: ({ params }, [dw]) => select(dw!, params),
  transpose: ({ params }, c) => [unselect(c, params)],
  vectorize: ({ params, shape }, [w], _, size) => reshape(select(joined(w), params), [size, ...shape]),
  // A slice of short rows is slower than a product with 0 and 1, but for single elements.
  alternative({ inputs: [w], params, shape }) {
    const { kernel, starts, whole } = params;
    const step = sizeOf(whole);
    if (sizeOf(kernel) > 1) {
      return reshape(matmul(reshape(w, [sizeOf(w.shape) / step, step]), selector(params), { transposeB: true }), shape);
    }
    const flat = reshape(w, [sizeOf(w.shape)]);
    return reshape(slice(flat, { axis: 0, start: flatPosition(starts, whole), limit: sizeOf(w.shape), step }), shape);
  },
};

const unselectPrimitive: Primitive<Positions> = {
  name: "unselectPositions",
  output: ([w], { whole }) => ({ shape: [...w.shape.slice(0, 2), ...whole], type: w.type }),
  simplify: ([w], _, { shape }) => (w.uniform === 0 ? zeros(shape) : undefined),
  jvp: ({ params }, [dw]) => unselect(dw!, params),
  transpose: ({ params }, c) => [select(c, params)],
  vectorize: ({ params, shape }, [w], _, size) => reshape(unselect(joined(w), params), [size, ...shape]),
  alternative({ inputs: [w], params, shape }) {
    const K = sizeOf(params.kernel);
    return reshape(matmul(reshape(w, [sizeOf(w.shape) / K, K]), selector(params)), shape);
  },
};

/** K weights [K, O, C, ...kernel] as [K O, C, ...kernel]. */
function joined(w: Value): Value {
  const [size, O, ...rest] = w.shape;
  return reshape(w, [size * O, ...rest]);
}

function select(w: Value, positions: Positions): Value {
  return apply(selectPrimitive, [w], positions);
}

function unselect(w: Value, positions: Positions): Value {
  return apply(unselectPrimitive, [w], positions);
}

function flatPosition(position: readonly number[], whole: readonly number[]): number {
  return position.reduce((flat, k, axis) => flat * whole[axis] + k, 0);
}

/** [K', K], a row for each selected position with 1 where it is in the whole window. */
function selector({ starts, kernel, whole }: Positions): Value {
  const K = sizeOf(whole);
  const offsets = windowOffsets(kernel);
  const data = new Float64Array(offsets.length * K);
  offsets.forEach((offset, i) => {
    const position = offset.map((k, axis) => k + starts[axis]);
    data[i * K + flatPosition(position, whole)] = 1;
  });
  return constant({ data, dims: [offsets.length, K] });
}

/** The reached positions of weights [O, C, ...kernel]. */
export function selectPositions(w: Value, { starts, kernel }: ReachedPositions): Value {
  const whole = w.shape.slice(2);
  return kernel.every((size, axis) => size === whole[axis]) ? w : select(w, { starts, kernel, whole });
}

/** The transpose of `selectPositions`: zeros where a position is not reached. */
export function unselectPositions(w: Value, { starts, kernel }: ReachedPositions, whole: Shape): Value {
  return kernel.every((size, axis) => size === whole[axis]) ? w : unselect(w, { starts, kernel, whole });
}
