import { column, type Matrix } from "../../tensors/index.ts";
import { eig } from "../dense/index.ts";
import { dot, norm } from "../vectors/vector.ts";

/** Values of `which`, the default first. */
export const WHICH_COMPLEX = ["magnitude", "largestReal", "smallestReal", "largestImaginary"] as const;

/** Which eigenvalues of a matrix that is not symmetric: largest modulus, largest or smallest real part, or largest |imaginary part|. */
export type WhichComplex = (typeof WHICH_COMPLEX)[number];

/** Eigenpairs of a projected matrix. */
export interface RitzVectors {
  readonly real: Float64Array;
  readonly imaginary: Float64Array;
  /** `[m, m]`, real and imaginary parts in the columns of a pair, scaled to length 1 as complex vectors. */
  readonly coordinates: Matrix;
  readonly residualNorms: Float64Array;
  readonly scale: number;
}

/** Key that orders eigenvalues, the largest first. */
export const KEYS: Readonly<Record<WhichComplex, (real: number, imaginary: number) => number>> = {
  magnitude: Math.hypot,
  largestReal: (real) => real,
  smallestReal: (real) => -real,
  largestImaginary: (_, imaginary) => Math.abs(imaginary),
};

/** Eigenpairs of H, the most wanted first, the members of a pair side by side. */
export async function ritzVectors(
  { projected, coupling }: { readonly projected: Matrix; readonly coupling: Float64Array },
  which: WhichComplex,
): Promise<RitzVectors> {
  const { real, imaginary, vectors } = await eig(projected);
  const m = real.length;
  const heads = Array.from(real, (_, i) => i).filter((i) => !(imaginary[i]! < 0));
  heads.sort((i, j) => KEYS[which](real[j]!, imaginary[j]!) - KEYS[which](real[i]!, imaginary[i]!));
  const order = heads.flatMap((i) => (imaginary[i]! > 0 ? [i, i + 1] : [i]));
  const data = new Float64Array(m * m);
  const residualNorms = new Float64Array(m);
  order.forEach((from, to) => {
    const head = imaginary[from]! < 0 ? from - 1 : from;
    const parts = imaginary[from] === 0 ? [column(vectors, head)] : [column(vectors, head), column(vectors, head + 1)];
    const size = Math.hypot(...parts.map(norm));
    data.set(
      column(vectors, from).map((value) => value / size),
      to * m,
    );
    residualNorms[to] = Math.hypot(...parts.map((y) => dot(coupling, y) / size));
  });
  return {
    real: Float64Array.from(order, (i) => real[i]!),
    imaginary: Float64Array.from(order, (i) => imaginary[i]!),
    coordinates: { rows: m, columns: m, data },
    residualNorms,
    scale: order.reduce((so, i) => Math.max(so, Math.hypot(real[i]!, imaginary[i]!)), 0),
  };
}

/** This many, or one more where a pair would be cut. */
export function whole(count: number, { imaginary }: RitzVectors): number {
  return count < imaginary.length && count > 0 && imaginary[count - 1]! > 0 ? count + 1 : count;
}
