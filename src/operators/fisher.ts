import { CurvatureError, checkObject } from "../errors/index.ts";
import type { Value } from "../graph/index.ts";
import type { LinearOperator } from "../linalg/operator/operator.ts";
import { mul, reduceSum, reduceSumKeeping, scale } from "../primitives/index.ts";
import type { BatchGraph, Risk } from "./engine/risk.ts";
import { checkRisk } from "./products/checkRisk.ts";
import {
  type CurvatureDefinition,
  curvatureMatrix,
  type DefinitionWithConstants,
  matrixWithConstants,
} from "./products/curvatureMatrix.ts";
import { throughOutputs, weighted } from "./products/outputProduct.ts";
import { sampledLabels } from "./products/sampledLabels.ts";
import { labelInput, sampledScores } from "./products/sampledScores.ts";

/** The choice of Fisher matrix: type II, exact type I, or type I with sampled labels. */
export type FisherOptions =
  | { readonly type: 2 }
  | { readonly type: 1; readonly labels: "all" }
  | { readonly type: 1; readonly labels: number; readonly seed: number };

const expected: CurvatureDefinition = {
  name: "Fisher matrix, type 2",
  psd: true,
  ...throughOutputs((terms, u) => weighted(terms, terms.loss.likelihood!.expectedHessian(terms.f, u))),
};

const exact: CurvatureDefinition = {
  name: "Fisher matrix, type 1",
  psd: true,
  ...throughOutputs((terms, u) => weighted(terms, terms.loss.likelihood!.scoreMoment!(terms.f, u))),
};

/**
 * Fisher information matrix of the model's own predictive distribution p(y | f), [size, size], positive semidefinite: c sum_t w_t J_t' M_t
 * J_t. M_t is a matrix in the outputs of a term:
 *
 * - type 2: E[second derivative of -log p(y | f)];
 * - type 1, labels "all": E[s s'], s the gradient of -log p(y | f), summed exactly over labels or in closed form. The same
 *   matrix as type 2, computed another way;
 * - type 1, labels S: the mean of s s' over S labels drawn for each term from p(y | f). An unbiased estimate of rank at most S T. The
 *   labels depend only on the seed and the row, so they are the same in every product and for every batch size.
 *
 * A product is one pass over the data, about one and a half gradients; sampling adds one forward pass in all.
 *
 * @throws CurvatureError "unsupported" for a loss without a likelihood, or without an exact score moment where "all" labels are requested;
 *   "argument" for another type, a number of labels that is not a positive integer, or a seed that is not finite
 */
export function fisher(risk: Risk, options: FisherOptions): LinearOperator {
  checkRisk(risk, "fisher");
  checkObject(options, "fisher expects options { type: 1 or 2, ... }", ["type"]);
  const { likelihood, name } = risk.lossFunction;
  if (likelihood === undefined) {
    throw new CurvatureError(
      "unsupported",
      `the loss ${name} has no likelihood, so there is no Fisher matrix; use ggn or empiricalFisher`,
    );
  }
  if (options.type !== 1 && options.type !== 2) {
    const { type } = options as { readonly type: unknown };
    throw new CurvatureError("argument", `fisher: type must be 1 or 2, got ${JSON.stringify(type)}`);
  }
  if (options.type === 2) return curvatureMatrix(risk, expected);
  if (options.labels === "all") {
    if (likelihood.scoreMoment === undefined) {
      throw new CurvatureError(
        "unsupported",
        `the loss ${name} cannot sum over all labels; ask for a number of labels instead`,
      );
    }
    return curvatureMatrix(risk, exact);
  }
  return sampledFisher(risk, options as { readonly labels: number; readonly seed: number });
}

function sampledFisher(
  risk: Risk,
  { labels, seed }: { readonly labels: number; readonly seed: number },
): LinearOperator {
  if (!Number.isInteger(labels) || labels < 1) {
    throw new CurvatureError("argument", `fisher: labels must be "all" or a positive integer, got ${String(labels)}`);
  }
  if (!Number.isFinite(seed))
    throw new CurvatureError("argument", `fisher: sampled labels need a seed, a finite number; got ${String(seed)}`);
  const own = sampledOfRisk.get(risk) ?? new Map<string, LinearOperator>();
  sampledOfRisk.set(risk, own);
  const key = `${labels} ${seed}`;
  const made =
    own.get(key) ?? matrixWithConstants(risk, sampledDefinition(labels), sampledLabels(risk, { labels, seed }));
  own.set(key, made);
  return made;
}

/** Sampled Fisher matrices of a risk by number of labels and seed; each draws its labels once. */
const sampledOfRisk = new WeakMap<Risk, Map<string, LinearOperator>>();

const sampledDefinitions = new Map<number, DefinitionWithConstants>();

function sampledDefinition(labels: number): DefinitionWithConstants {
  const known = sampledDefinitions.get(labels);
  if (known !== undefined) return known;
  const definition: DefinitionWithConstants = {
    name: "sampled Fisher matrix",
    psd: true,
    constants: ({ f, loss }) => ({
      labels: labelInput(loss.likelihood!, { terms: f.shape[0], outputs: f.shape[1], labels }),
    }),
    ...throughOutputs((terms, u, constants) =>
      weighted(terms, sampledMoment(terms, { u, drawnLabels: constants.labels, labels })),
    ),
  };
  sampledDefinitions.set(labels, definition);
  return definition;
}

/** 1/S sum_s g_s (g_s' u), with g_s the score at the s-th label of each term. */
function sampledMoment(
  batch: BatchGraph,
  { u, drawnLabels, labels }: { readonly u: Value; readonly drawnLabels: Value; readonly labels: number },
): Value {
  const each = sampledScores(batch, { drawnLabels, labels });
  const along = reduceSumKeeping(mul(each, u), [2]);
  return scale(reduceSum(mul(each, along), [0]), 1 / labels);
}
