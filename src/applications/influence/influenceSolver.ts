import { CurvatureError } from "../../errors/index.ts";
import {
  cgColumns,
  damped,
  dense,
  type LinearOperator,
  matmat,
  minres,
  type RunOptions,
  type Status,
  toDense,
} from "../../linalg/index.ts";
import { checkChoice } from "../../linalg/operator/checks.ts";
import { norm } from "../../linalg/vectors/vector.ts";
import { column, type Matrix, zeros } from "../../tensors/index.ts";
import { leadingEigenpairs } from "./leadingEigenpairs.ts";
import { lissa } from "./lissa.ts";
import type {
  EigenpairSolver,
  InfluenceSolver,
  IterativeSolver,
  LissaSolver,
  MethodSetup,
  SampledRows,
  Solve,
} from "./solverOptions.ts";
import { stochasticLissa } from "./stochasticLissa.ts";

/** A solver of `(A + damping I) X = B`. */
export interface PreparedSolver {
  readonly method: string;
  /** Why this method. */
  readonly why: string;
  readonly solve: Solve;
  /** Products with A so far. */
  matvecs(): number;
}

/** What a solver is made for. */
export interface SolverSetup {
  /** The function that the user called, for messages. */
  readonly name: string;
  readonly damping: number;
  readonly solver: InfluenceSolver | undefined;
  readonly rows: SampledRows;
}

/** Most weights of a matrix that is formed. */
const MOST_DENSE = 8192;

const METHODS = ["inverse", "dense", "cg", "minres", "lissa", "eigenpairs"] as const;

/**
 * The solver that is asked for; without a wish the operator's own inverse where it has one, `cg` for a positive semidefinite matrix, and `minres` for a
 * symmetric one.
 *
 * @throws CurvatureError "argument" for an unknown method, "unsupported" for "inverse" where the operator has none
 */
export function influenceSolver(A: LinearOperator, setup: SolverSetup): PreparedSolver {
  const { name, solver } = setup;
  const [chosen, why] = solver === undefined ? chosenFor(A) : [solver, "as asked for"];
  const options = typeof chosen === "string" ? { method: chosen } : chosen;
  checkChoice(name, "solver", String(options?.method), METHODS);
  const { method } = options;
  let matvecs = 0;
  const count = (products: number) => {
    matvecs += products;
  };
  const own = { ...setup, count };
  const solve = {
    inverse: () => byInverse(A, own),
    dense: () => byDense(A, own),
    cg: () => byCg(A, { ...own, ...(options as IterativeSolver) }),
    minres: () => byMinres(A, { ...own, ...(options as IterativeSolver) }),
    lissa: () => byLissa(A, { ...own, ...(options as LissaSolver) }),
    eigenpairs: () => leadingEigenpairs(A, { ...own, ...(options as EigenpairSolver) }),
  }[method]();
  return { method, why, solve, matvecs: () => matvecs };
}

function byLissa(A: LinearOperator, setup: MethodSetup & LissaSolver): Solve {
  return setup.batchRows === undefined ? lissa(A, setup) : stochasticLissa(A, { ...setup, batchRows: setup.batchRows });
}

function chosenFor(A: LinearOperator): readonly [InfluenceSolver, string] {
  if (A.inverse !== undefined) return ["inverse", "the matrix has its inverse in closed form"];
  if (A.psd) return ["cg", "the matrix is positive semidefinite"];
  return ["minres", "the matrix is symmetric and may be indefinite"];
}

function byInverse(A: LinearOperator, { name, damping }: MethodSetup): Solve {
  if (A.inverse === undefined) {
    throw new CurvatureError(
      "unsupported",
      `${name} expects a matrix with inverse() for solver "inverse", got one without; take "cg", or kfac, ekfac, dense or gramGgn`,
    );
  }
  const inverse = A.inverse({ damping });
  return async (B, options) => ({
    x: await matmat(inverse, B, options),
    status: "converged",
    happened: "solved by the matrix's own inverse",
  });
}

function byDense(A: LinearOperator, { name, damping, count }: MethodSetup): Solve {
  if (A.shape[0] > MOST_DENSE) {
    throw new CurvatureError(
      "argument",
      `${name}: solver "dense" takes at most ${MOST_DENSE} weights, got ${A.shape[0]}; take "cg", or kfac or ekfac as the matrix`,
    );
  }
  let made: Promise<LinearOperator> | undefined;
  const formed = async (options: RunOptions) => {
    const matrix = await toDense(A, options);
    count(A.shape[0]);
    return dense({ ...matrix, data: Float64Array.from(matrix.data) }, { symmetric: true }).inverse!({ damping });
  };
  return async (B, options) => {
    made ??= formed(options);
    made.catch(() => {
      made = undefined;
    });
    return {
      x: await matmat(await made, B, options),
      status: "converged",
      happened: "solved by the eigendecomposition of the matrix",
    };
  };
}

function byCg(A: LinearOperator, setup: MethodSetup & IterativeSolver): Solve {
  const { name, damping, count, method: _, matvecs = 1000, tolerance, preconditioner } = setup;
  const shifted = damped(A, damping);
  return async (B, { signal, onProgress }) => {
    const result = await cgColumns(shifted, B, {
      matvecs: matvecs * B.columns,
      ...(tolerance !== undefined && { tolerance }),
      ...(preconditioner !== undefined && { preconditioner }),
      ...(signal && { signal }),
      ...(onProgress && { onProgress }),
    });
    count(result.matvecs);
    if (result.status === "aborted") throw new CurvatureError("aborted", result.message);
    if (result.status === "indefinite") {
      throw new CurvatureError(
        "numeric",
        `${name} found negative curvature at damping ${damping}: ${result.message}; take solver "minres", the matrix ggn(risk), or a damping above the size of the most negative eigenvalue`,
      );
    }
    return {
      x: result.x,
      residuals: relativeResiduals(B, result.residualNorms),
      status: result.status,
      happened: result.message,
    };
  };
}

function byMinres(A: LinearOperator, setup: MethodSetup & IterativeSolver): Solve {
  const { damping, count, matvecs = 1000, tolerance, preconditioner } = setup;
  const shifted = damped(A, damping);
  return async (B, { signal, onProgress }) => {
    const x = { ...B, data: zeros(B.data.length, A.dtype) };
    const norms = new Float64Array(B.columns);
    let [status, happened]: [Status, string] = ["converged", `${B.columns} systems are solved`];
    for (let k = 0; k < B.columns; k++) {
      const result = await minres(shifted, column(B, k).slice(), {
        matvecs,
        ...(tolerance !== undefined && { tolerance }),
        ...(preconditioner !== undefined && { preconditioner }),
        ...(signal && { signal }),
      });
      count(result.matvecs);
      if (result.status === "aborted") throw new CurvatureError("aborted", result.message);
      x.data.set(result.x, k * B.rows);
      norms[k] = result.residualNorm;
      if (result.status !== "converged") [status, happened] = [result.status, result.message];
      onProgress?.({ stage: "minres", done: k + 1, total: B.columns });
    }
    return { x, residuals: relativeResiduals(B, norms), status, happened };
  };
}

function relativeResiduals(B: Matrix, norms: Float64Array): Float64Array {
  return norms.map((residual, k) => {
    const size = norm(column(B, k));
    return size === 0 ? 0 : residual / size;
  });
}
