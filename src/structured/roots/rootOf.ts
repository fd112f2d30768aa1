import { CurvatureError } from "../../errors/index.ts";
import type { Likelihood } from "../../losses/index.ts";
import type { Risk } from "../../operators/engine/risk.ts";
import type { FisherOptions } from "../../operators/fisher.ts";
import { empiricalRoot } from "./empiricalRoot.ts";
import { expectedHessianRoot, lossHessianRoot } from "./hessianRoots.ts";
import type { OutputRoot } from "./outputRoot.ts";
import { rowRoot } from "./rowRoot.ts";
import { sampledRoot } from "./sampledRoot.ts";

/**
 * The matrix that is approximated: the generalized Gauss-Newton matrix, the empirical Fisher matrix, or a Fisher matrix as `fisher` takes
 * it.
 */
export type ApproximatedMatrix = "ggn" | "empiricalFisher" | FisherOptions;

/** An approximated matrix, or the gradients of whole rows. */
export type PieceSource = ApproximatedMatrix | "rowGradients";

/**
 * The root of the output matrix of a curvature matrix.
 *
 * @throws CurvatureError "unsupported" for a loss without a likelihood, or the Gauss-Newton matrix of a loss that is not convex;
 *   "argument" for anything else than a matrix
 */
export function rootOf(risk: Risk, of: PieceSource): OutputRoot {
  if (of === "rowGradients") return rowRoot;
  if (of === "empiricalFisher") return empiricalRoot;
  if (of === "ggn") {
    if (risk.lossFunction.convex) return lossHessianRoot(risk);
    throw new CurvatureError(
      "unsupported",
      `the Gauss-Newton matrix of ${risk.lossFunction.name} need not be positive semidefinite, so it has no root; take of: { type: 2 }, its Fisher matrix`,
    );
  }
  if (typeof of !== "object" || of === null || (of.type !== 1 && of.type !== 2)) {
    throw new CurvatureError(
      "argument",
      `of must be "ggn", "empiricalFisher" or a Fisher matrix { type: 2 }, { type: 1, labels: "all" } or { type: 1, labels: S, seed }; got ${JSON.stringify(of) ?? String(of)}`,
    );
  }
  const likelihood = likelihoodOf(risk);
  // With all labels the matrix of type 1 is that of type 2.
  if (of.type === 2 || of.labels === "all") return expectedHessianRoot(risk, likelihood);
  return sampledRoot(risk, of);
}

function likelihoodOf({ lossFunction: { likelihood, name } }: Risk): Likelihood {
  if (likelihood !== undefined) return likelihood;
  throw new CurvatureError(
    "unsupported",
    `the loss ${name} has no likelihood, so there is no Fisher matrix; take of: "ggn" or "empiricalFisher"`,
  );
}
