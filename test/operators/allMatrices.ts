import type { LinearOperator } from "../../src/linalg/index.ts";
import type { Risk } from "../../src/operators/index.ts";
import * as matrices from "../../src/operators/matrices.ts";

type Make = (risk: Risk) => LinearOperator;

/** Every curvature matrix of the library. */
export type MatrixFunction = keyof typeof matrices;

const { hessian, ggn, fisher, empiricalFisher, gradientCovariance, gradientSecondMoment } = matrices;

/** A row for each curvature matrix: under which names and options the property tests form it. */
const rows: { readonly [name in MatrixFunction]: Readonly<Record<string, Make>> } = {
  hessian: { hessian },
  ggn: { ggn },
  fisher: {
    fisher2: (risk) => fisher(risk, { type: 2 }),
    fisher1: (risk) => fisher(risk, { type: 1, labels: "all" }),
    sampledFisher: (risk) => fisher(risk, { type: 1, labels: 3, seed: 5 }),
  },
  empiricalFisher: { empiricalFisher },
  gradientCovariance: { gradientCovariance },
  gradientSecondMoment: { gradientSecondMoment },
};

/** Every symmetric matrix of a risk whose loss has a likelihood. */
export const allMatrices: Readonly<Record<string, Make>> = Object.assign({}, ...Object.values(rows));

/** Whether every matrix is defined for the loss of a risk. */
export function withLikelihood({ lossFunction }: Risk): boolean {
  return lossFunction.likelihood?.scoreMoment !== undefined;
}
