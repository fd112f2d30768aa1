import { CurvatureError } from "../../errors/index.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { runToEnd } from "../../linalg/runs/runToEnd.ts";
import type { Risk } from "../../operators/index.ts";
import { checkPrunedRisk } from "./checkPrunedRisk.ts";
import { type PruneOptions, type PrunePlan, prunePlan } from "./prunePlan.ts";
import type { PrunedTensor, PruneResult, PruneState } from "./pruneResult.ts";
import { measuredAt, pruneStep } from "./pruneStep.ts";
import { needsMatrix } from "./scores.ts";

const NAME = "prune";

/**
 * Removes weights and adapts the others, in one shot or gradually: at each step the least salient candidates go (`saliency`), all other weights, biases included, move so that the quadratic model
 * with its damping rises least (`compensate`), and loss and accuracy are measured beside the prediction `g'd + d'A d / 2`. Saliencies of single weights say little once many go together: the
 * compensation is what curvature buys.
 *
 * A step costs a gradient, what the model of its matrix costs (`saliency`), one product, and two forward passes for each risk. `pruneSteps` gives a state after each, from which a run goes on
 * bit for bit.
 *
 * @throws CurvatureError "argument" or "shape" for options it cannot take, "numeric" for a matrix that is not positive definite with its damping, "aborted" when the signal fires, with `state`
 */
export async function prune(risk: Risk, options: PruneOptions): Promise<PruneResult> {
  return runToEnd(pruneSteps(risk, options));
}

/** The run of `prune` step by step; yields a state after each, from which `state` resumes it. */
export async function* pruneSteps(risk: Risk, options: PruneOptions): AsyncGenerator<PruneState, PruneResult, void> {
  checkPrunedRisk(NAME, risk);
  checkOptions(
    NAME,
    options,
    "sparsity pattern method matrix units tensors scope compensation compensationMatrix elimination gradient steps schedule validation state damping inverse denseLimit probes seed solveTolerance solveMatvecs signal onProgress",
  );
  const plan = await prunePlan(NAME, risk, options);
  const { signal, onProgress } = options;
  let state = options.state ?? (await startingState(risk, plan, options));
  checkResumed(state, { risk, plan });
  const total = plan.shares.length;
  while (state.records.length < total) {
    const done = state.records.length;
    onProgress?.({ stage: "pruning", done, total });
    const current = state;
    state = await pruneStep(state, { name: NAME, risk, plan, options }).catch((cause: unknown) => {
      if (!signal?.aborted) throw cause;
      throw new CurvatureError("aborted", `${NAME} was aborted after ${done} of ${total} steps`, {
        state: current,
        cause,
      });
    });
    yield state;
  }
  return resultOf(state, { risk, plan, options });
}

async function startingState(risk: Risk, { shares }: PrunePlan, options: PruneOptions): Promise<PruneState> {
  const theta = risk.theta();
  const { loss, accuracy } = await measuredAt(risk, theta, options);
  return {
    method: NAME,
    columns: risk.size,
    matvecs: 0,
    gradients: 0,
    losses: 2,
    shares,
    theta,
    mask: new Uint8Array(risk.size).fill(1),
    order: new Int32Array(0),
    costs: new Float64Array(0),
    loss,
    accuracy,
    records: [],
  };
}

function checkResumed(state: PruneState, { risk, plan }: { readonly risk: Risk; readonly plan: PrunePlan }): void {
  const { method, columns, shares = [] } = state;
  const isSame = shares.length === plan.shares.length && shares.every((share, k) => Object.is(share, plan.shares[k]));
  if (method === NAME && columns === risk.size && isSame) return;
  throw new CurvatureError(
    "argument",
    `${NAME} expects the state of a run with ${risk.size} weights and the shares ${plan.shares.join(", ")}, got one of ${String(method)} with ${columns} weights and ${shares.join(", ")}`,
  );
}

function resultOf(
  state: PruneState,
  { risk, plan, options }: { readonly risk: Risk; readonly plan: PrunePlan; readonly options: PruneOptions },
): PruneResult {
  const { theta, mask, order, costs, records, losses, gradients, matvecs } = state;
  const last = records.at(-1)!;
  const { damping = 1e-3 } = options;
  return {
    theta,
    mask,
    removed: order,
    ...(plan.elimination === "sequential" && { costs }),
    method: plan.method,
    lossBefore: state.loss,
    ...(state.accuracy !== undefined && { accuracyBefore: state.accuracy }),
    loss: last.loss,
    ...(last.accuracy !== undefined && { accuracy: last.accuracy }),
    ...((needsMatrix(plan.method) || plan.compensation) && { damping }),
    steps: records,
    tensors: plan.tensors.map((tensor) => prunedTensor(risk, { tensor, mask })),
    losses,
    gradients,
    matvecs,
    status: "converged",
    message: messageOf(state),
  };
}

function prunedTensor(
  risk: Risk,
  { tensor, mask }: { readonly tensor: PrunePlan["tensors"][number]; readonly mask: Uint8Array },
): PrunedTensor {
  const { name, layer, offset, size } = tensor;
  const before = risk.theta();
  let [removed, largestRemoved] = [0, 0];
  for (let i = offset; i < offset + size; i++) {
    if (mask[i] !== 0) continue;
    removed++;
    largestRemoved = Math.max(largestRemoved, Math.abs(before[i]!));
  }
  return { name, layer, weights: size, removed, largestRemoved };
}

function messageOf({ records }: PruneState): string {
  const beyond = records.filter(({ beyondQuadratic }) => beyondQuadratic);
  const [first] = beyond;
  if (first === undefined) return "the measured increases of the loss agree with the quadratic model";
  const shown = (x: number) => x.toPrecision(3);
  const remedy = records.length === 1 ? "prune in several steps, or less" : "prune in more steps, or less";
  return `beyond the quadratic region in ${beyond.length} of ${records.length} steps: in step ${first.step} the loss changed by ${shown(first.loss - first.lossBefore)} where the model predicts ${shown(first.predictedIncrease)}; ${remedy}`;
}
