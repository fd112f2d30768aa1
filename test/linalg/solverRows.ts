import {
  bicgstabSteps,
  cgColumnsSteps,
  cglsSteps,
  cgSteps,
  diagonal,
  gmresSteps,
  type LinearOperator,
  lsmrSteps,
  minresQlpSteps,
  minresSteps,
  multiShiftCgSteps,
  type Outcome,
  type RunOptions,
  richardsonSteps,
  type Status,
  steihaugSteps,
} from "../../src/linalg/index.ts";
import type * as systems from "../../src/linalg/systems/index.ts";
import type { Matrix, Vector } from "../../src/tensors/index.ts";
import { range } from "./knownOperators.ts";

// One row for each solver of linear systems. The table of structures, the contract and the file store take all of them.

/** What every solver takes. */
export interface RowOptions extends RunOptions {
  readonly matvecs?: number;
  readonly tolerance?: number;
  readonly state?: never;
}

/** What every solver gives: a solution, or several of which the first counts. */
export interface Solution extends Outcome {
  readonly x: Vector | Matrix;
  readonly residualNorm?: number;
  readonly residualNorms?: Float64Array;
}

/** What the matrix and the right-hand side have in common that decides whether a solver can do it. */
export type Structure =
  | "definite"
  | "ill-conditioned"
  | "indefinite"
  | "singular, b in the range"
  | "singular, b outside of the range"
  | "zero"
  | "not symmetric"
  | "not symmetric, singular";

/** Statuses in which a run on each structure may end; or it is refused at the door, since the operator declares that it is not symmetric. */
type Endings = Readonly<Record<Structure, readonly (Status | "refused")[]>>;

/** Products that the solver's documentation speaks of. */
export interface Cost {
  readonly step: number;
  readonly start?: number;
  /** For the residual that is computed from x when the recurrence says that it has converged. */
  readonly end: number;
  /** Residuals on the way: how many in so many steps. */
  readonly onTheWay?: (steps: number) => number;
}

/** A solver. */
export interface SolverRow {
  readonly cost: Cost;
  readonly steps: (A: LinearOperator, b: Vector, options: RowOptions) => AsyncGenerator<unknown, Solution, void>;
  readonly endings: Endings;
  /** Whether it finds the shortest minimizer of `||b - A x||` where there is no solution, and takes any shape. */
  readonly leastSquares?: true;
  /** Whether it takes rectangular operators. */
  readonly rectangular?: true;
  /** The method that speaks of its products, where it is another one. */
  readonly speaksAs?: string;
}

/** Of a method that needs a positive definite matrix and symmetric products. */
const definiteOnly: Endings = {
  definite: ["converged"],
  "ill-conditioned": ["converged"],
  indefinite: ["indefinite"],
  "singular, b in the range": ["converged"],
  "singular, b outside of the range": ["breakdown", "indefinite", "stagnated"],
  zero: ["breakdown"],
  "not symmetric": ["refused"],
  "not symmetric, singular": ["refused"],
};
const symmetric: Endings = {
  ...definiteOnly,
  indefinite: ["converged"],
  "singular, b outside of the range": ["stagnated"],
  zero: ["stagnated", "breakdown"],
};
const anySquare: Endings = {
  ...symmetric,
  "singular, b outside of the range": ["breakdown", "stagnated", "budget"],
  "not symmetric": ["converged"],
  "not symmetric, singular": ["breakdown", "stagnated", "budget"],
};
const leastSquares: Endings = {
  ...anySquare,
  "singular, b outside of the range": ["converged"],
  zero: ["converged"],
  "not symmetric, singular": ["converged"],
};

const oneAndOne: Cost = { step: 1, end: 1 };
/** One with A and one with its transpose; the residual and that of the normal equations. */
const normalEquations: Cost = { step: 2, start: 1, end: 2 };
const every = (period: number) => (steps: number) => Math.floor(steps / period);

/** Half of the identity: a preconditioner that changes nothing but the arithmetic. */
const halving = (n: number) => diagonal(range(n, () => 0.5));

/** Every solver of the library, by its steps. */
type Solver = {
  [name in keyof typeof systems]: name extends `${infer solver}Steps` ? solver : never;
}[keyof typeof systems];

/** All solvers; another name after a comma is the same one with other options. */
export const solverRows: Readonly<Record<string, SolverRow> & Record<Solver, SolverRow>> = {
  cg: {
    cost: { ...oneAndOne, onTheWay: every(20) },
    steps: (A, b, o) => cgSteps(A, b, { recompute: 20, ...o }),
    endings: definiteOnly,
  },
  "cg, preconditioned": {
    cost: { ...oneAndOne, onTheWay: every(50) },
    steps: (A, b, o) => cgSteps(A, b, { preconditioner: halving(b.length), ...o }),
    endings: definiteOnly,
  },
  cgColumns: {
    cost: { ...oneAndOne, onTheWay: every(50) },
    steps: (A, b, o) => cgColumnsSteps(A, { rows: b.length, columns: 1, data: b }, o),
    endings: definiteOnly,
    speaksAs: "cg",
  },
  multiShiftCg: {
    cost: { step: 1, end: 2 },
    steps: (A, b, o) => multiShiftCgSteps(A, b, { dampings: [0, 1], ...o }),
    endings: definiteOnly,
  },
  steihaug: {
    cost: { step: 1, end: 0 },
    steps: (A, b, o) =>
      steihaugSteps(
        A,
        b.map((value) => -value),
        { radius: 1e9, ...o },
      ),
    // It follows a direction without curvature to the boundary, which is what is asked of it.
    endings: {
      ...definiteOnly,
      indefinite: ["converged"],
      "singular, b outside of the range": ["converged"],
      zero: ["converged"],
    },
  },
  minres: { cost: oneAndOne, steps: minresSteps, endings: symmetric },
  "minres, preconditioned": {
    cost: oneAndOne,
    steps: (A, b, o) => minresSteps(A, b, { preconditioner: halving(b.length), ...o }),
    endings: symmetric,
  },
  minresQlp: {
    cost: { step: 1, end: 2 },
    steps: minresQlpSteps,
    // It minimizes ||r||, which tells ||A r|| to half of the digits.
    endings: { ...symmetric, "singular, b outside of the range": ["converged", "stagnated"], zero: ["converged"] },
    leastSquares: true,
  },
  lsmr: { cost: normalEquations, steps: lsmrSteps, endings: leastSquares, leastSquares: true, rectangular: true },
  "lsmr, preconditioned": {
    cost: normalEquations,
    steps: (A, b, o) => lsmrSteps(A, b, { preconditioner: halving(A.shape[1]), ...o }),
    endings: leastSquares,
    leastSquares: true,
    rectangular: true,
  },
  cgls: { cost: normalEquations, steps: cglsSteps, endings: leastSquares, leastSquares: true, rectangular: true },
  "cgls, preconditioned": {
    cost: normalEquations,
    steps: (A, b, o) => cglsSteps(A, b, { preconditioner: halving(A.shape[1]), ...o }),
    endings: leastSquares,
    leastSquares: true,
    rectangular: true,
  },
  gmres: { cost: { ...oneAndOne, onTheWay: every(30) }, steps: gmresSteps, endings: anySquare },
  "gmres, restarted": {
    cost: { ...oneAndOne, onTheWay: every(6) },
    steps: (A, b, o) => gmresSteps(A, b, { basisSize: 6, ...o }),
    endings: {
      ...anySquare,
      "ill-conditioned": ["converged", "stagnated", "budget"],
      indefinite: ["converged", "stagnated", "budget"],
      "not symmetric": ["converged", "stagnated", "budget"],
    },
  },
  bicgstab: { cost: { step: 2, end: 1 }, steps: bicgstabSteps, endings: anySquare },
  richardson: {
    cost: oneAndOne,
    steps: (A, b, o) => richardsonSteps(A, b, { scale: 0.5, ...o }),
    endings: {
      definite: ["converged"],
      "ill-conditioned": ["budget"],
      indefinite: ["breakdown", "stagnated"],
      "singular, b in the range": ["converged"],
      "singular, b outside of the range": ["stagnated", "budget"],
      zero: ["stagnated", "budget"],
      "not symmetric": ["converged", "breakdown"],
      "not symmetric, singular": ["breakdown", "stagnated", "budget"],
    },
  },
};

/** The x of a result, the first column where there are several. */
export function firstSolution({ x }: Solution): Vector {
  return ArrayBuffer.isView(x) ? x : x.data.subarray(0, x.rows);
}

/** The residual norm that belongs to it. */
export function firstResidualNorm({ residualNorm, residualNorms }: Solution): number {
  return residualNorm ?? residualNorms![0]!;
}

/** Steps that a run had made when it gave this state, its n-th. */
export function stepsMade(state: unknown, n: number): number {
  const { steps, states } = state as { steps?: number; states?: readonly { steps: number }[] };
  return steps ?? states?.[0]?.steps ?? n;
}
