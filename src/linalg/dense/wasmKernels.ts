import type { DenseKernels } from "./kernels.ts";
import { withHeap } from "./wasmHeap.ts";

/** Eigen 3.4 (Guennebaud, Jacob and others, eigen.tuxfamily.org) compiled to WebAssembly: on one thread, wherever JavaScript runs. */
export const wasmKernels: DenseKernels = {
  name: "eigen",
  eigh({ rows: n, data }) {
    return withHeap(`eigh of a ${n} x ${n} matrix`, ({ kernels, place, take }) => {
      const [a, values] = [place(data), place(n)];
      if (kernels.eigh(n, a, values) !== 0) return undefined;
      return { values: take(values, n), vectors: take(a, n * n) };
    });
  },
  tridiagonalEigh(diagonal, subdiagonal) {
    const n = diagonal.length;
    return withHeap(`tridiagonalEigh of a ${n} x ${n} matrix`, ({ kernels, place, take }) => {
      const [d, e, values, vectors] = [place(diagonal), place(subdiagonal), place(n), place(n * n)];
      if (kernels.tridiagonalEigh(n, d, e, values, vectors) !== 0) return undefined;
      return { values: take(values, n), vectors: take(vectors, n * n) };
    });
  },
  cholesky({ rows: n, data }) {
    return withHeap(`cholesky of a ${n} x ${n} matrix`, ({ kernels, place, take }) => {
      const a = place(data);
      const failed = kernels.cholesky(n, a);
      return { factor: take(a, n * n), failed };
    });
  },
  choleskySolve({ rows: n, data }, B) {
    return withHeap(`choleskySolve of ${n} x ${B.columns} right-hand sides`, ({ kernels, place, take }) => {
      const [l, b] = [place(data), place(B.data)];
      kernels.choleskySolve(n, B.columns, l, b);
      return take(b, n * B.columns);
    });
  },
  qr({ rows, columns, data }) {
    const p = Math.min(rows, columns);
    return withHeap(`qr of a ${rows} x ${columns} matrix`, ({ kernels, place, take }) => {
      const [a, q, r] = [place(data), place(rows * p), place(p * columns)];
      kernels.qr(rows, columns, a, q, r);
      return { Q: take(q, rows * p), R: take(r, p * columns) };
    });
  },
  svd({ rows, columns, data }) {
    const p = Math.min(rows, columns);
    return withHeap(`svd of a ${rows} x ${columns} matrix`, ({ kernels, place, take }) => {
      const [a, u, values, v] = [place(data), place(rows * p), place(p), place(columns * p)];
      if (kernels.svd(rows, columns, a, u, values, v) !== 0) return undefined;
      return { U: take(u, rows * p), values: take(values, p), V: take(v, columns * p) };
    });
  },
  realSchur({ rows: n, data }) {
    return withHeap(`realSchur of a ${n} x ${n} matrix`, ({ kernels, place, take }) => {
      const [a, q] = [place(data), place(n * n)];
      if (kernels.realSchur(n, a, q) !== 0) return undefined;
      return { T: take(a, n * n), Q: take(q, n * n) };
    });
  },
  eig({ rows: n, data }) {
    return withHeap(`eig of a ${n} x ${n} matrix`, ({ kernels, place, take }) => {
      const [a, real, imaginary] = [place(data), place(n), place(n)];
      if (kernels.eig(n, a, real, imaginary) !== 0) return undefined;
      return { real: take(real, n), imaginary: take(imaginary, n), vectors: take(a, n * n) };
    });
  },
};

/** The kernels of this environment: browsers have no others. */
export const denseKernels = async (): Promise<DenseKernels> => wasmKernels;
