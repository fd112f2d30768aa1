import type { Shape } from "../../src/graph/index.ts";

/** A tensor on the host, for references that are plain loops. */
export interface NdArray {
  readonly shape: Shape;
  readonly data: readonly number[];
}

/** All indices of a shape, row-major. */
export function indices(shape: Shape): number[][] {
  let all: number[][] = [[]];
  for (const dim of shape) all = all.flatMap((index) => Array.from({ length: dim }, (_, i) => [...index, i]));
  return all;
}

/** Element at an index; an axis of size 1 serves every index, and missing leading axes are allowed (broadcasting). */
export function at({ shape, data }: NdArray, index: readonly number[]): number {
  const own = index.slice(index.length - shape.length);
  return data[own.reduce((flat, i, axis) => flat * shape[axis] + (shape[axis] === 1 ? 0 : i), 0)];
}

/** A tensor from a function of the index. */
export function fill(shape: Shape, element: (index: number[]) => number): NdArray {
  return { shape, data: indices(shape).map(element) };
}

/** Applies a function of numbers to every element, operands broadcast. */
export function elementwise(f: (...numbers: number[]) => number): (...operands: NdArray[]) => NdArray {
  return (...operands) => {
    const rank = Math.max(...operands.map(({ shape }) => shape.length));
    const shape = Array.from({ length: rank }, (_, axis) =>
      Math.max(...operands.map((operand) => operand.shape[axis - rank + operand.shape.length] ?? 1)),
    );
    return fill(shape, (index) => f(...operands.map((operand) => at(operand, index))));
  };
}

/** Collapses some axes with a function of the elements along them. */
export function reduce(x: NdArray, axes: readonly number[], collapse: (elements: number[]) => number): NdArray {
  const removed = axes.map((axis) => (axis < 0 ? axis + x.shape.length : axis)).sort((a, b) => a - b);
  const kept = x.shape.filter((_, axis) => !removed.includes(axis));
  const along = indices(removed.map((axis) => x.shape[axis]));
  return fill(kept, (outer) =>
    collapse(
      along.map((inner) => {
        const rest = [...outer];
        const index = x.shape.map((_, axis) => (removed.includes(axis) ? inner[removed.indexOf(axis)] : rest.shift()!));
        return at(x, index);
      }),
    ),
  );
}

/** Sum of numbers. */
export const sum = (elements: readonly number[]) => elements.reduce((total, x) => total + x, 0);

/** One settings of sliding windows. */
export interface WindowSettings {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padsBefore: readonly number[];
  readonly padsAfter: readonly number[];
  readonly ceilMode?: boolean;
}

/** Number of windows, by trying one after the other. */
export function countWindows(spatial: Shape, settings: WindowSettings): number[] {
  const { kernel, strides, dilations, padsBefore, padsAfter, ceilMode = false } = settings;
  return spatial.map((dim, axis) => {
    let count = 0;
    for (let start = -padsBefore[axis]; ; start += strides[axis]) {
      const end = start + (kernel[axis] - 1) * dilations[axis];
      // In ceil mode one more window may reach beyond the padding if it begins within the input, or in the padding before.
      const begins = start < dim && end - strides[axis] < dim + padsAfter[axis] - 1;
      if (!(end < dim + padsAfter[axis] || (ceilMode && begins))) return count;
      count++;
    }
  });
}

/** Calls `visit` for every window j and position k in it that lies within the input, with the position there. */
export function forWindows(
  spatial: Shape,
  settings: WindowSettings,
  visit: (window: number[], offset: number[], position: number[]) => void,
): void {
  const { kernel, strides, dilations, padsBefore } = settings;
  for (const window of indices(countWindows(spatial, settings))) {
    for (const offset of indices(kernel)) {
      const position = window.map((j, axis) => j * strides[axis] + offset[axis] * dilations[axis] - padsBefore[axis]);
      if (position.every((p, axis) => p >= 0 && p < spatial[axis])) visit(window, offset, position);
    }
  }
}

/** The trilinear form of a convolution as its three maps, by plain loops. `missing` says which operand is the result. */
export function convolution(
  missing: "x" | "w" | "c",
  { x, w, c }: { readonly x: NdArray; readonly w: NdArray; readonly c: NdArray },
  settings: WindowSettings & { readonly groups: number },
): NdArray {
  const result = { x, w, c }[missing];
  const data = result.data.map(() => 0);
  const flat = (shape: Shape, index: readonly number[]) => index.reduce((sum, i, axis) => sum * shape[axis] + i, 0);
  const [O, members] = w.shape;
  const perGroup = O / settings.groups;
  forWindows(x.shape.slice(2), settings, (j, k, p) => {
    for (let n = 0; n < x.shape[0]; n++)
      for (let o = 0; o < O; o++)
        for (let i = 0; i < members; i++) {
          const xi = flat(x.shape, [n, Math.floor(o / perGroup) * members + i, ...p]);
          const wi = flat(w.shape, [o, i, ...k]);
          const ci = flat(c.shape, [n, o, ...j]);
          if (missing === "x") data[xi] += c.data[ci] * w.data[wi];
          else if (missing === "w") data[wi] += c.data[ci] * x.data[xi];
          else data[ci] += x.data[xi] * w.data[wi];
        }
  });
  return { shape: result.shape, data };
}

/** erf by its Taylor series below 3, by the continued fraction of erfc above: independent of rational approximations. */
export function erfReference(x: number): number {
  if (x < 0) return -erfReference(-x);
  if (x < 3) {
    // e^(-x^2) 2 / sqrt(pi) sum of 2^n x^(2n+1) / (2n+1)!!: all terms positive.
    let term = x;
    let total = x;
    for (let n = 1; n < 200; n++) {
      term *= (2 * x * x) / (2 * n + 1);
      total += term;
    }
    return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * total;
  }
  let fraction = 0;
  for (let n = 100; n >= 1; n--) fraction = n / 2 / (x + fraction);
  return 1 - Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + fraction);
}
