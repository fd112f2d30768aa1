import type { RunOptions } from "../../linalg/index.ts";
import { dot } from "../../linalg/vectors/vector.ts";
import type { Risk } from "../../operators/index.ts";
import type { Vector } from "../../tensors/index.ts";
import { accuracy } from "../accuracy.ts";
import { entriesOf } from "./candidates.ts";
import { chooseRemoval } from "./chooseRemoval.ts";
import { changedTheta } from "./compensate.ts";
import type { ConstrainedMinimum, CurvatureModel, InverseOptions } from "./curvatureModel.ts";
import { gathered } from "./denseBlocks.ts";
import { matrixOf } from "./matrixChoice.ts";
import { modelOfMatrix } from "./modelOfMatrix.ts";
import type { PrunePlan } from "./prunePlan.ts";
import type { PruneState, PruneStep } from "./pruneResult.ts";
import { needsMatrix } from "./scores.ts";
import type { Elimination } from "./sequentialElimination.ts";

/** What a step needs besides the state. */
export interface StepSetup {
  readonly name: string;
  readonly risk: Risk;
  readonly plan: PrunePlan;
  readonly options: InverseOptions & RunOptions & { readonly validation?: Risk };
}

/** Loss and accuracy at some weights. */
export interface Measured {
  readonly loss: number;
  readonly accuracy: number | undefined;
}

/** Loss and accuracy of a risk at other weights: two forward passes. */
export async function measuredAt(risk: Risk, theta: Vector, { signal }: RunOptions): Promise<Measured> {
  const moved = risk.at(theta);
  const run = signal ? { signal } : {};
  try {
    return { loss: await moved.loss(run), accuracy: await accuracy(moved, run) };
  } finally {
    await moved.dispose();
  }
}

/** One step: model at the weights of the state, choice, removal, compensation, measurement. */
export async function pruneStep(state: PruneState, setup: StepSetup): Promise<PruneState> {
  const { risk, options } = setup;
  const { signal } = options;
  // At the weights of the risk itself its cached residuals serve.
  const isFirst = state.records.length === 0;
  const here = isFirst ? risk : risk.at(state.theta);
  try {
    const gradient = await here.gradient(signal ? { signal } : {});
    const change = await stepChange(state, { ...setup, here, gradient });
    return await recorded(state, change, setup);
  } finally {
    if (!isFirst) await here.dispose();
  }
}

/** The change of a step, and what was predicted. */
interface StepChange {
  readonly removed: Int32Array;
  readonly costs: Float64Array;
  readonly theta: Vector;
  readonly predictedIncrease: number;
  readonly modelIncrease: number | undefined;
  readonly residual: number;
  readonly usedGradient: boolean;
  readonly losses: number;
  readonly matvecs: number;
  readonly route: CurvatureModel["route"] | undefined;
}

async function stepChange(
  state: PruneState,
  { name, risk, plan, options, here, gradient }: StepSetup & { readonly here: Risk; readonly gradient: Vector },
): Promise<StepChange> {
  const { method, compensation } = plan;
  const { theta, mask, records, shares } = state;
  const own = await matrixOf(name, { risk: here, matrix: plan.matrix });
  const other =
    plan.compensationMatrix === undefined
      ? undefined
      : await matrixOf(name, { risk: here, matrix: plan.compensationMatrix });
  try {
    // Weights that are gone stay gone.
    const setup = { ...options, name, alive: records.length === 0 ? undefined : mask };
    const needed = needsMatrix(method) || (compensation && other === undefined);
    const model = needed ? await modelOfMatrix(own.A, setup) : undefined;
    const compensating =
      other === undefined || !compensation ? model : await modelOfMatrix(other.A, { ...setup, near: own.A });
    const g = plan.gradient === true ? gradient : undefined;
    const request = { ...setup, method, theta, gradient: method === "firstOrder" ? gradient : g, model, mask };
    const { removed, elimination } = await chooseRemoval(plan, { ...request, share: shares[records.length]! });
    const { change, residual, increase, usedGradient, losses } = await changeOf(
      { model: compensating, elimination: other === undefined ? elimination : undefined, removed, gradient },
      { state, plan, risk, options },
    );
    const A = (other ?? own).A;
    const bent = await A.matvec(A.dtype === "float32" ? Float32Array.from(change) : change, runOf(options));
    return {
      removed,
      costs: elimination?.costs ?? new Float64Array(0),
      theta: changedTheta(theta, { change, removed: removedSoFar(state, removed) }),
      predictedIncrease: dot(gradient, change) + dot(change, bent) / 2,
      modelIncrease: increase ?? elimination?.costs.at(-1),
      residual,
      usedGradient,
      losses,
      matvecs: (model?.matvecs() ?? 0) + (compensating === model ? 0 : (compensating?.matvecs() ?? 0)) + 1,
      route: model?.route ?? compensating?.route,
    };
  } finally {
    await own.release();
    await other?.release();
  }
}

/**
 * The change of all weights that sets the removed ones to zero: that of the sequential elimination, the minimum of the model, or none of the others. In later steps, where the plan leaves it open,
 * the one of lower loss of the minima with and without the gradient.
 */
async function changeOf(
  {
    model,
    elimination,
    removed,
    gradient,
  }: {
    readonly model: CurvatureModel | undefined;
    readonly elimination: Elimination | undefined;
    readonly removed: Int32Array;
    readonly gradient: Vector;
  },
  { state, plan, risk, options }: Pick<StepSetup, "plan" | "risk" | "options"> & { readonly state: PruneState },
): Promise<Minimum & { readonly usedGradient: boolean; readonly losses: number }> {
  const { theta, records } = state;
  const { compensation } = plan;
  const targets = gathered(theta, removed).map((w) => -w);
  const g = plan.gradient === true ? gradient : undefined;
  const minimum =
    elimination !== undefined
      ? { change: elimination.weights.map((w, i) => w - theta[i]!), increase: undefined, residual: 0 }
      : compensation
        ? await model!.constrained({ indices: removed, targets, gradient: g })
        : { change: scatteredChange(theta, removed), increase: undefined, residual: 0 };
  const isOpen = plan.gradient === undefined && compensation && records.length > 0;
  if (!isOpen) return { ...minimum, usedGradient: g !== undefined, losses: 0 };
  const lower = await lowerOf(minimum, {
    withGradient: await model!.constrained({ indices: removed, targets, gradient }),
    lossOf: async (change) => {
      const moved = changedTheta(theta, { change, removed: removedSoFar(state, removed) });
      return (await measuredAt(risk, moved, options)).loss;
    },
  });
  return { ...lower, losses: 4 };
}

type Minimum = Pick<ConstrainedMinimum, "change" | "residual"> & { readonly increase: number | undefined };

/**
 * The change of lower loss, without or with the gradient in the model. A Newton step trains the weights that are left, but where the model is poor, as with little damping, it can ruin them.
 */
async function lowerOf(
  without: Minimum,
  {
    withGradient,
    lossOf,
  }: { readonly withGradient: Minimum; readonly lossOf: (change: Float64Array) => Promise<number> },
): Promise<Minimum & { readonly usedGradient: boolean }> {
  const [plain, moved] = [await lossOf(without.change), await lossOf(withGradient.change)];
  return moved < plain ? { ...withGradient, usedGradient: true } : { ...without, usedGradient: false };
}

function runOf({ signal }: RunOptions): RunOptions {
  return signal ? { signal } : {};
}

function scatteredChange(theta: Vector, removed: Int32Array): Float64Array {
  const change = new Float64Array(theta.length);
  for (const index of removed) change[index] = -theta[index]!;
  return change;
}

function removedSoFar({ order }: PruneState, removed: Int32Array): Int32Array {
  const all = new Int32Array(order.length + removed.length);
  all.set(order);
  all.set(removed, order.length);
  return all;
}

async function recorded(
  state: PruneState,
  change: StepChange,
  { risk, plan, options }: StepSetup,
): Promise<PruneState> {
  const { theta, removed, costs, ...predicted } = change;
  const order = removedSoFar(state, removed);
  const mask = state.mask.slice();
  for (const index of removed) mask[index] = 0;
  const after = await measuredAt(risk, theta, options);
  const held = options.validation && (await measuredAt(options.validation, theta, options));
  const lossBefore = state.records.at(-1)?.loss ?? state.loss;
  const { predictedIncrease, modelIncrease, residual, usedGradient, matvecs, route } = predicted;
  const candidates = new Set(entriesOf(plan.tensors));
  const record: PruneStep = {
    step: state.records.length + 1,
    sparsity: order.filter((index) => candidates.has(index)).length / candidates.size,
    removed: order.length,
    lossBefore,
    predictedIncrease,
    ...(modelIncrease !== undefined && { modelIncrease }),
    loss: after.loss,
    ...(after.accuracy !== undefined && { accuracy: after.accuracy }),
    ...(held && { validationLoss: held.loss }),
    ...(held?.accuracy !== undefined && { validationAccuracy: held.accuracy }),
    beyondQuadratic: isBeyond({ predicted: predictedIncrease, measured: after.loss - lossBefore, lossBefore }),
    residual,
    usedGradient,
    matvecs,
    ...(route && { route }),
  };
  return {
    ...state,
    theta,
    mask,
    order,
    costs: joinedCosts(state.costs, costs),
    matvecs: state.matvecs + matvecs,
    gradients: state.gradients + 1,
    losses: state.losses + predicted.losses + (held ? 4 : 2),
    records: [...state.records, record],
  };
}

function joinedCosts(before: Float64Array, costs: Float64Array): Float64Array {
  const start = before.at(-1) ?? 0;
  return Float64Array.from([...before, ...costs.map((cost) => start + cost)]);
}

function isBeyond({
  predicted,
  measured,
  lossBefore,
}: {
  readonly predicted: number;
  readonly measured: number;
  readonly lossBefore: number;
}): boolean {
  const apart = Math.abs(measured - predicted);
  return !(apart <= Math.max(Math.max(Math.abs(measured), Math.abs(predicted)) / 2, 0.05 * Math.abs(lossBefore)));
}
