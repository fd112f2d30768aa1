import type { LinearOperator } from "../../src/linalg/index.ts";
import {
  empiricalFisher,
  fisher,
  ggn,
  gradientCovariance,
  gradientSecondMoment,
  hessian,
  type Risk,
} from "../../src/operators/index.ts";

/** Every symmetric matrix of a risk whose loss has a likelihood. */
export const allMatrices: Readonly<Record<string, (risk: Risk) => LinearOperator>> = {
  hessian,
  ggn,
  fisher2: (risk) => fisher(risk, { type: 2 }),
  fisher1: (risk) => fisher(risk, { type: 1, labels: "all" }),
  sampledFisher: (risk) => fisher(risk, { type: 1, labels: 3, seed: 5 }),
  empiricalFisher,
  gradientCovariance,
  gradientSecondMoment,
};

/** Whether every matrix is defined for the loss of a risk. */
export function withLikelihood({ lossFunction }: Risk): boolean {
  return lossFunction.likelihood?.scoreMoment !== undefined;
}
