import { toDense } from "../../src/linalg/index.ts";
import { jacobian, type Risk } from "../../src/operators/index.ts";
import { column, type Matrix } from "../../src/tensors/index.ts";
import type { RiskCase } from "./riskCases.ts";
import { type Term, termPositions } from "./termReferences.ts";

/** The matrices of an objective, formed from the Jacobian's rows and the formulas of its loss. */
export interface DenseRisk {
  readonly loss: number;
  readonly gradient: Float64Array;
  readonly ggn: Matrix;
  readonly fisher: Matrix;
  readonly empiricalFisher: Matrix;
  readonly gradientCovariance: Matrix;
  readonly gradientSecondMoment: Matrix;
}

interface WeightedTerm extends Term {
  /** Row of the data. */
  readonly row: number;
  /** Rows of the Jacobian that belong to its outputs. */
  readonly positions: readonly number[];
}

/** Forms all matrices of a case for its outputs, row-major, and the risk's Jacobian. */
export async function denseRisk(riskCase: RiskCase, risk: Risk, outputs: Float64Array): Promise<DenseRisk> {
  const { output, axis, reference, denominator, weights } = riskCase;
  const J = await toDense(jacobian(risk));
  const positions = termPositions(output, axis);
  const perRow = positions.length / output[0];
  const terms = positions.map((own, t): WeightedTerm => {
    const row = Math.floor(t / perRow);
    const term = reference(
      own.map((i) => outputs[i]),
      t,
    );
    return { ...term, weight: term.weight * (weights?.[row] ?? 1), row, positions: own };
  });
  const c = 1 / denominator;
  const outer = (matrix: (term: WeightedTerm) => readonly (readonly number[])[]) =>
    sandwich(J, { terms, matrix: (term) => matrix(term).map((row) => row.map((x) => c * term.weight * x)) });
  const gradient = new Float64Array(risk.size);
  for (const { weight, gradient: g, positions: own } of terms)
    addRow(gradient, { J, positions: own, u: g.map((x) => c * weight * x) });
  return {
    loss: c * terms.reduce((sum, { weight, loss }) => sum + weight * loss, 0),
    gradient,
    ggn: outer(({ hessian }) => hessian),
    fisher: outer(({ fisher }) => fisher),
    empiricalFisher: outer(({ gradient: g }) => g.map((x) => g.map((y) => x * y))),
    gradientCovariance: covariance(J, { terms, mean: gradient, c, rows: output[0] }),
    gradientSecondMoment: covariance(J, { terms, mean: new Float64Array(risk.size), c, rows: output[0] }),
  };
}

/** J' diag(M_t) J. */
function sandwich(
  J: Matrix,
  {
    terms,
    matrix,
  }: {
    readonly terms: readonly WeightedTerm[];
    readonly matrix: (term: WeightedTerm) => readonly (readonly number[])[];
  },
): Matrix {
  const data = new Float64Array(J.columns ** 2);
  for (const term of terms) {
    const M = matrix(term);
    for (let k = 0; k < J.columns; k++) {
      const u = M.map((row) => row.reduce((sum, x, i) => sum + x * J.data[k * J.rows + term.positions[i]], 0));
      addRow(data.subarray(k * J.columns, (k + 1) * J.columns), { J, positions: term.positions, u });
    }
  }
  return { rows: J.columns, columns: J.columns, data };
}

/** sum += J' u for the rows of J of one term. */
function addRow(
  sum: Float64Array,
  { J, positions, u }: { readonly J: Matrix; readonly positions: readonly number[]; readonly u: readonly number[] },
): void {
  for (let k = 0; k < J.columns; k++) {
    const own = column(J, k);
    for (let i = 0; i < positions.length; i++) sum[k] += own[positions[i]] * u[i];
  }
}

/** 1 / rows sum over rows of (g - mean) (g - mean)', g being the gradient of a row. */
function covariance(
  J: Matrix,
  facts: {
    readonly terms: readonly WeightedTerm[];
    readonly mean: Float64Array;
    readonly c: number;
    readonly rows: number;
  },
): Matrix {
  const { terms, mean, c, rows } = facts;
  const size = J.columns;
  const data = new Float64Array(size * size);
  for (let row = 0; row < rows; row++) {
    const g = new Float64Array(size);
    for (const { weight, gradient: slope, positions } of terms.filter((term) => term.row === row))
      addRow(g, { J, positions, u: slope.map((x) => rows * c * weight * x) });
    for (let i = 0; i < size; i++)
      for (let j = 0; j < size; j++) data[i * size + j] += ((g[i] - mean[i]) * (g[j] - mean[j])) / rows;
  }
  return { rows: size, columns: size, data };
}
