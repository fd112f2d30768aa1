import type { LinearOperator } from "../../src/linalg/index.ts";
import type { Risk } from "../../src/operators/index.ts";
import * as operators from "../../src/operators/index.ts";

type Make = (risk: Risk) => LinearOperator;

/** Exports that make an operator of a risk: the matrices, and what is not a symmetric matrix over the parameters. */
type MadeOfRisk = {
  [name in keyof typeof operators]: (typeof operators)[name] extends (risk: Risk, ...rest: never[]) => LinearOperator
    ? name
    : never;
}[keyof typeof operators];

/** Every curvature matrix of the library. */
export type MatrixFunction = Exclude<MadeOfRisk, "curvatureMatrix" | "inputHessian" | "inputJacobian" | "jacobian">;

const { hessian, ggn, fisher, empiricalFisher, gradientCovariance, gradientSecondMoment } = operators;

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
