import type { DenseKernels } from "./kernels.ts";

/** A Fortran routine of LAPACK: every argument by reference, as an array. */
type Routine = (...parameters: readonly (string | Int32Array | Float64Array)[]) => void;

/** LAPACK's routines that the kernels call, by their Fortran names. */
export interface Lapack {
  readonly dsyevd_: Routine;
  readonly dstevd_: Routine;
  readonly dpotrf_: Routine;
  readonly dpotrs_: Routine;
  readonly dgeqrf_: Routine;
  readonly dorgqr_: Routine;
  readonly dgesdd_: Routine;
  readonly dgees_: Routine;
  readonly dgeev_: Routine;
}

const int = (value: number) => Int32Array.of(value);

/** Runs a routine twice: for the size of its workspace, and with it. Gives its `info`, where a positive one means no convergence. */
function withWorkspace(
  call: (
    work: Float64Array,
    size: Int32Array,
    more: { iwork: Int32Array; liwork: Int32Array; info: Int32Array },
  ) => void,
): number {
  const info = int(0);
  const [query, iquery] = [new Float64Array(1), int(0)];
  call(query, int(-1), { iwork: iquery, liwork: int(-1), info });
  const work = new Float64Array(Math.max(query[0], 1));
  const iwork = new Int32Array(Math.max(iquery[0], 1));
  call(work, int(work.length), { iwork, liwork: int(iwork.length), info });
  return info[0];
}

/**
 * A system LAPACK, 4 to 6 times as fast as the WebAssembly kernels from some hundred rows on (Anderson and others, LAPACK Users' Guide, 1999).
 * It blocks the event loop as they do, on as many threads as the library takes: `OPENBLAS_NUM_THREADS` sets that of OpenBLAS.
 */
export function lapackKernels(lapack: Lapack): DenseKernels {
  return { name: "lapack", ...symmetricKernels(lapack), ...orthogonalKernels(lapack), ...spectralKernels(lapack) };
}

function symmetricKernels(
  lapack: Lapack,
): Pick<DenseKernels, "eigh" | "tridiagonalEigh" | "cholesky" | "choleskySolve"> {
  return {
    async eigh({ rows: n, data }) {
      // `data` is a copy of the caller's matrix already, and is overwritten: large matrices fit where a second one would not.
      const [vectors, values] = [data, new Float64Array(n)];
      const failed = withWorkspace((work, size, { iwork, liwork, info }) =>
        lapack.dsyevd_("V", "L", int(n), vectors, int(n), values, work, size, iwork, liwork, info),
      );
      return failed === 0 ? { values, vectors } : undefined;
    },
    async tridiagonalEigh(diagonal, subdiagonal) {
      const n = diagonal.length;
      const [values, vectors] = [diagonal.slice(), new Float64Array(n * n)];
      const e = new Float64Array(n);
      e.set(subdiagonal);
      const failed = withWorkspace((work, size, { iwork, liwork, info }) =>
        lapack.dstevd_("V", int(n), values, e, vectors, int(n), work, size, iwork, liwork, info),
      );
      return failed === 0 ? { values, vectors } : undefined;
    },
    async cholesky({ rows: n, data }) {
      const [factor, info] = [data.slice(), int(0)];
      lapack.dpotrf_("L", int(n), factor, int(n), info);
      // LAPACK's blocks may have updated no further than the pivot that failed, counted from 1.
      return { factor, failed: info[0] > 0 ? info[0] - 1 : -1 };
    },
    async choleskySolve({ rows: n, data }, B) {
      const X = B.data.slice();
      lapack.dpotrs_("L", int(n), int(B.columns), data, int(n), X, int(n), int(0));
      return X;
    },
  };
}

function orthogonalKernels(lapack: Lapack): Pick<DenseKernels, "qr" | "svd"> {
  return {
    async qr({ rows, columns, data }) {
      const p = Math.min(rows, columns);
      const [a, tau] = [data.slice(), new Float64Array(p)];
      withWorkspace((work, size, { info }) =>
        lapack.dgeqrf_(int(rows), int(columns), a, int(rows), tau, work, size, info),
      );
      const R = new Float64Array(p * columns);
      for (let j = 0; j < columns; j++) R.set(a.subarray(j * rows, j * rows + Math.min(j + 1, p)), j * p);
      const Q = a.slice(0, rows * p);
      withWorkspace((work, size, { info }) =>
        lapack.dorgqr_(int(rows), int(p), int(p), Q, int(rows), tau, work, size, info),
      );
      return { Q, R };
    },
    async svd({ rows, columns, data }) {
      const p = Math.min(rows, columns);
      const [a, values] = [data.slice(), new Float64Array(p)];
      const [U, transposed] = [new Float64Array(rows * p), new Float64Array(p * columns)];
      const iwork = new Int32Array(8 * p);
      const [m, n, ldv] = [int(rows), int(columns), int(p)];
      const failed = withWorkspace((work, size, { info }) =>
        lapack.dgesdd_("S", m, n, a, m, values, U, m, transposed, ldv, work, size, iwork, info),
      );
      if (failed !== 0) return undefined;
      const V = new Float64Array(columns * p);
      for (let j = 0; j < columns; j++) for (let i = 0; i < p; i++) V[i * columns + j] = transposed[j * p + i];
      return { U, values, V };
    },
  };
}

function spectralKernels(lapack: Lapack): Pick<DenseKernels, "realSchur" | "eig"> {
  return {
    async realSchur({ rows: n, data }) {
      const [T, Q] = [data.slice(), new Float64Array(n * n)];
      const [real, imaginary, none] = [new Float64Array(n), new Float64Array(n), new Int32Array(n)];
      // No ordering is asked for, so that neither the selecting function nor its answers are used.
      const failed = withWorkspace((work, size, { info }) =>
        lapack.dgees_("V", "N", none, int(n), T, int(n), int(0), real, imaginary, Q, int(n), work, size, none, info),
      );
      return failed === 0 ? { T, Q } : undefined;
    },
    async eig({ rows: n, data }) {
      const [a, vectors] = [data.slice(), new Float64Array(n * n)];
      const [real, imaginary, unused] = [new Float64Array(n), new Float64Array(n), new Float64Array(1)];
      const failed = withWorkspace((work, size, { info }) =>
        lapack.dgeev_("N", "V", int(n), a, int(n), real, imaginary, unused, int(1), vectors, int(n), work, size, info),
      );
      return failed === 0 ? { real, imaginary, vectors } : undefined;
    },
  };
}
