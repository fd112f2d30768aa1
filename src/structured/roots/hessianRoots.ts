import type { Value } from "../../graph/index.ts";
import type { Likelihood } from "../../losses/index.ts";
import type { BatchGraph, Risk } from "../../operators/engine/risk.ts";
import { lossHessian } from "../../operators/ggn.ts";
import { numericalRoot } from "./numericalRoot.ts";
import type { OutputRoot } from "./outputRoot.ts";
import { weightedRoot } from "./weightedRoot.ts";

/** The root of the Hessian of each term's loss, for the Gauss-Newton matrix: C columns, or as many as the loss says. */
export function lossHessianRoot(risk: Risk): OutputRoot {
  const { hessianRoot, hessianRootColumns } = risk.lossFunction;
  if (hessianRoot === undefined) return numericalRoot(risk, lossHessian);
  return written(({ f, y }, u) => hessianRoot(f, y, u), hessianRootColumns);
}

/** The root of the expected Hessian of the negative log-likelihood, for Fisher matrices of type 2: C columns, or as many as the likelihood says. */
export function expectedHessianRoot(risk: Risk, likelihood: Likelihood): OutputRoot {
  if (likelihood.expectedHessianRoot === undefined) {
    return numericalRoot(risk, ({ f }, u) => likelihood.expectedHessian(f, u));
  }
  return written(({ f }, u) => likelihood.expectedHessianRoot!(f, u), likelihood.expectedHessianRootColumns);
}

function written(
  root: (batch: BatchGraph, u: Value) => Value,
  columns: (outputs: number) => number = (outputs) => outputs,
): OutputRoot {
  return { columns: ({ f }) => columns(f.shape[1]), apply: (batch, u) => weightedRoot(batch, root(batch, u)) };
}
