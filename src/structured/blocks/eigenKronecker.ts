import { CurvatureError } from "../../errors/index.ts";
import type { DenseMatrix } from "../../linalg/dense/index.ts";
import type { Block } from "./block.ts";
import { checkEntries, checkOrthogonal } from "./checkArrays.ts";
import { kroneckerSpectrum } from "./kroneckerBasis.ts";
import { clip, spectralBlock } from "./spectralBlock.ts";

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
 * @param parts Q_A [m, m] (the unit vectors if absent) and Q_B [n, n], orthogonal, and E [m, n], row-major. Q_A and Q_B are kept and must not
 *   change; negative eigenvalues in E that are rounding errors are taken as 0
 * @throws CurvatureError "shape" for parts that do not fit, "argument" for entries that are not finite, bases that are not orthogonal to 1e-6,
 *   or eigenvalues that are negative beyond 1e-4 of the largest
 */
export function eigenKronecker(parts: {
  readonly QA?: DenseMatrix | undefined;
  readonly QB: DenseMatrix;
  readonly E: Float64Array;
}): EigenKroneckerBlock {
  const { QA, QB } = parts;
  const { values: E, clipped } = clip("eigenKronecker", checkEntries("eigenKronecker", parts.E));
  const n = QB.rows;
  const m = QA?.rows ?? E.length / Math.max(n, 1);
  if (E.length !== m * n || (QA !== undefined && QA.columns !== m) || QB.columns !== n) {
    throw new CurvatureError(
      "shape",
      `eigenKronecker: bases must be square and E [m, n], got ${QA === undefined ? "no left basis" : `${QA.rows} x ${QA.columns}`}, ${QB.rows} x ${QB.columns} and ${E.length} eigenvalues`,
    );
  }
  for (const Q of [QA, QB]) if (Q !== undefined) checkOrthogonal("eigenKronecker", Q);
  const block = spectralBlock({
    kind: "eigenKronecker",
    size: m * n,
    hasSides: true,
    arrays: {
      ...(QA && { QA: { data: QA.data, dims: [m, m] } }),
      QB: { data: QB.data, dims: [n, n] },
      E: { data: E, dims: [m, n] },
    },
    spectrum: async () => kroneckerSpectrum({ values: E, clipped }, { QA, QB, sizes: { m, n } }),
  });
  return { ...block, kind: "eigenKronecker", QA, QB, E };
}
