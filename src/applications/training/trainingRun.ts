import { CurvatureError, checkObject } from "../../errors/index.ts";
import type { RunOptions } from "../../linalg/index.ts";
import { checkCount, checkNonnegative, checkSeed } from "../../linalg/operator/checks.ts";
import { isFiniteVector, norm } from "../../linalg/vectors/vector.ts";
import type { Risk } from "../../operators/index.ts";
import type { Vector } from "../../tensors/index.ts";
import { type Minibatches, minibatches } from "./minibatches.ts";
import { type Counters, type ObjectivePlan, objectiveOf, objectivePlan } from "./objective.ts";
import type {
  Proposal,
  TrainingMethod,
  TrainingOptions,
  TrainingResult,
  TrainingState,
  TrainingStep,
} from "./trainingMethod.ts";

interface Plan extends ObjectivePlan {
  readonly steps: number;
  readonly tolerance: number;
  readonly target: number;
  readonly patience: number;
}

/** The run of a method step by step; yields a state after each, from which `state` resumes it. */
export async function* trainingSteps<Own>(
  method: TrainingMethod<Own>,
  risk: Risk,
  options: TrainingOptions<TrainingState<Own>>,
): AsyncGenerator<TrainingState<Own>, TrainingResult, void> {
  const { name } = method;
  const plan = checkedPlan(name, risk, options);
  const counters: Counters = { losses: 0, gradients: 0, matvecs: 0, gradientEquivalents: 0 };
  const { batchRows, curvatureRows, seed = 0 } = options;
  const parts = batchRows === undefined ? undefined : await minibatches(risk, { rows: batchRows, seed });
  const curvatureParts =
    curvatureRows === undefined ? undefined : await minibatches(risk, { rows: curvatureRows, seed: seed + 0.5 });
  try {
    let state = options.state ?? initialState(method, risk);
    checkResumed(name, state, risk);
    const { losses, gradients, matvecs, gradientEquivalents } = state;
    Object.assign(counters, { losses, gradients, matvecs, gradientEquivalents });
    for (;;) {
      const stepping: Stepping<Own> = { method, state, risk, parts, curvatureParts, counters, plan, options };
      const next = await advanced(stepping).catch((cause: unknown) => {
        if (!options.signal?.aborted) throw withState(cause, state);
        return { stopped: "aborted" as const, happened: `aborted after ${state.step} steps` };
      });
      if ("stopped" in next) return await resultOf({ ...stepping, ending: next });
      ({ state } = next);
      options.onProgress?.({
        stage: name,
        done: state.step,
        total: plan.steps,
        error: state.records.at(-1)!.gradientNorm,
      });
      yield state;
      if (next.ending !== undefined) {
        return await resultOf({ ...stepping, state, ending: { stopped: "no progress", happened: next.ending } });
      }
    }
  } finally {
    await parts?.dispose();
    await curvatureParts?.dispose();
  }
}

function withState(cause: unknown, state: unknown): unknown {
  if (!(cause instanceof CurvatureError) || cause.state !== undefined) return cause;
  return new CurvatureError(cause.code, cause.message, { cause, state });
}

function checkedPlan<Own>(name: string, risk: Risk, options: TrainingOptions<TrainingState<Own>>): Plan {
  checkObject(risk, `${name} expects a risk made by empiricalRisk`, ["model", "parameters", "engine"]);
  const { steps = 100, tolerance = risk.dtype === "float32" ? 1e-4 : 1e-6, patience = 10 } = options;
  const { batchRows, seed, target = Number.NEGATIVE_INFINITY, validation } = options;
  checkCount(name, "steps", steps);
  checkCount(name, "patience", patience);
  checkNonnegative(name, "tolerance", tolerance);
  for (const [option, rows] of Object.entries({ batchRows, curvatureRows: options.curvatureRows })) {
    if (rows === undefined) continue;
    checkCount(name, option, rows);
    checkSeed(name, seed);
  }
  if (validation !== undefined) {
    checkObject(validation, `${name} expects validation as a risk, made by risk.on(data)`, ["model", "engine"]);
    if (validation.size !== risk.size || validation.model !== risk.model) {
      throw new CurvatureError(
        "argument",
        `${name} expects validation to be the same model with the same parameters on other rows, as risk.on(data) gives it`,
      );
    }
  }
  return { steps, tolerance, target, patience, ...objectivePlan(name, { ...options, risk }) };
}

function checkResumed(name: string, { method, columns }: TrainingState<unknown>, risk: Risk): void {
  if (method === name && columns === risk.size) return;
  throw new CurvatureError(
    "argument",
    `${name} expects the state of a run of its own with ${risk.size} weights, got one of ${String(method)} with ${columns}`,
  );
}

function initialState<Own>({ name, start }: TrainingMethod<Own>, risk: Risk): TrainingState<Own> {
  const nothing = {
    losses: 0,
    gradients: 0,
    matvecs: 0,
    gradientEquivalents: 0,
    records: [],
    best: undefined,
    objective: undefined,
    gradient: undefined,
    previous: undefined,
  };
  return {
    method: name,
    columns: risk.size,
    step: 0,
    theta: risk.theta(),
    firstNorm: Number.NaN,
    ...nothing,
    own: start(),
  };
}

interface Stepping<Own> {
  readonly method: TrainingMethod<Own>;
  readonly state: TrainingState<Own>;
  readonly risk: Risk;
  readonly parts: Minibatches | undefined;
  readonly curvatureParts: Minibatches | undefined;
  readonly counters: Counters;
  readonly plan: Plan;
  readonly options: TrainingOptions<TrainingState<Own>>;
}

interface Ending {
  readonly stopped: TrainingResult["stopped"];
  readonly happened: string;
  /** The last weights at which the objective is finite, where those of the state are not. */
  readonly theta?: Vector;
}

async function advanced<Own>(
  stepping: Stepping<Own>,
): Promise<{ readonly state: TrainingState<Own>; readonly ending?: string } | Ending> {
  const { method, state, parts, counters, plan, options, risk, curvatureParts } = stepping;
  const { step, theta } = state;
  const early = endBefore(stepping);
  if (early !== undefined) return early;
  const run = options.signal ? { signal: options.signal } : {};
  const setup = { plan, counters, run, rows: risk.rows, curvature: curvatureParts?.at(step) };
  const objective = objectiveOf(parts?.at(step) ?? risk, setup);
  const value = state.objective ?? (await objective.value(theta));
  if (value <= plan.target && parts === undefined) return { stopped: "target", happened: "the target is reached" };
  const gradient = state.gradient ?? (await objective.gradient(theta));
  const gradientNorm = norm(gradient);
  if (!Number.isFinite(value) || !Number.isFinite(gradientNorm)) {
    return { stopped: "nonfinite", happened: "the objective is not finite", theta: state.previous ?? theta };
  }
  const firstNorm = Number.isNaN(state.firstNorm) ? gradientNorm : state.firstNorm;
  if (parts === undefined && gradientNorm <= plan.tolerance * firstNorm) {
    return { stopped: "gradient", happened: "the gradient is as small as asked for" };
  }
  const before = counters.matvecs;
  const context = { objective, theta, value, gradient, gradientNorm, firstNorm, step, own: state.own, run };
  const proposal = await method.step(context);
  if (!isFiniteVector(proposal.theta)) {
    return { stopped: "nonfinite", happened: "a step led to weights that are not finite", theta };
  }
  const validationLoss = await validated(options.validation, { theta: proposal.theta, counters, run });
  const { record: own, ending } = proposal;
  const matvecs = counters.matvecs - before;
  const record = {
    step,
    objective: value,
    gradientNorm,
    ...own,
    matvecs,
    ...(validationLoss !== undefined && { validationLoss }),
  };
  return {
    state: stateAfter(stepping, { proposal, record, gradient, firstNorm }),
    ...(ending !== undefined && { ending }),
  };
}

/** The end of a run before its next step, if there is a reason. */
function endBefore<Own>({ state: { step, best }, plan, options }: Stepping<Own>): Ending | undefined {
  if (options.signal?.aborted) return { stopped: "aborted", happened: `aborted after ${step} steps` };
  if (best !== undefined && step - best.step >= plan.patience) {
    return { stopped: "validation", happened: `the validation loss has not fallen for ${plan.patience} steps` };
  }
  return step >= plan.steps ? { stopped: "steps", happened: `${step} steps are done` } : undefined;
}

function stateAfter<Own>(
  { state, parts, counters }: Stepping<Own>,
  {
    proposal,
    record,
    gradient,
    firstNorm,
  }: {
    readonly proposal: Proposal<Own>;
    readonly record: TrainingStep;
    readonly gradient: Vector;
    readonly firstNorm: number;
  },
): TrainingState<Own> {
  const { theta, value, own } = proposal;
  const [step, { validationLoss }] = [state.step + 1, record];
  return {
    ...state,
    ...counters,
    step,
    theta,
    previous: state.theta,
    objective: parts === undefined ? (value ?? undefined) : undefined,
    gradient: parts === undefined && theta === state.theta ? gradient : undefined,
    firstNorm,
    best: betterOf(state.best, { validationLoss, theta, step }),
    records: [...state.records, record],
    own,
  };
}

async function validated(
  validation: Risk | undefined,
  { theta, counters, run }: { readonly theta: Vector; readonly counters: Counters; readonly run: RunOptions },
): Promise<number | undefined> {
  if (validation === undefined) return undefined;
  counters.losses++;
  const moved = validation.at(theta);
  try {
    return await moved.loss(run);
  } finally {
    await moved.dispose();
  }
}

function betterOf(
  best: TrainingState<unknown>["best"],
  { validationLoss, theta, step }: { validationLoss: number | undefined; theta: Vector; step: number },
): TrainingState<unknown>["best"] {
  if (validationLoss === undefined) return undefined;
  return best === undefined || validationLoss < best.loss ? { theta, loss: validationLoss, step } : best;
}

const STATUS = {
  gradient: "converged",
  target: "converged",
  validation: "converged",
  steps: "budget",
  "no progress": "stagnated",
  nonfinite: "nonfinite",
  aborted: "aborted",
} as const;

const ADVICE = {
  gradient: "",
  target: "",
  validation: "",
  steps: "raise steps, or go on from the state",
  "no progress": "loosen tolerance, or use a float64 risk",
  nonfinite: "the result is the best from before; lower the learning rate, or start with more damping",
  aborted: "the result is the best so far; go on from the state",
} as const;

async function resultOf<Own>({
  state,
  risk,
  plan,
  counters,
  ending,
  options,
}: Stepping<Own> & { readonly ending: Ending }): Promise<TrainingResult> {
  const { best, records } = state;
  const theta = best?.theta ?? ending.theta ?? state.theta;
  const { stopped, happened } = ending;
  // The claims are recomputed at the weights that are returned.
  const objective = objectiveOf(risk, { plan, counters, run: {}, rows: risk.rows });
  const value = await objective.value(theta);
  const gradientNorm = norm(await objective.gradient(theta));
  const advice = ADVICE[stopped];
  const said = `${happened}: objective ${value.toPrecision(6)}, gradient norm ${gradientNorm.toPrecision(3)}`;
  return {
    theta,
    objective: value,
    gradientNorm,
    stopped,
    status: STATUS[stopped],
    message: advice === "" ? said : `${said}; ${advice}`,
    steps: records,
    ...counters,
    ...(options.validation && best && { validation: { loss: best.loss, step: best.step } }),
  };
}
