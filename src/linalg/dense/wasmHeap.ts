import { CurvatureError } from "../../errors/index.ts";
import { eigenWasm } from "./eigenWasm.ts";

/** Functions of eigen.cc; every argument and result is a number, pointers are byte offsets into `memory`. */
export interface Kernels {
  readonly memory: WebAssembly.Memory;
  _initialize(): void;
  allocate(bytes: number): number;
  release(pointer: number): void;
  eigh(n: number, a: number, values: number): number;
  tridiagonalEigh(n: number, diagonal: number, subdiagonal: number, values: number, vectors: number): number;
  cholesky(n: number, a: number): number;
  choleskySolve(n: number, columns: number, l: number, b: number): void;
  qr(rows: number, columns: number, a: number, q: number, r: number): void;
  svd(rows: number, columns: number, a: number, u: number, values: number, v: number): number;
  realSchur(n: number, a: number, vectors: number): number;
  eig(n: number, a: number, real: number, imaginary: number): number;
}

/** Arrays in the memory of the kernels while one call runs. */
export interface Heap {
  readonly kernels: Kernels;
  /** Address of a fresh array of float64 that holds `source`, or of undefined contents where only a length is given. */
  place(source: ArrayLike<number> | number): number;
  /** Copy of `length` float64 from an address. */
  take(pointer: number, length: number): Float64Array;
}

/** An instance above this size is dropped after the call: WebAssembly memory never shrinks, and a new instance takes 3 ms. */
const KEPT_BYTES = 64 * 2 ** 20;

/** Writing to files, which the C++ runtime links and the kernels never do. */
const noFiles = { fd_close: () => 8, fd_seek: () => 8, fd_write: () => 8 };

let module: Promise<WebAssembly.Module> | undefined;
let instance: Promise<Kernels> | undefined;

async function instantiate(): Promise<Kernels> {
  try {
    module ??= WebAssembly.compile(Uint8Array.from(atob(eigenWasm), (character) => character.charCodeAt(0)));
    const { exports } = await WebAssembly.instantiate(await module, { wasi_snapshot_preview1: noFiles });
    const kernels = exports as unknown as Kernels;
    kernels._initialize();
    return kernels;
  } catch (cause) {
    module = instance = undefined;
    const message =
      "dense factorizations need WebAssembly with SIMD, which this JavaScript engine or its security policy refuses";
    throw new CurvatureError("runtime", `${message}; use a newer engine or allow 'wasm-unsafe-eval'`, { cause });
  }
}

function outOfMemory(task: string, cause?: unknown): CurvatureError {
  const message = `${task} does not fit into the memory of WebAssembly; use an iterative method on the operator instead`;
  return new CurvatureError("numeric", message, cause === undefined ? {} : { cause });
}

/**
 * Runs one call of the kernels; whatever it placed in their memory is freed when `work` returns or throws. `work` is synchronous, so
 * calls never interleave on the one instance that they share.
 *
 * @param task what is computed, as the messages say it: "eigh of a 3000 x 3000 matrix"
 * @throws CurvatureError "numeric" where memory runs out, "runtime" where the engine has no WebAssembly with SIMD
 */
export async function withHeap<Result>(task: string, work: (heap: Heap) => Result): Promise<Result> {
  let current: Promise<Kernels>;
  let kernels: Kernels;
  do {
    current = instance ??= instantiate();
    kernels = await current;
  } while (instance !== current); // another call dropped it meanwhile
  const { heap, release } = openHeap(task, kernels);
  try {
    return work(heap);
  } catch (error) {
    if (!(error instanceof WebAssembly.RuntimeError)) throw error;
    // Eigen stops the module where it cannot have its workspace; what such an instance holds is undefined.
    instance = undefined;
    throw outOfMemory(task, error);
  } finally {
    if (instance === current) release();
    if (kernels.memory.buffer.byteLength > KEPT_BYTES) instance = undefined;
  }
}

function openHeap(task: string, kernels: Kernels): { readonly heap: Heap; readonly release: () => void } {
  const pointers: number[] = [];
  const place = (source: ArrayLike<number> | number) => {
    const length = typeof source === "number" ? source : source.length;
    const bytes = Math.max(length, 1) * 8;
    // Above 2 GB pointers come back negative, and sizes above 4 GB would wrap around.
    const pointer = bytes < 2 ** 32 ? kernels.allocate(bytes) >>> 0 : 0;
    if (pointer === 0) throw outOfMemory(task);
    pointers.push(pointer);
    // Each view is made anew: an allocation may have grown the memory, which detaches older views.
    if (typeof source !== "number") new Float64Array(kernels.memory.buffer, pointer, length).set(source);
    return pointer;
  };
  const take = (pointer: number, length: number) => new Float64Array(kernels.memory.buffer, pointer, length).slice();
  const release = () => {
    for (const pointer of pointers) kernels.release(pointer);
  };
  return { heap: { kernels, place, take }, release };
}
