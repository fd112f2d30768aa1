import type { Data } from "../data/index.ts";
import { CurvatureError, checkObject } from "../errors/index.ts";
import { hutchinsonMoments, type LinearOperator, type RunOptions, subtract } from "../linalg/index.ts";
import type { Risk } from "../operators/index.ts";
import { guessingLoss } from "./dataWarnings.ts";
import { type EqualMatrix, equalMatrices } from "./equalMatrices.ts";
import { type FirstOrder, firstOrder } from "./firstOrder.ts";
import { layerBlocks } from "./layerBlocks.ts";
import { isRounded, layerRounding, ROUNDING_BITS } from "./layerRounding.ts";
import type { MatrixPlan } from "./matrixPlan.ts";
import { matrixReport, plannedProducts } from "./matrixReport.ts";
import { type RelativeRequest, relativeCost, relativeCurvature } from "./relativeCurvature.ts";
import type { ApproximationName, CurvatureReport, MatrixName, Quantity, ReportedMatrix } from "./report.ts";
import { matrixEntry, matrixNamed, matrixNames } from "./reportedMatrices.ts";
import { seedFor } from "./seedFor.ts";
import { completed, type Stages, stages } from "./stages.ts";
import { approximationNames, type StructuredRequest, structuredCost, structuredReport } from "./structuredReport.ts";
import { version } from "./version.ts";

/** Options of `curvatureReport`: its contents and its cost. A large network has more than 5,000 weights. */
export interface CurvatureReportOptions extends RunOptions {
  /**
   * Default: all matrices that the loss defines, except those that equal the Gauss-Newton matrix for this loss (`equalMatrices` of the
   * report has the evidence). The Fisher matrices need a likelihood.
   */
  readonly matrices?: readonly MatrixName[];
  /** Random vectors for trace, Frobenius norm and layers, one product each; at least 2, 100 by default, 50 for a large network. */
  readonly probes?: number;
  /** Lanczos steps for each random vector of the spectral density, one product each; 64 by default, 48 for a large network. */
  readonly steps?: number;
  /** Random vectors of the spectral density; 6 by default, 3 for a large network. */
  readonly densityProbes?: number;
  /** Eigenvalues at each end of the spectrum; 5 by default. */
  readonly eigenvalues?: number;
  readonly seed: number;
  /** The rows of all ranks, for ranges and counts; default: those of the risk. */
  readonly wholeData?: Data;
  /**
   * Whether to form dense matrices, so that the report has exact values beside the estimates. "auto", the default, forms them for at most
   * 1,600 weights, if this takes no more than twice the products of the rest.
   */
  readonly dense?: "auto" | boolean;
  /** Whether to round each layer alone to 8, 4 and 3 bits and evaluate the loss; default true. */
  readonly rounding?: boolean;
  /** Whether to measure the curvature in units of the weights; default true. */
  readonly relative?: boolean;
  /** Structured approximations to make and to compare with the Gauss-Newton matrix (`structuredReport`); none by default. */
  readonly structured?: readonly ApproximationName[];
  /** Entries that say how the report was made, for example the command; kept in the report as they are. */
  readonly provenance?: { readonly [entry: string]: string };
  /** Receives each sign that data are not those of the training, before the first matrix. */
  readonly onWarning?: (warning: string) => void;
  /** Receives the unfinished report after each matrix, to save it as `state` of another run; the run waits for it. */
  readonly onMatrix?: (unfinished: CurvatureReport) => Promise<void>;
  /** The `state` of the error of a run that was stopped. Its finished matrices are kept instead of computed again. */
  readonly state?: CurvatureReport;
}

/** Number of weights above which a report spends fewer products by default, since each takes tenths of a second. */
const LARGE = 5000;

/** Largest number of weights for which dense matrices are formed: the eigenvalues of a matrix then take about 4 s. */
const MOST_DENSE = 1600;

/**
 * Computes a report on the curvature of a risk as plain data: a summary of the data, loss, gradient, and for each matrix the trace and
 * Frobenius norm with standard errors, the same by layer, both ends of the spectrum with residuals, and the spectral density on two scales;
 * then the increase of the loss for each layer rounded alone (`layerRounding`), and the curvature in units of the weights. Products per
 * matrix: `probes + steps densityProbes`, plus those for the eigenvalues (at most `100 eigenvalues + 100`, half of that for a large
 * network), plus n for n weights if the dense matrix is formed. Estimates never use the dense matrix. Rounding takes three evaluations of
 * the loss a layer, at most as many as a matrix takes products; the relative curvature `probes` products and some tens.
 *
 * @throws CurvatureError "argument" for options out of range, a matrix that the loss does not define, or a `state` of another run;
 *   "aborted" when the signal stops it, with the finished matrices as `state`
 */
export async function curvatureReport(risk: Risk, options: CurvatureReportOptions): Promise<CurvatureReport> {
  checkObject(risk, "curvatureReport expects a risk made by empiricalRisk", ["model", "parameters", "engine"]);
  checkObject(options, "curvatureReport expects options", ["seed"]);
  const began = performance.now();
  const asked = chosenMatrices(risk, options.matrices);
  checkApproximations(options.structured);
  const plan = planOf(checkedOptions(options, risk.size), risk.size);
  const first = await firstOrder(risk, options);
  for (const warning of first.warnings) options.onWarning?.(warning);
  const equal = options.matrices === undefined ? await equalOf(risk, { asked, plan, options }) : [];
  const names = asked.filter((name) => equal.every((matrix) => matrix.name !== name));
  const head = { ...headOf(risk, { first, plan, options }), ...(equal.length > 0 ? { equalMatrices: equal } : {}) };
  const matrices: { [name in MatrixName]?: ReportedMatrix } = { ...finishedMatrices(options.state, { head, names }) };
  const whole = (rest: Partial<CurvatureReport>): CurvatureReport => {
    const seconds = (performance.now() - began) / 1000 + (options.state?.seconds ?? 0);
    return { ...head, matrices, ...rest, seconds };
  };
  const onMatrix = async () => options.onMatrix?.(whole({ matrices: { ...matrices }, partial: true }));
  try {
    return whole(await measured(risk, { names, plan, options, first, matrices, onMatrix }));
  } catch (error) {
    if (!(error instanceof CurvatureError && error.code === "aborted" && Object.keys(matrices).length > 0)) throw error;
    throw new CurvatureError("aborted", error.message, { cause: error, state: whole({ partial: true }) });
  }
}

/** The parts of the report that are known before the first matrix. */
function headOf(
  risk: Risk,
  {
    first,
    plan,
    options,
  }: { readonly first: FirstOrder; readonly plan: MatrixPlan; readonly options: CurvatureReportOptions },
): Omit<CurvatureReport, "matrices" | "seconds"> {
  const { model, data } = description(risk);
  const { warnings, summary, gradientNorm, secondsPerGradient, accuracy } = first;
  return {
    version,
    model,
    data: { ...data, summary, ...(warnings.length > 0 ? { warnings } : {}) },
    loss: { name: risk.lossFunction.name, reduction: risk.lossFunction.reduction, value: first.loss },
    ...(accuracy === undefined ? {} : { accuracy }),
    gradient: { norm: gradientNorm },
    seed: plan.seed,
    dtype: risk.dtype,
    cache: risk.settings.cache,
    budget: plan,
    secondsPerGradient,
    ...(options.provenance ? { provenance: options.provenance } : {}),
  };
}

/**
 * The finished matrices of a stopped run.
 *
 * @throws CurvatureError "argument" unless loss, gradient, weights and budget are the same to the last bit
 */
function finishedMatrices(
  state: CurvatureReport | undefined,
  {
    head,
    names,
  }: { readonly head: Omit<CurvatureReport, "matrices" | "seconds">; readonly names: readonly MatrixName[] },
): CurvatureReport["matrices"] {
  if (state === undefined) return {};
  checkObject(state, "curvatureReport expects state of a stopped run", ["matrices", "loss", "gradient"]);
  const facts = ({ version, model, data, loss, gradient, dtype, budget }: typeof head) =>
    JSON.stringify([version, model.parameters, data.rows, data.batchSize, loss, gradient, dtype, budget]);
  if (facts(state) !== facts(head)) {
    throw new CurvatureError(
      "argument",
      "expected the state of a run with the same model, data, loss, budget and seed, got that of another one; start without it",
    );
  }
  return Object.fromEntries(Object.entries(state.matrices).filter(([name]) => names.includes(name as MatrixName)));
}

/** The matrices that equal the Gauss-Newton matrix for this loss. */
function equalOf(
  risk: Risk,
  {
    asked,
    plan,
    options,
  }: { readonly asked: readonly MatrixName[]; readonly plan: MatrixPlan; readonly options: CurvatureReportOptions },
): Promise<readonly EqualMatrix[]> {
  const family = (["ggn", "fisher2", "fisher1"] as const).filter((name) => asked.includes(name));
  const operators = family.map((name) => ({ name, ...matrixEntry(name).make(risk, plan.seed) }));
  return equalMatrices(operators, { seed: plan.seed, ...(options.signal && { signal: options.signal }) });
}

interface Measurement {
  readonly names: readonly MatrixName[];
  readonly plan: MatrixPlan;
  readonly options: CurvatureReportOptions;
  readonly first: FirstOrder;
  /** The finished matrices, to which each new one is added. */
  readonly matrices: { [name in MatrixName]?: ReportedMatrix };
  /** Called after each. */
  readonly onMatrix: () => Promise<void>;
}

/**
 * Reports on the matrices one after the other, then on the distance of the Hessian from the Gauss-Newton matrix if both are included, on the
 * rounding of layers and the relative curvature if there is a matrix of curvature.
 */
async function measured(risk: Risk, request: Measurement): Promise<Partial<CurvatureReport>> {
  const { names, plan, options, matrices, onMatrix } = request;
  const operators = Object.fromEntries(names.map((name) => [name, matrixEntry(name).make(risk, plan.seed)]));
  const { hessian: H, ggn: G } = operators;
  const gap = H && G ? subtract(H.operator, G.operator) : undefined;
  const gapProducts = gap ? 2 * Math.min(plan.probes, risk.size) : 0;
  const curved = names.find((name) => matrixEntry(name).words.curvatureOf !== undefined);
  const relative =
    curved !== undefined && options.relative !== false ? relativePlan(request, { curved, operators }) : undefined;
  const roundings = curved !== undefined && options.rounding !== false ? roundingCost(risk, plan) : 0;
  const missing = names.filter((name) => matrices[name] === undefined);
  const structured = structuredPlan(risk, request);
  const rest =
    gapProducts +
    roundings +
    (relative ? relativeCost(relative, risk.size) : 0) +
    (structured ? structuredCost(risk, structured) : 0);
  const work = stages(missing.length * plannedProducts(plan, risk.size) + rest, options);
  const layers = layerBlocks(risk.parameters);
  for (const name of missing) {
    const { title, operator } = operators[name]!;
    const words = { title, words: matrixEntry(name).words, place: matrixNames.indexOf(name) };
    matrices[name] = { ...words, ...(await matrixReport(operator, { title, layers, plan, stages: work })) };
    await onMatrix();
  }
  const residualShare = gap && (await gapShare(gap, { plan, stages: work, hessian: matrices.hessian!.frobenius }));
  const found = curved && matrices[curved];
  return {
    ...(residualShare ? { residualShare } : {}),
    ...(found && roundings > 0
      ? {
          rounding: await work.run({ name: "rounding of layers", cost: roundings }, (run) =>
            layerRounding(risk, { ...run, layers: found.layers, evaluations: roundings }),
          ),
        }
      : {}),
    ...(relative ? { relative: await relativeCurvature(risk, { ...relative, stages: work }) } : {}),
    ...(structured ? { structured: await structuredReport(risk, { ...structured, stages: work }) } : {}),
  };
}

/** Products with each layer's part of random vectors: as many as for the moments of a matrix, but at least 4 vectors and at most 20. */
function structuredPlan(
  risk: Risk,
  { plan, options, first }: Measurement,
): Omit<StructuredRequest, "stages"> | undefined {
  const { structured: names = [] } = options;
  if (names.length === 0) return undefined;
  const layers = layerBlocks(risk.parameters).layers.length;
  const probes = Math.min(20, Math.max(4, Math.floor((4 * plan.probes) / layers)));
  const { secondsPerGradient } = first;
  return {
    names: approximationNames.filter((name) => names.includes(name)),
    probes,
    seed: plan.seed,
    secondsPerGradient,
  };
}

/** @throws CurvatureError "argument" for a name that is none of them */
function checkApproximations(names: readonly ApproximationName[] = []): void {
  for (const name of names) {
    if (approximationNames.includes(name)) continue;
    const known = approximationNames.join(", ");
    throw new CurvatureError("argument", `expected structured approximations among ${known}, got "${String(name)}"`);
  }
}

/** Evaluations of the loss for the rounding of layers: at most as many as a matrix takes products. */
function roundingCost(risk: Risk, plan: MatrixPlan): number {
  const layers = new Set(risk.parameters.filter(isRounded).map(({ layer }) => layer));
  return Math.min(layers.size * ROUNDING_BITS.length, plannedProducts(plan, risk.size));
}

function relativePlan(
  { plan, first }: Measurement,
  {
    curved,
    operators,
  }: {
    readonly curved: MatrixName;
    readonly operators: { readonly [name: string]: { readonly operator: LinearOperator } };
  },
): Omit<RelativeRequest, "stages"> {
  const { targets } = first.summary;
  const guessing = first.isMean && targets ? guessingLoss(first.lossName, targets) : undefined;
  return {
    matrix: operators[curved]!.operator,
    noun: matrixEntry(curved).words.noun,
    psd: operators.ggn?.operator.psd ? operators.ggn.operator : undefined,
    psdNoun: matrixEntry("ggn").words.noun,
    probes: Math.max(2, Math.ceil(plan.probes / 2)),
    eigenvalueProducts: 40,
    seed: plan.seed,
    guessing: guessing !== undefined && guessing > 0 ? guessing : undefined,
    loss: first.loss,
  };
}

function chosenMatrices(risk: Risk, asked: readonly MatrixName[] | undefined): readonly MatrixName[] {
  const { likelihood, name: loss } = risk.lossFunction;
  const defined = matrixNames.filter((name) => likelihood !== undefined || !matrixEntry(name).needsLikelihood);
  const names = (asked ?? defined).map((text) => {
    const name = matrixNamed(text);
    if (name === undefined) {
      throw new CurvatureError("argument", `expected matrices among ${matrixNames.join(", ")}, got "${text}"`);
    }
    if (!defined.includes(name)) {
      const message = `${name} needs a loss with a likelihood, and ${loss} has none; ask for ${defined.join(", ")}, or declare its likelihood`;
      throw new CurvatureError("argument", message);
    }
    return name;
  });
  return matrixNames.filter((name) => names.includes(name));
}

function checkedOptions(options: CurvatureReportOptions, size: number) {
  const usual =
    size > LARGE ? { probes: 50, steps: 48, densityProbes: 3 } : { probes: 100, steps: 64, densityProbes: 6 };
  const { probes, steps, densityProbes } = { ...usual, ...definedOnly(options) };
  const { eigenvalues = 5, seed, dense = "auto" } = options;
  const limits = { probes: 2, steps: 1, densityProbes: 1, eigenvalues: 1 };
  for (const [name, value] of Object.entries({ probes, steps, densityProbes, eigenvalues })) {
    const least = limits[name as keyof typeof limits];
    if (Number.isInteger(value) && value >= least) continue;
    throw new CurvatureError("argument", `expected ${name} to be a whole number of at least ${least}, got ${value}`);
  }
  if (!Number.isFinite(seed)) throw new CurvatureError("argument", `expected seed to be a number, got ${seed}`);
  return { probes, steps, densityProbes, eigenvalues, seed, dense };
}

/** The budgets that the caller gave. */
function definedOnly({ probes, steps, densityProbes }: CurvatureReportOptions) {
  return {
    ...(probes === undefined ? {} : { probes }),
    ...(steps === undefined ? {} : { steps }),
    ...(densityProbes === undefined ? {} : { densityProbes }),
  };
}

function planOf(options: ReturnType<typeof checkedOptions>, size: number): MatrixPlan {
  const eigenvalueProducts = (size > LARGE ? 50 : 100) * (options.eigenvalues + 1);
  const plan = { ...options, eigenvalueProducts, dense: false };
  const cheap = size <= MOST_DENSE && size <= 2 * plannedProducts(plan, size);
  return { ...plan, dense: options.dense === "auto" ? cheap : options.dense };
}

/** ||H - G||_F / ||H||_F. Numerator and denominator use independent probes, so that the squares of their relative errors add. */
async function gapShare(
  gap: LinearOperator,
  {
    plan,
    stages: work,
    hessian: norm,
  }: { readonly plan: MatrixPlan; readonly stages: Stages; readonly hessian: Quantity },
): Promise<Quantity | undefined> {
  const probes = Math.min(plan.probes, gap.shape[0]);
  const moments = await work.run({ name: "Hessian - Gauss-Newton", cost: 2 * probes }, async (options) => {
    const result = await hutchinsonMoments(gap, { ...options, matvecs: plan.probes, seed: seedFor(plan.seed, "gap") });
    return completed(result, "Hessian - Gauss-Newton");
  });
  if (norm.value === 0) return undefined;
  const { value, standardError } = moments.frobenius;
  const share = value / norm.value;
  const ownError = standardError / norm.value;
  return {
    value: share,
    standardError: Math.hypot(ownError, (share * norm.standardError) / norm.value),
    matvecs: 2 * moments.matvecs,
    ...(moments.exact && norm.exact ? { exact: true } : {}),
  };
}

function description(risk: Risk): Pick<CurvatureReport, "model" | "data"> {
  const { model, data, parameters } = risk;
  return {
    model: {
      file: model.name,
      parameters: risk.size,
      tensors: parameters.map(({ name, dims, role, layer, evidence, certain }) => ({
        name,
        dims,
        role,
        layer,
        ...(evidence && { evidence }),
        ...(certain !== undefined && { certain }),
      })),
      ...("opset" in model && typeof model.opset === "number" ? { opset: model.opset } : {}),
      notices: risk.notices,
    },
    data: { file: data.description, rows: risk.summedRows, batchSize: data.batchSize },
  };
}
