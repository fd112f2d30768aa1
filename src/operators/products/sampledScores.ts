import { vjp } from "../../autodiff/index.ts";
import { input, scalar, type Value } from "../../graph/index.ts";
import type { Likelihood } from "../../losses/index.ts";
import { broadcast, reduceSum, reshape } from "../../primitives/index.ts";
import type { BatchGraph } from "../engine/risk.ts";

/** The constant `labels` of a batch: [S T] class indices or [S T, size] numbers, samples outermost. */
export function labelInput(
  likelihood: Likelihood,
  { terms, outputs, labels }: { readonly terms: number; readonly outputs: number; readonly labels: number },
): Value {
  if (likelihood.label === "class") return input("labels", [labels * terms], "int64");
  return input("labels", [labels * terms, likelihood.labelSize(outputs)]);
}

/** The score at each of S labels of each term, the gradient of the negative log-likelihood, [S, T, C]. Labels are [S T, ...], samples outermost. */
export function sampledScores(
  { f, loss }: BatchGraph,
  { drawnLabels, labels }: { readonly drawnLabels: Value; readonly labels: number },
): Value {
  const likelihood = loss.likelihood!;
  const [terms, outputs] = f.shape;
  const copies = reshape(broadcast(f, [labels, terms, outputs]), [labels * terms, outputs]);
  const [scores] = vjp([reduceSum(likelihood.negativeLogLikelihood(copies, drawnLabels))], [copies], [scalar(1)]);
  return reshape(scores, [labels, terms, outputs]);
}
