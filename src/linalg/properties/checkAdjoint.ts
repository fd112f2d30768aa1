import { CurvatureError } from "../../errors/index.ts";
import { adjoint } from "../operator/adjoint.ts";
import { callMatmat } from "../operator/callOperator.ts";
import { checkOperator } from "../operator/checks.ts";
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

const NAME = "checkAdjoint";

/**
 * Test whether the adjoint of an operator A `[m, n]` is its transpose: `u' (A v) = (A' u)' v` for all pairs of `matvecs / 2` random u and
 * as many v, differences relative to the larger of `|u| |A v|` and `|A' u| |v|`. For an A that declares itself symmetric this tests the
 * symmetry. Costs `matvecs` products, half of them with A'.
 *
 * @throws CurvatureError "unsupported" where A is not symmetric and brings no adjoint, "shape" where the adjoint has another shape than
 * the transpose, "argument" for an option out of range, "aborted" when the signal stops it
 */
export async function checkAdjoint(A: LinearOperator, options: PropertyCheckOptions): Promise<PropertyCheck> {
  checkOptions(NAME, options, "seed matvecs tolerance signal onProgress");
  checkOperator(NAME, A);
  const plan = propertyCheckPlan(A, options, { name: NAME, needs: "needs products with A and A'" });
  const { seed, matvecs, tolerance, dtype, call } = plan;
  const transpose = adjoint(A);
  const [rows, columns] = A.shape;
  if (transpose.shape[0] !== columns || transpose.shape[1] !== rows) {
    const got = `[${transpose.shape.join(", ")}]`;
    throw new CurvatureError("shape", `${NAME} expects an adjoint of shape [${columns}, ${rows}], got ${got}`);
  }
  const count = Math.floor(matvecs / 2);
  const U = gaussianProbes({ rows, columns: count, dtype }, { seed, name: `${NAME} u` });
  const V = gaussianProbes({ rows: columns, columns: count, dtype }, { seed, name: `${NAME} v` });
  const [AV, AtU] = [await callMatmat(A, V, call), await callMatmat(transpose, U, call)];
  const [left, right] = [transposedProduct(U, AV).data, transposedProduct(AtU, V).data]; // [count, count]
  const [u, v, av, atu] = [columnNorms(U), columnNorms(V), columnNorms(AV), columnNorms(AtU)];
  const violations = Array.from(left, (value, at) => {
    const [i, j] = [at % count, Math.floor(at / count)];
    return relative(value - right[at], Math.max(u[i] * av[j], atu[i] * v[j]));
  });
  return verdict(violations, { law: "u' (A v) = (A' u)' v", tolerance, matvecs: 2 * count });
}
