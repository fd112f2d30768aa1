import { CurvatureError } from "../../errors/index.ts";
import { toPrecision, type Vector } from "../../tensors/index.ts";
import { damped } from "../algebra/damped.ts";
import { callMatvec, checkProducts } from "../operator/callOperator.ts";
import { checkNonnegative, checkVector, defaultTolerance, precision } from "../operator/checks.ts";
import type { LinearOperator, RunOptions } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { isInterruption, products } from "../runs/products.ts";
import { outcome, type Status } from "../runs/result.ts";
import { axpy, norm } from "../vectors/vector.ts";
import { bicgstab } from "./bicgstab.ts";
import { cg } from "./cg.ts";
import { cgls } from "./cgls.ts";
import { explainSolver, type SolverName } from "./explainSolver.ts";
import { gmres } from "./gmres.ts";
import { lsmr } from "./lsmr.ts";
import { minres } from "./minres.ts";
import { minresQlp } from "./minresQlp.ts";
import type { SolverResult } from "./solverMethod.ts";

/** Iterative methods by name. */
const METHODS = { bicgstab, cg, cgls, gmres, lsmr, minres, minresQlp } as const;

/** A method that can be asked for by name. */
export type SolverMethod = SolverName | keyof typeof METHODS;

/** Options of `solve`; a method takes those that it has. */
export interface SolveOptions extends RunOptions {
  /** Default: what `explainSolver` says. */
  readonly method?: SolverMethod | undefined;
  /** Added to the diagonal of a square A, and to that of `A' A` where A is not square; 0 by default. */
  readonly damping?: number | undefined;
  /** Bound on the residual norm over the norm of b: 1e-8 by default, 1e-4 for float32 operators. */
  readonly tolerance?: number | undefined;
  /** Most products; 1000 by default. */
  readonly matvecs?: number | undefined;
  readonly x0?: Vector | undefined;
  /** Operator close to the inverse, for `cg`, `minres`, `gmres` and `bicgstab`; for `lsmr` and `cgls` close to that of `A' A`. */
  readonly preconditioner?: LinearOperator | undefined;
}

/** A solution and the method that found it. */
export interface SolveResult extends SolverResult {
  readonly method: SolverMethod;
}

/**
 * Solution of `(A + damping I) x = b`, or minimizer of `||b - A x||^2 + damping ||x||^2` where A is not square, by the method that A's declared structure speaks for;
 * `explainSolver(A)` gives the method and the reason. Costs what that method costs; a closed inverse costs one product, for the residual. Where that method, not asked for
 * by name, is `cg` or `minres` and ends without a solution, as on singular systems, `minresQlp` goes on with the products that are left.
 *
 * @throws CurvatureError "argument", "shape", "numeric" or "unsupported" for what it cannot take; whatever the operator throws, with `state`
 */
export async function solve(A: LinearOperator, b: Vector, options: SolveOptions = {}): Promise<SolveResult> {
  checkOptions("solve", options, "method damping tolerance matvecs x0 preconditioner signal onProgress");
  const { method = explainSolver(A).method, damping = 0, ...rest } = options;
  checkNonnegative("solve", "damping", damping);
  if (method !== "inverse" && !Object.hasOwn(METHODS, method)) {
    const known = ["inverse", ...Object.keys(METHODS)].join(", ");
    throw new CurvatureError("argument", `solve expects method to be one of ${known}, got ${method}`);
  }
  const isLeastSquares = method === "lsmr" || method === "cgls";
  if (isLeastSquares && A.shape[0] !== A.shape[1]) {
    return { method, ...(await METHODS[method](A, b, { ...rest, damping })) };
  }
  const system = damping === 0 ? A : damped(A, damping);
  if (method === "inverse") return { method, ...(await byInverse(system, b, rest)) };
  const result: SolveResult = { method, ...(await METHODS[method](system, b, rest)) };
  return options.method === undefined ? withLeastResidual(system, b, { options: rest, result }) : result;
}

/** Endings that a singular system brings about. */
const SINGULAR_ENDINGS: ReadonlySet<Status> = new Set(["stagnated", "breakdown", "indefinite"]);

/**
 * The result, or where the method that the structure spoke for has come to no solution of a symmetric system: that of `minresQlp` with the products that
 * are left, if its residual is smaller. A positive semidefinite A may be singular, and b outside of its range.
 */
async function withLeastResidual(
  A: LinearOperator,
  b: Vector,
  { options, result }: { readonly options: Omit<SolveOptions, "method" | "damping">; readonly result: SolveResult },
): Promise<SolveResult> {
  const { preconditioner: _, ...others } = options;
  const left = (options.matvecs ?? 1000) - result.matvecs;
  const isSymmetric = result.method === "cg" || result.method === "minres";
  if (!isSymmetric || !SINGULAR_ENDINGS.has(result.status) || left < 3) return result;
  const least = await minresQlp(A, b, { ...others, matvecs: left });
  const matvecs = result.matvecs + least.matvecs;
  if (!(least.residualNorm < result.residualNorm)) return { ...result, matvecs };
  const message = `${result.method} ended as "${result.status}", so minresQlp went on: ${least.message}`;
  return { ...least, method: "minresQlp", matvecs, message };
}

/** `A^-1 b` from the operator's own inverse, with the residual that it leaves. */
async function byInverse(A: LinearOperator, b: Vector, options: SolveOptions): Promise<SolverResult> {
  if (!A.inverse) {
    throw new CurvatureError(
      "unsupported",
      'solve expects an operator with inverse() for method "inverse", got one without',
    );
  }
  checkVector("solve", b, { what: "b", length: A.shape[1] });
  const { tolerance = defaultTolerance(A), signal } = options;
  const right = toPrecision(b, precision(A));
  const x = await callMatvec(A.inverse({ damping: 0 }), right, { name: "solve", options: { signal } });
  checkProducts("solve", x, x.length);
  const run = products(A, { ...options, name: "solve", matvecs: 1 });
  const Ax = await run.matvec(x, () => undefined);
  if (isInterruption(Ax)) {
    const residualNorm = norm(right);
    return { x, residualNorm, ...outcome(Ax.status, { happened: Ax.happened, matvecs: run.used }) };
  }
  const residual = right.slice();
  axpy(-1, Ax, residual);
  const residualNorm = norm(residual);
  const happened = `residual norm ${residualNorm.toPrecision(3)} by the operator's own inverse, ${tolerance} ||b|| asked for`;
  const status = residualNorm <= tolerance * norm(right) ? "converged" : "stagnated";
  return { x, residualNorm, ...outcome(status, { happened, matvecs: run.used }) };
}
