import { CurvatureError } from "../../errors/index.ts";
import type { RunOptions } from "../../linalg/index.ts";
import { checkChoice, checkCount } from "../../linalg/operator/checks.ts";
import type { Pattern } from "../../models/matches.ts";
import type { Risk, RiskParameter } from "../../operators/index.ts";
import { candidateTensors } from "./candidates.ts";
import type { InverseOptions } from "./curvatureModel.ts";
import type { PruningMatrix } from "./matrixChoice.ts";
import type { PruneState } from "./pruneResult.ts";
import type { PruningUnit } from "./pruningUnit.ts";
import { SALIENCY_METHODS, type SaliencyMethod } from "./scores.ts";
import { type SparsityPattern, sparsityPattern } from "./sparsityPattern.ts";
import { consecutiveGroups, matrixUnits } from "./units.ts";

/** Options of `prune`. */
export interface PruneOptions extends InverseOptions, RunOptions {
  /** Share of the candidates to remove, between 0 and 1; of units where these are removed. */
  readonly sparsity?: number;
  /** "N:M": at most N weights that are not zero of each M consecutive inputs of an output, such as "2:4"; instead of `sparsity`. */
  readonly pattern?: string;
  /** What decides; default "obs". See `saliency`. */
  readonly method?: SaliencyMethod;
  /** Matrix of the mean loss, or what makes one at the weights of a step; default `ggn`. */
  readonly matrix?: PruningMatrix;
  /** What is removed at once: single weights (default), rows or columns of weight matrices, "channels" (hidden units with all weights into and out of them, which `saveCompact` takes out of the file), or lists of your own. */
  readonly units?: "weights" | "rows" | "columns" | "channels" | readonly PruningUnit[];
  /** Tensors whose weights may be removed: names, names with `*`, regular expressions; default: weight matrices, kernels and tables. */
  readonly tensors?: Pattern | readonly Pattern[];
  /** "global" (default) compares all candidates, "layer" removes the same share of each tensor. */
  readonly scope?: "global" | "layer";
  /** Whether all other weights adapt to the removal, biases included; default: with method "obs". */
  readonly compensation?: boolean;
  /** Matrix of the compensation and of the prediction, where it is another than `matrix`: an exact one by products beside a structured one for the saliencies, whose closed inverse then preconditions its systems. */
  readonly compensationMatrix?: PruningMatrix;
  /** "set" (default) removes the least salient of a step at once, "sequential" one at a time, with the model and the weights adapted after each; it needs "obs" and a matrix in dense blocks. */
  readonly elimination?: "set" | "sequential";
  /** Whether "obs" and the compensation take the gradient of the loss into account, for weights that are no minimum. Left out, later steps of gradual pruning compensate with and without it and keep what has the lower loss, two passes more. */
  readonly gradient?: boolean;
  /** Steps of gradual pruning; default 1, one shot. Each computes gradient, matrix and saliencies anew at the weights of the step. */
  readonly steps?: number;
  /** "geometric" (default) removes the same share of what is left in each step, "linear" the same number. */
  readonly schedule?: "geometric" | "linear";
  /** Risk on other rows, as `risk.on(data)` gives it, whose loss and accuracy are measured too. */
  readonly validation?: Risk;
  /** Where an earlier run with the same risk and options stopped. */
  readonly state?: PruneState;
}

/** Checked options. */
export interface PrunePlan {
  readonly method: SaliencyMethod;
  readonly matrix: PruningMatrix | undefined;
  readonly compensationMatrix: PruningMatrix | undefined;
  readonly compensation: boolean;
  readonly elimination: "set" | "sequential";
  readonly gradient: boolean | undefined;
  readonly tensors: readonly RiskParameter[];
  /** What is removed at once; absent for single weights. */
  readonly units: readonly PruningUnit[] | undefined;
  readonly pattern: { readonly shape: SparsityPattern; readonly groups: readonly Int32Array[] } | undefined;
  /** Share that is removed after each step. */
  readonly shares: readonly number[];
  readonly scope: "global" | "layer";
}

/** Checks the options of `prune`. Throws "argument" for what is out of range or does not go together. */
export async function prunePlan(name: string, risk: Risk, options: PruneOptions): Promise<PrunePlan> {
  const { method = "obs", units: kind = "weights", scope = "global", elimination = "set", compensation } = options;
  checkChoice(name, "method", method, SALIENCY_METHODS);
  checkChoice(name, "scope", scope, ["global", "layer"]);
  checkChoice(name, "elimination", elimination, ["set", "sequential"]);
  if (typeof kind === "string") checkChoice(name, "units", kind, ["weights", "rows", "columns", "channels"]);
  const pattern = options.pattern === undefined ? undefined : sparsityPattern(name, options.pattern);
  const shares = sharesOf(name, options);
  checkCombination(name, options);
  const tensors = candidateTensors(name, { risk, tensors: options.tensors });
  const units =
    kind === "weights" ? undefined : typeof kind === "string" ? await matrixUnits(risk, { kind, tensors }) : kind;
  return {
    method,
    matrix: options.matrix,
    compensationMatrix: options.compensationMatrix,
    compensation: compensation ?? method === "obs",
    elimination,
    gradient: options.gradient,
    tensors,
    units,
    pattern: pattern && { shape: pattern, groups: await consecutiveGroups(risk, { length: pattern.of, tensors }) },
    shares,
    scope,
  };
}

function sharesOf(name: string, { sparsity, pattern, steps = 1, schedule = "geometric" }: PruneOptions): number[] {
  checkCount(name, "steps", steps);
  checkChoice(name, "schedule", schedule, ["geometric", "linear"]);
  if (pattern !== undefined) {
    if (sparsity === undefined && steps === 1) return [Number.NaN];
    const got = sparsity === undefined ? `steps ${steps}` : `sparsity ${sparsity}`;
    throw new CurvatureError(
      "argument",
      `${name} expects a pattern alone, in one step, got it with ${got}; leave that out`,
    );
  }
  if (!(typeof sparsity === "number" && sparsity >= 0 && sparsity <= 1)) {
    throw new CurvatureError(
      "argument",
      `${name} expects sparsity, the share of weights to remove, as a number from 0 to 1, got ${String(sparsity)}; 0.5 removes half of them`,
    );
  }
  return Array.from({ length: steps }, (_, k) => {
    const part = (k + 1) / steps;
    if (part === 1) return sparsity;
    return schedule === "linear" || sparsity === 1 ? part * sparsity : 1 - (1 - sparsity) ** part;
  });
}

function checkCombination(
  name: string,
  {
    method = "obs",
    units = "weights",
    elimination = "set",
    pattern,
    compensation = true,
    steps = 1,
    matrix,
  }: PruneOptions,
): void {
  const refuse = (message: string) => {
    throw new CurvatureError("argument", `${name} expects ${message}`);
  };
  if (
    elimination === "sequential" &&
    (method !== "obs" || units !== "weights" || pattern !== undefined || !compensation)
  ) {
    refuse('elimination "sequential" with method "obs", single weights, compensation and no pattern; take "set" else');
  }
  if (pattern !== undefined && units !== "weights") refuse("a pattern for single weights; leave units out");
  if (steps > 1 && matrix !== undefined && typeof matrix !== "function") {
    refuse(
      "matrix as a function of a risk for more than one step, such as (risk) => ggn(risk), since each step has a matrix of its own",
    );
  }
}
