import type { Matrix, Vector } from "../../../tensors/index.ts";
import { loopsWasm } from "./loopsWasm.ts";

// WebAssembly computes in memory of its own, so vectors pass through it block by block. A copy within the cache costs a tenth of
// what a loop of JavaScript takes for the same entries, and what remains is the time to read them from memory.

/** Functions of loops.cc for one kind of vector; every argument is a number, pointers are byte offsets into the module's memory. */
interface Kernels {
  dot(n: number, x: number, y: number): number;
  innerProducts(n: number, x: number, y: number, sums: number): void;
  combination(n: number, a: number, x: number, b: number, y: number, out: number): void;
  combinationSquared(n: number, a: number, x: number, b: number, y: number, out: number): number;
  axpy(n: number, a: number, x: number, y: number): void;
  addCompensated(n: number, x: number, sum: number, rest: number): void;
  scal(n: number, a: number, x: number): void;
  zeroIfFinite(n: number, x: number): number;
  project(n: number, columns: number, q: number, v: number, sums: number): void;
  accumulate(n: number, columns: number, q: number, c: number, target: number): void;
}

const NAMES = [
  "dot",
  "innerProducts",
  "combination",
  "combinationSquared",
  "axpy",
  "addCompensated",
  "scal",
  "zeroIfFinite",
  "project",
  "accumulate",
] as const satisfies readonly (keyof Kernels)[];

/** Columns that `project` and `accumulate` take at once: eight buffers, then one for the vector and one for numbers. */
const COLUMNS = 8;
const VECTOR = COLUMNS;
const NUMBERS = COLUMNS + 1;

/** One kind of vector in the module's memory. */
interface Lane extends Kernels {
  readonly at: readonly number[];
  readonly buffers: readonly Vector[];
}

/** The loops of `vector.ts` for long vectors. Vectors of different kinds are computed in float64. */
export interface StagedLoops {
  dot(x: Vector, y: Vector): number;
  innerProducts(x: Vector, y: Vector): { readonly xx: number; readonly xy: number; readonly yy: number };
  /** `out = a x + b y`, in the precision of all three where they agree; `out` may be x or y. */
  combination(a: number, x: Vector, b: number, y: Vector, out: Vector): void;
  /** `combination`, and `out' out`. */
  combinationSquared(a: number, x: Vector, b: number, y: Vector, out: Vector): number;
  axpy(a: number, x: Vector, y: Vector): void;
  addCompensated(x: Vector, sum: Vector, rest: Vector): void;
  scal(a: number, x: Vector): void;
  isFinite(x: Vector): boolean;
  /** `sums += Q' v`. */
  project(Q: Matrix, v: Vector, sums: Float64Array): void;
  /** `out = base + Q c`, summed in float64; base zero where it is left out. */
  accumulate(Q: Matrix, c: Vector, out: Vector, base?: Vector): void;
}

/** The loops, or nothing where the JavaScript engine or its security policy has no WebAssembly with SIMD. */
export function stagedLoops(): StagedLoops | undefined {
  try {
    const bytes = Uint8Array.from(atob(loopsWasm), (character) => character.charCodeAt(0));
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
    return loopsOf(exports as unknown as Exports);
  } catch {
    return undefined;
  }
}

type Exports = { readonly memory: WebAssembly.Memory; length(): number; buffer(index: number): number } & {
  readonly [name: string]: (...numbers: number[]) => number;
};

function lane(exports: Exports, View: typeof Float32Array | typeof Float64Array): Lane {
  const at = Array.from({ length: NUMBERS + 1 }, (_, index) => exports.buffer(index));
  const buffers = at.map((offset) => new View(exports.memory.buffer, offset, exports.length()));
  const kind = View === Float32Array ? 32 : 64;
  const kernels = Object.fromEntries(NAMES.map((name) => [name, exports[`${name}${kind}`]]));
  return { ...(kernels as unknown as Kernels), at, buffers };
}

function loopsOf(exports: Exports): StagedLoops {
  const single = lane(exports, Float32Array);
  const double = lane(exports, Float64Array);
  const length = exports.length();
  const numbers = double.buffers[NUMBERS];
  const areSingle = (...vectors: readonly Vector[]) => vectors.every((vector) => vector instanceof Float32Array);
  const laneOf = (...vectors: readonly Vector[]) => (areSingle(...vectors) ? single : double);
  const scaledLaneOf = (scales: readonly number[], ...vectors: readonly Vector[]) =>
    scales.every(fitsFloat32) ? laneOf(...vectors) : double;
  const inBlocks = (n: number, work: (start: number, count: number) => void) => {
    for (let start = 0; start < n; start += length) work(start, Math.min(length, n - start));
  };
  return {
    dot(x, y) {
      const { at, buffers, dot } = laneOf(x, y);
      let sum = 0;
      inBlocks(x.length, (start, count) => {
        put(buffers[0], x, start, count);
        if (x !== y) put(buffers[1], y, start, count);
        sum += dot(count, at[0], x === y ? at[0] : at[1]);
      });
      return sum;
    },
    innerProducts(x, y) {
      const { at, buffers, innerProducts } = laneOf(x, y);
      let [xx, xy, yy] = [0, 0, 0];
      inBlocks(x.length, (start, count) => {
        put(buffers[0], x, start, count);
        put(buffers[1], y, start, count);
        innerProducts(count, at[0], at[1], at[NUMBERS]);
        xx += numbers[0];
        xy += numbers[1];
        yy += numbers[2];
      });
      return { xx, xy, yy };
    },
    combination(a, x, b, y, out) {
      const { at, buffers, combination } = scaledLaneOf([a, b], x, y, out);
      inBlocks(x.length, (start, count) => {
        put(buffers[0], x, start, count);
        put(buffers[1], y, start, count);
        combination(count, a, at[0], b, at[1], at[2]);
        take(buffers[2], out, start, count);
      });
    },
    combinationSquared(a, x, b, y, out) {
      const { at, buffers, combinationSquared } = scaledLaneOf([a, b], x, y, out);
      let sum = 0;
      inBlocks(x.length, (start, count) => {
        put(buffers[0], x, start, count);
        put(buffers[1], y, start, count);
        sum += combinationSquared(count, a, at[0], b, at[1], at[2]);
        take(buffers[2], out, start, count);
      });
      return sum;
    },
    axpy(a, x, y) {
      // float32 added to float64: a copy that converts takes longer than the loop that reads both.
      if (y instanceof Float64Array && x instanceof Float32Array) {
        this.accumulate({ rows: x.length, columns: 1, data: x }, Float64Array.of(a), y, y);
        return;
      }
      const { at, buffers, axpy } = scaledLaneOf([a], x, y);
      inBlocks(y.length, (start, count) => {
        put(buffers[0], x, start, count);
        put(buffers[1], y, start, count);
        axpy(count, a, at[0], at[1]);
        take(buffers[1], y, start, count);
      });
    },
    addCompensated(x, sum, rest) {
      const { at, buffers, addCompensated } = laneOf(x, sum, rest);
      inBlocks(x.length, (start, count) => {
        put(buffers[0], x, start, count);
        put(buffers[1], sum, start, count);
        put(buffers[2], rest, start, count);
        addCompensated(count, at[0], at[1], at[2]);
        take(buffers[1], sum, start, count);
        take(buffers[2], rest, start, count);
      });
    },
    scal(a, x) {
      const { at, buffers, scal } = scaledLaneOf([a], x);
      inBlocks(x.length, (start, count) => {
        put(buffers[0], x, start, count);
        scal(count, a, at[0]);
        take(buffers[0], x, start, count);
      });
    },
    isFinite(x) {
      const { at, buffers, zeroIfFinite } = laneOf(x);
      let sum = 0;
      inBlocks(x.length, (start, count) => {
        put(buffers[0], x, start, count);
        sum += zeroIfFinite(count, at[0]);
      });
      return sum === 0;
    },
    project({ rows, columns, data }, v, sums) {
      const { at, buffers, project } = laneOf(data, v);
      inBlocks(rows, (start, count) => {
        put(buffers[VECTOR], v, start, count);
        for (let first = 0; first < columns; first += COLUMNS) {
          const some = Math.min(COLUMNS, columns - first);
          for (let j = 0; j < some; j++) put(buffers[j], data, (first + j) * rows + start, count);
          numbers.set(sums.subarray(first, first + some));
          project(count, some, at[0], at[VECTOR], at[NUMBERS]);
          sums.set(numbers.subarray(0, some), first);
        }
      });
    },
    accumulate({ rows, columns, data }, c, out, base) {
      const { at, buffers, accumulate } = laneOf(data);
      const target = double.buffers[VECTOR];
      inBlocks(rows, (start, count) => {
        if (base) put(target, base, start, count);
        else target.fill(0, 0, count);
        for (let first = 0; first < columns; first += COLUMNS) {
          const some = Math.min(COLUMNS, columns - first);
          for (let j = 0; j < some; j++) put(buffers[j], data, (first + j) * rows + start, count);
          numbers.set(c.subarray(first, first + some));
          accumulate(count, some, at[0], at[NUMBERS], double.at[VECTOR]);
        }
        take(target, out, start, count);
      });
    },
  };
}

/** Whether a factor is a normal number of float32, or zero. */
function fitsFloat32(factor: number): boolean {
  const size = Math.abs(factor);
  return size === 0 || (size > 1.2e-38 && size < 3.4e38);
}

function put(buffer: Vector, x: Vector, start: number, count: number): void {
  buffer.set(x.subarray(start, start + count));
}

function take(buffer: Vector, x: Vector, start: number, count: number): void {
  x.set(count === buffer.length ? buffer : buffer.subarray(0, count), start);
}
