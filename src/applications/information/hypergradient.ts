import { CurvatureError, checkObject } from "../../errors/index.ts";
import type { LinearOperator, RunOptions } from "../../linalg/index.ts";
import { checkNonnegative } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { dot, norm, scaled } from "../../linalg/vectors/vector.ts";
import { hessian, type Risk, rowGradients } from "../../operators/index.ts";
import type { Vector } from "../../tensors/index.ts";
import { decayOf, penalizedMatrix } from "../penalizedMatrix.ts";
import { dampedSolver, type SolveOptions } from "./dampedTrace.ts";

/** Options of `hypergradient`. */
export interface HypergradientOptions extends SolveOptions, RunOptions {
  /** The outer objective: the risk on validation rows at the same weights, as `risk.on(data)` gives it. */
  readonly validation: Risk;
  /** Strength w of the penalty `w / 2 |theta|^2` that the weights were trained with: one number, or one for each weight; default 0. */
  readonly weightDecay?: number | Vector;
  /** Added to the matrix; default 0. It biases the derivatives towards zero. */
  readonly damping?: number;
  /** The matrix of the loss alone: any operator; default: the Hessian. */
  readonly matrix?: LinearOperator;
  /** Whether to compute the derivative in the weight of each row, one product with the row gradients more; default true. */
  readonly rowWeights?: boolean;
}

/** Derivatives of a validation loss, through training. */
export interface Hypergradient {
  readonly validationLoss: number;
  /** `d validation / d weightDecay`, and in its logarithm, for a strength that is common to all weights. */
  readonly strength: number;
  readonly logStrength: number;
  /** The same by weight, `[size]`: the derivative in the strength of each alone. */
  readonly strengths: Vector;
  /** `d validation / d w_n` at w = 1, rows weighted as `1/N sum w_n l_n`, `[rows]`. */
  readonly rowWeights?: Vector;
  /** Norm of the gradient of the training objective: the derivatives are those at a minimum. */
  readonly gradientNorm: number;
  /** First-order bound on the errors of `strength` from the two residuals: of the minimum and of the solution. */
  readonly strengthError: number;
  readonly damping: number;
  /** Residual of the solution over its right-hand side. */
  readonly solveResidual: number;
  readonly matvecs: number;
  readonly message: string;
}

const NAME = "hypergradient";

/**
 * Derivatives of a validation loss in the strength of weight decay and in the weights of training rows, by implicit differentiation at the minimum of the training objective (Bengio, 2000;
 * Pedregosa, 2016): with `(H + w I) x = grad validation`, `d / dw = -theta'x` and `d / dw_n = -g_n'x / N`. One solution by conjugate gradients or by the operator's own inverse, and one product
 * with the row gradients for all rows.
 *
 * @throws CurvatureError "argument" or "shape" for options it cannot take, "unsupported" for row weights of rows that influence one another, "numeric" where the
 *   matrix is not positive definite, "aborted" when the signal fires
 */
export async function hypergradient(risk: Risk, options: HypergradientOptions): Promise<Hypergradient> {
  checkObject(risk, `${NAME} expects a risk made by empiricalRisk`, ["model", "parameters", "engine"]);
  checkObject(options, `${NAME} expects options { validation }`, ["validation"]);
  checkOptions(
    NAME,
    options,
    "validation weightDecay damping matrix rowWeights solveTolerance solveMatvecs signal onProgress",
  );
  const { validation, weightDecay = 0, damping = 0, matrix = hessian(risk), signal } = options;
  checkNonnegative(NAME, "damping", damping);
  const run = signal ? { signal } : {};
  const theta = risk.theta();
  checkValidation(risk, validation);
  const decay = decayOf(NAME, { weightDecay, size: risk.size });
  const outer = validation.at(theta);
  const [validationLoss, v] = [await outer.loss(run), await outer.gradient(run)];
  await outer.dispose();
  const A = penalizedMatrix(matrix, weightDecay);
  const solver = dampedSolver(NAME, A, { damping, solveTolerance: 1e-10, ...options });
  const x = await solver.solve(v);
  const g = (await risk.gradient(run)).map((entry, i) => entry + decay(i) * theta[i]!);
  const strengths = x.map((entry, i) => -theta[i]! * entry);
  let strength = 0;
  for (const entry of strengths) strength += entry;
  const common = typeof weightDecay === "number" ? weightDecay : Number.NaN;
  const along = options.rowWeights === false ? undefined : await rowGradients(risk).matvec(x, run);
  const rowWeights = along && scaled(-1 / risk.shard.rows, along);
  const gradientNorm = norm(g);
  // To first order the minimum is off by A^-1 g, and x by A^-1 r: theta'x is off by x'(A^-1 g) ~ and theta'A^-1 r, both bounded with the solutions at hand.
  const strengthError = Math.abs(dot(x, g)) + solver.worstResidual() * norm(theta) * norm(x);
  return {
    validationLoss,
    strength,
    logStrength: common * strength,
    strengths,
    ...(rowWeights && { rowWeights }),
    gradientNorm,
    strengthError,
    damping,
    solveResidual: solver.worstResidual(),
    matvecs: solver.matvecs(),
    message: `the gradient of the training objective has norm ${gradientNorm.toPrecision(2)}, the solution a relative residual of ${solver.worstResidual().toPrecision(2)}`,
  };
}

function checkValidation(risk: Risk, validation: Risk): void {
  checkObject(validation, `${NAME} expects validation as a risk, made by risk.on(data)`, ["model", "engine"]);
  if (validation.model === risk.model && validation.size === risk.size) return;
  throw new CurvatureError(
    "argument",
    `${NAME} expects validation to be the same model with the same parameters on other rows, as risk.on(data) gives it`,
  );
}
