import { callMatmat } from "../operator/callOperator.ts";
import { checkSquare } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { transposedProduct } from "../vectors/vector.ts";
import {
  columnNorms,
  gaussianProbes,
  type PropertyCheck,
  type PropertyCheckOptions,
  propertyCheckPlan,
  relative,
  verdict,
} from "./propertyCheck.ts";

const NAME = "checkSymmetric";

/**
 * Test whether an operator A `[n, n]` is symmetric: `u' A v = v' A u` for all pairs of `matvecs` random vectors, differences relative to
 * `|u| |A v|`. What A declares of itself plays no part. Costs `matvecs` products.
 *
 * @throws CurvatureError "shape" where A is not square or a product has another length, "argument" for an option out of range or an operator
 * that returns the same array again, "aborted" when the signal stops it
 */
export async function checkSymmetric(A: LinearOperator, options: PropertyCheckOptions): Promise<PropertyCheck> {
  checkOptions(NAME, options, "seed matvecs tolerance signal onProgress");
  checkSquare(NAME, A);
  const plan = propertyCheckPlan(A, options, { name: NAME, needs: "compares pairs" });
  const { seed, matvecs, tolerance, dtype, call } = plan;
  const V = gaussianProbes({ rows: A.shape[1], columns: matvecs, dtype }, { seed, name: NAME });
  const Y = await callMatmat(A, V, call);
  const G = transposedProduct(V, Y).data; // [matvecs, matvecs], v_i' A v_j
  const [v, y] = [columnNorms(V), columnNorms(Y)];
  const violations: number[] = [];
  for (let j = 0; j < matvecs; j++) {
    for (let i = 0; i < j; i++) {
      const size = Math.max(v[i] * y[j], v[j] * y[i]);
      violations.push(relative(G[j * matvecs + i] - G[i * matvecs + j], size));
    }
  }
  return verdict(violations, { law: "u' A v = v' A u", tolerance, matvecs });
}
