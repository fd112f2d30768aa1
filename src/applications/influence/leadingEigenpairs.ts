import { CurvatureError } from "../../errors/index.ts";
import { type EigshResult, eigsh, type LinearOperator, type RunOptions } from "../../linalg/index.ts";
import { checkCount, checkSeed } from "../../linalg/operator/checks.ts";
import { multiply, transposedProduct } from "../../linalg/vectors/vector.ts";
import type { Matrix } from "../../tensors/index.ts";
import type { EigenpairSolver, MethodSetup, Solve } from "./solverOptions.ts";

/**
 * `sum_k u_k (u_k'b) / (lambda_k + damping)` over the eigenpairs of largest magnitude (Schioppa et al., 2022), plus `(b - U U'b) / damping` with the complement:
 * the inverse of `U diag(lambda) U' + damping I`, without the complement its part in the span of U. The eigenpairs are computed once.
 */
export function leadingEigenpairs(A: LinearOperator, setup: MethodSetup & EigenpairSolver): Solve {
  const { name, damping, count, rank, seed, complement = true, tolerance, matvecs } = setup;
  checkCount(name, "rank", rank);
  checkSeed(name, seed);
  if (complement && !(damping > 0)) {
    throw new CurvatureError(
      "argument",
      `${name} expects a positive damping for eigenpairs with the complement, got ${damping}; give damping, or complement: false`,
    );
  }
  let found: EigshResult | undefined;
  const pairs = async ({ signal, onProgress }: RunOptions) => {
    const result = await eigsh(A, {
      k: rank,
      which: "magnitude",
      seed,
      ...(tolerance !== undefined && { tolerance }),
      ...(matvecs !== undefined && { matvecs }),
      ...(signal && { signal }),
      ...(onProgress && { onProgress }),
    });
    count(result.matvecs);
    if (result.status === "aborted") throw new CurvatureError("aborted", result.message);
    return result;
  };
  return async (B, options) => {
    found ??= await pairs(options);
    const { values, vectors, status, message } = found;
    return {
      x: throughPairs(B, { vectors, values, damping, rest: complement ? 1 / damping : 0 }),
      status,
      happened: `${values.length} eigenpairs${complement ? " and damping on their complement" : ""}: ${message}`,
    };
  };
}

interface Model {
  readonly vectors: Matrix;
  readonly values: Float64Array;
  readonly damping: number;
  /** Inverse on the complement. */
  readonly rest: number;
}

/** `U diag(1 / (lambda + damping) - rest) U' B + rest B`. */
function throughPairs(B: Matrix, { vectors, values, damping, rest }: Model): Matrix {
  const coefficients = transposedProduct(vectors, B);
  const weighted = Float64Array.from(coefficients.data, (entry, i) => {
    const value = values[i % values.length]! + damping;
    return entry * (1 / value - rest);
  });
  const inside = multiply(vectors, { ...coefficients, data: weighted });
  return { ...B, data: Float64Array.from(inside.data, (entry, i) => entry + rest * B.data[i]!) };
}
