import { CurvatureError } from "../../errors/index.ts";
import type { DenseMatrix } from "../../linalg/dense/index.ts";
import type { Block } from "./block.ts";
import { checkEntries } from "./checkArrays.ts";
import { kroneckerSpectrum } from "./kroneckerBasis.ts";
import { spectralBlock } from "./spectralBlock.ts";

/** A block that is diagonal in a Kronecker-factored basis. */
export interface EigenKroneckerBlock extends Block {
  readonly kind: "eigenKronecker";
  readonly QA: DenseMatrix | undefined;
  readonly QB: DenseMatrix;
  readonly E: Float64Array;
}

/**
 * `(Q_A (x) Q_B) diag(E) (Q_A (x) Q_B)'` on matrices V [m, n], row-major (George et al., 2018). A product takes 2 m n (m + n) multiplications.
 *
 * @param parts Q_A [m, m] (the unit vectors if absent) and Q_B [n, n], orthogonal, and E [m, n], row-major
 * @throws CurvatureError "shape" or "argument" for parts that do not fit
 */
export function eigenKronecker(parts: {
  readonly QA?: DenseMatrix | undefined;
  readonly QB: DenseMatrix;
  readonly E: Float64Array;
}): EigenKroneckerBlock {
  const { QA, QB } = parts;
  const E = checkEntries("eigenKronecker", parts.E);
  const n = QB.rows;
  const m = QA?.rows ?? E.length / Math.max(n, 1);
  if (E.length !== m * n || (QA !== undefined && QA.columns !== m) || QB.columns !== n) {
    throw new CurvatureError(
      "shape",
      `eigenKronecker: bases must be square and E [m, n], got ${QA === undefined ? "no left basis" : `${QA.rows} x ${QA.columns}`}, ${QB.rows} x ${QB.columns} and ${E.length} eigenvalues`,
    );
  }
  const block = spectralBlock({
    kind: "eigenKronecker",
    size: m * n,
    arrays: {
      ...(QA && { QA: { data: QA.data, dims: [m, m] } }),
      QB: { data: QB.data, dims: [n, n] },
      E: { data: E, dims: [m, n] },
    },
    spectrum: async () => kroneckerSpectrum(E, { QA, QB, sizes: { m, n } }),
  });
  return { ...block, kind: "eigenKronecker", QA, QB, E };
}
