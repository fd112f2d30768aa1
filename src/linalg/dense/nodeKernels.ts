import { memoized } from "../../concurrency/index.ts";
import { foreignFunctions } from "../../foreign/index.ts";
import type { DenseKernels } from "./kernels.ts";
import { type Lapack, lapackKernels } from "./lapackKernels.ts";
import { wasmKernels } from "./wasmKernels.ts";

/** Names under which systems have LAPACK, the fastest first. */
const LIBRARIES = ["libopenblas.so.0", "libopenblas.dylib", "liblapack.so.3"];

const POINTER = "void *";
const TEXT = "const char *";

/** Arguments of each routine: texts first, then pointers. A text's hidden length is not passed; no LAPACK reads beyond its first letter. */
const ROUTINES: Readonly<Record<keyof Lapack, readonly [texts: number, pointers: number]>> = {
  dsyevd_: [2, 9],
  dstevd_: [1, 10],
  dpotrf_: [1, 4],
  dpotrs_: [1, 7],
  dgeqrf_: [0, 8],
  dorgqr_: [0, 9],
  dgesdd_: [1, 13],
  dgees_: [2, 13],
  dgeev_: [2, 12],
};

/**
 * The kernels of Node: a system LAPACK where the optional package koffi and the library are there, else WebAssembly. The environment variable
 * ONNX_CURVATURE_DENSE settles it: "eigen" for WebAssembly, "lapack" for LAPACK or an error. Decided once.
 */
export const denseKernels = memoized(async (): Promise<DenseKernels> => {
  const wanted = process.env.ONNX_CURVATURE_DENSE;
  if (wanted === "eigen") return wasmKernels;
  const lapack = await systemLapack();
  if (lapack) return lapackKernels(lapack);
  if (wanted !== "lapack") return wasmKernels;
  const { CurvatureError } = await import("../../errors/index.ts");
  const message = `ONNX_CURVATURE_DENSE=lapack expects the package koffi and one of ${LIBRARIES.join(", ")}, found none`;
  throw new CurvatureError("runtime", `${message}; install them or leave the variable out`);
});

/** LAPACK's routines, or nothing where the package or every library is missing. */
async function systemLapack(): Promise<Lapack | undefined> {
  try {
    const koffi = await foreignFunctions();
    for (const name of LIBRARIES) {
      try {
        const library = koffi.load(name);
        const routines = Object.entries(ROUTINES).map(([routine, [texts, pointers]]) => {
          const parameters = [...new Array(texts).fill(TEXT), ...new Array(pointers).fill(POINTER)];
          return [routine, library.func(routine, "void", parameters)];
        });
        return Object.fromEntries(routines) as Lapack;
      } catch {
        // Not on this system: the next name may be.
      }
    }
  } catch {
    // The package is optional.
  }
  return undefined;
}
