import { type Matrix, toPrecision, type Vector } from "../../tensors/index.ts";
import { eigh } from "../dense/index.ts";
import { callMatvec } from "../operator/callOperator.ts";
import { checkSquare, precision } from "../operator/checks.ts";
import type { LinearOperator, RunOptions } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { checkSignal } from "../operator/structure.ts";
import { hostArithmetic, isFiniteVector, norm, scaled, transposedProduct } from "../vectors/vector.ts";
import { gaussianProbes, type PropertyCheck, type PropertyCheckOptions, propertyCheckPlan } from "./propertyCheck.ts";

/**
 * Test whether an operator A `[n, n]` is positive semidefinite: the least value of `x' A x / x' x` on the Krylov space of a random vector,
 * relative to the largest absolute one. The Krylov space finds a negative eigenvalue that stands apart within a few products, where a
 * random x would see the mean of all eigenvalues. `worst` is how far that value is below zero. An A that is not symmetric is judged by
 * its symmetric part. Costs `matvecs` products, or n where that is less; keeps two vectors for each.
 *
 * @throws CurvatureError "shape" where A is not square, "argument" for an option out of range, "aborted" when the signal stops it
 */
export async function checkPsd(A: LinearOperator, options: PropertyCheckOptions): Promise<PropertyCheck> {
  checkOptions("checkPsd", options, "seed matvecs tolerance signal onProgress");
  checkSquare("checkPsd", A);
  const { seed, matvecs, tolerance, call } = propertyCheckPlan(A, options, { name: "checkPsd", matvecs: 20 });
  const { Q, AQ } = await krylovBasis(A, { seed, steps: Math.min(matvecs, A.shape[0]), ...call.options });
  if (!isFiniteVector(AQ.data)) {
    const message = "x' A x >= 0 fails: a product has entries that are infinite or NaN";
    return { passed: false, worst: Number.NaN, message, matvecs: Q.columns };
  }
  const { values } = await eigh(symmetrized(transposedProduct(Q, AQ)));
  const [least, largest] = [values[0], Math.max(-values[0], values.at(-1)!)];
  const worst = largest === 0 ? 0 : Math.max(0, -least / largest);
  const passed = worst <= tolerance;
  const ratio = least.toPrecision(3);
  const message = `x' A x >= 0 ${passed ? "holds" : "fails"} in the Krylov space of ${Q.columns} products: the least x' A x / x' x is ${ratio}, ${worst.toPrecision(3)} of the largest below zero, tolerance ${tolerance}`;
  return { passed, worst, message, matvecs: Q.columns };
}

/** Orthonormal basis Q `[n, k]` of the Krylov space of a random vector and its products A Q `[n, k]`; ends where the space does. */
async function krylovBasis(
  A: LinearOperator,
  { seed, steps, signal, onProgress }: RunOptions & { readonly seed: number; readonly steps: number },
): Promise<{ readonly Q: Matrix; readonly AQ: Matrix }> {
  const rows = A.shape[0];
  const dtype = precision(A);
  const [q, aq] = [new Float64Array(rows * steps), new Float64Array(rows * steps)];
  let next: Vector = gaussianProbes({ rows, columns: 1, dtype: "float64" }, { seed, name: "checkPsd" }).data;
  let done = 0;
  let size = norm(next);
  while (done < steps && size > 0) {
    checkSignal("checkPsd", signal, `${done} of ${steps} products`);
    const basisVector = scaled(1 / size, next);
    q.set(basisVector, done * rows);
    const product = Float64Array.from(
      await callMatvec(A, toPrecision(basisVector, dtype), { name: "checkPsd", options: { signal } }),
    );
    aq.set(product, done * rows);
    done++;
    onProgress?.({ stage: "checkPsd", done, total: steps });
    const Q = { rows, columns: done, data: q.subarray(0, done * rows) };
    next = product;
    // Twice is enough (Parlett, 1998, section 6.9): one pass leaves rounding errors of the size of the removed part.
    for (let pass = 0; pass < 2; pass++)
      next = await hostArithmetic.subtract(next, Q, await hostArithmetic.project(Q, next));
    size = norm(next);
    if (!(size > 1e-10 * norm(product))) break;
  }
  return {
    Q: { rows, columns: done, data: q.subarray(0, done * rows) },
    AQ: { rows, columns: done, data: aq.subarray(0, done * rows) },
  };
}

function symmetrized({ rows, data }: Matrix): Matrix {
  const result = data.map((value, at) => value / 2 + data[(at % rows) * rows + Math.floor(at / rows)] / 2);
  return { rows, columns: rows, data: result };
}
