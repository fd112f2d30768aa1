import { CurvatureError, checkObject } from "../errors/index.ts";
import { hutchinsonMoments, type LinearOperator, type RunOptions, subtract } from "../linalg/index.ts";
import type { Risk } from "../operators/index.ts";
import { accuracy } from "./accuracy.ts";
import { normOf } from "./exactSpectrum.ts";
import { layerBlocks } from "./layerBlocks.ts";
import { type MatrixPlan, matrixReport, plannedProducts } from "./matrixReport.ts";
import type { CurvatureReport, MatrixName, Quantity, ReportedMatrix } from "./report.ts";
import { matrixEntry, matrixNamed, matrixNames } from "./reportedMatrices.ts";
import { seedFor } from "./seedFor.ts";
import { completed, type Stages, stages } from "./stages.ts";
import { version } from "./version.ts";

/** Options of `curvatureReport`: its contents and its cost. A large network has more than 5,000 weights. */
export interface CurvatureReportOptions extends RunOptions {
  /** Default: all matrices that the loss defines; the Fisher matrices need a likelihood. */
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
  /**
   * Whether to form dense matrices, so that the report has exact values beside the estimates. "auto", the default, forms them for at most
   * 1,600 weights, if this takes no more than twice the products of the rest.
   */
  readonly dense?: "auto" | boolean;
}

/** Number of weights above which a report spends fewer products by default, since each takes tenths of a second. */
const LARGE = 5000;

/** Largest number of weights for which dense matrices are formed: the eigenvalues of a matrix then take about 4 s. */
const MOST_DENSE = 1600;

/**
 * Computes a report on the curvature of a risk as plain data: loss, gradient, and for each matrix the trace and Frobenius norm with
 * standard errors, the same by layer, both ends of the spectrum with residuals, and the spectral density on two scales. Products per
 * matrix: `probes + steps densityProbes`, plus those for the eigenvalues (at most `100 eigenvalues + 100`, half of that for a large
 * network), plus n for n weights if the dense matrix is formed. Estimates never use the dense matrix.
 *
 * @throws CurvatureError "argument" for options out of range or a matrix that the loss does not define, "aborted" when the signal stops it
 */
export async function curvatureReport(risk: Risk, options: CurvatureReportOptions): Promise<CurvatureReport> {
  checkObject(risk, "curvatureReport expects a risk made by empiricalRisk", ["model", "parameters", "engine"]);
  checkObject(options, "curvatureReport expects options", ["seed"]);
  const began = performance.now();
  const names = chosenMatrices(risk, options.matrices);
  const plan = planOf(checkedOptions(options, risk.size), risk.size);
  const first = await firstOrder(risk, options);
  const { matrices, residualShare } = await matricesOf(risk, { names, plan, options });
  return {
    version,
    ...description(risk),
    loss: { name: risk.lossFunction.name, reduction: risk.lossFunction.reduction, value: first.loss },
    ...(first.accuracy === undefined ? {} : { accuracy: first.accuracy }),
    gradient: { norm: first.gradientNorm },
    matrices,
    ...(residualShare ? { residualShare } : {}),
    seed: plan.seed,
    dtype: risk.dtype,
    cache: risk.settings.cache,
    secondsPerGradient: first.secondsPerGradient,
    seconds: (performance.now() - began) / 1000,
  };
}

/** Reports on the matrices one after the other, and the distance of the Hessian from the Gauss-Newton matrix if both are included. */
async function matricesOf(
  risk: Risk,
  {
    names,
    plan,
    options,
  }: {
    readonly names: readonly MatrixName[];
    readonly plan: MatrixPlan;
    readonly options: RunOptions;
  },
): Promise<Pick<CurvatureReport, "matrices" | "residualShare">> {
  const operators = Object.fromEntries(names.map((name) => [name, matrixEntry(name).make(risk, plan.seed)]));
  const { hessian: H, ggn: G } = operators;
  const gap = H && G ? subtract(H.operator, G.operator) : undefined;
  const gapProducts = gap ? 2 * Math.min(plan.probes, risk.size) : 0;
  const work = stages(names.length * plannedProducts(plan, risk.size) + gapProducts, options);
  const layers = layerBlocks(risk.parameters);
  const matrices: { [name in MatrixName]?: ReportedMatrix } = {};
  for (const name of names) {
    const { title, operator } = operators[name]!;
    const words = { title, words: matrixEntry(name).words, place: matrixNames.indexOf(name) };
    matrices[name] = { ...words, ...(await matrixReport(operator, { title, layers, plan, stages: work })) };
  }
  const residualShare = gap && (await gapShare(gap, { plan, stages: work, hessian: matrices.hessian!.frobenius }));
  return { matrices, ...(residualShare ? { residualShare } : {}) };
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

/** Loss, gradient and accuracy, and the time of a gradient after compilation. */
async function firstOrder(risk: Risk, { signal, onProgress }: RunOptions) {
  const options = signal ? { signal } : {};
  onProgress?.({ stage: "loss and gradient", done: 0 });
  const loss = await risk.loss(options);
  const gradient = await risk.gradient(options);
  const times: number[] = [];
  // The fastest of up to three repetitions; a long one is not repeated.
  while (times.length < 3 && times.reduce((sum, time) => sum + time, 0) < 1) {
    const began = performance.now();
    await risk.gradient(options);
    times.push((performance.now() - began) / 1000);
  }
  return {
    loss,
    gradientNorm: normOf(gradient),
    accuracy: await accuracy(risk, options),
    secondsPerGradient: Math.min(...times),
  };
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
