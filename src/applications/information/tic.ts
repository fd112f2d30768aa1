import { CurvatureError, checkObject } from "../../errors/index.ts";
import type { Estimate, LinearOperator, RunOptions } from "../../linalg/index.ts";
import { checkCount, checkNonnegative, checkSeed } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { norm } from "../../linalg/vectors/vector.ts";
import { empiricalFisher, gradientCovariance, hessian, type Risk } from "../../operators/index.ts";
import { dampedSolver, inverseProductTrace, type SolveOptions } from "./dampedTrace.ts";

/** Options of `tic`. */
export interface TicOptions extends SolveOptions, RunOptions {
  readonly seed: number;
  /** Added to the matrix; default 0, for which the matrix must be positive definite. It biases the penalty downward: look at several. */
  readonly damping?: number;
  /** The matrix A of the mean loss, with penalties if the weights were trained with some: any operator; default: the Hessian. */
  readonly matrix?: LinearOperator;
  /** Second moment of the rows' gradients: "second moment" (default) or "covariance", which subtracts their mean. */
  readonly moment?: "second moment" | "covariance";
  /** Random vectors, one solution and one product each, at least 2; 30 by default. The trace is exact from `risk.size` on. */
  readonly probes?: number;
}

/** Takeuchi's information criterion. */
export interface Tic {
  /** `2 sum nll + 2 penalty`, in the units of Akaike's criterion. */
  readonly tic: Estimate;
  /** `tr((A + damping I)^-1 C)`, which estimates the number of parameters in a true model. */
  readonly penalty: Estimate;
  /** `2 sum nll + 2 D` */
  readonly aic: number;
  /** Sum over rows of the negative log-likelihood as the loss has it. */
  readonly negativeLogLikelihood: number;
  readonly damping: number;
  /** Norm of the gradient of the loss: the criterion is about a minimum. */
  readonly gradientNorm: number;
  /** Products with C and with A. */
  readonly matvecs: number;
  /** Largest residual of the solutions over their right-hand sides. */
  readonly solveResidual: number;
  readonly message: string;
}

const NAME = "tic";

/**
 * Takeuchi's information criterion `2 sum nll + 2 tr(A^-1 C)` (Takeuchi, 1976) with A the Hessian of the mean loss and C the second moment of the rows' gradients, and
 * Akaike's, where the trace is the number of parameters. The trace is Hutchinson's estimate with a solution by conjugate gradients, or by the operator's own inverse, for each
 * random vector. At a network that fits all rows C is tiny and A nearly singular, so that the value depends on the damping.
 *
 * @throws CurvatureError "argument" for options it cannot take, "unsupported" for a loss that is no mean over rows with a likelihood, "numeric" where A plus damping is not
 *   positive definite, "aborted" when the signal fires
 */
export async function tic(risk: Risk, options: TicOptions): Promise<Tic> {
  checkObject(risk, `${NAME} expects a risk made by empiricalRisk`, ["model", "parameters", "engine"]);
  checkOptions(NAME, options, "seed damping matrix moment probes solveTolerance solveMatvecs signal onProgress");
  const { seed, damping = 0, matrix = hessian(risk), moment = "second moment", probes = 30, signal } = options;
  checkSeed(NAME, seed);
  checkNonnegative(NAME, "damping", damping);
  checkCount(NAME, "probes", probes);
  const C = momentOf(risk, moment);
  const run = signal ? { signal } : {};
  const negativeLogLikelihood = (await risk.loss(run)) * rowsOf(risk);
  const gradientNorm = norm(await risk.gradient(run));
  const solver = dampedSolver(NAME, matrix, { damping, ...options });
  const trace = await inverseProductTrace({ solver, C, size: risk.size }, { ...options, probes });
  const penalty = { value: trace.value, standardError: trace.standardError };
  return {
    tic: { value: 2 * negativeLogLikelihood + 2 * penalty.value, standardError: 2 * penalty.standardError },
    penalty,
    aic: 2 * negativeLogLikelihood + 2 * risk.size,
    negativeLogLikelihood,
    damping,
    gradientNorm,
    matvecs: trace.matvecs + solver.matvecs(),
    solveResidual: solver.worstResidual(),
    message: `penalty ${penalty.value.toPrecision(4)} with standard error ${penalty.standardError.toPrecision(2)} at damping ${damping}, of ${risk.size} parameters`,
  };
}

function momentOf(risk: Risk, moment: TicOptions["moment"]): LinearOperator {
  if (moment === "covariance") return gradientCovariance(risk);
  if (moment === "second moment") return empiricalFisher(risk);
  throw new CurvatureError(
    "argument",
    `${NAME} expects moment to be "second moment" or "covariance", got ${String(moment)}`,
  );
}

/** Rows over which a mean loss is a mean. Refuses losses of which a sum over rows is not the number of rows times the mean. */
function rowsOf(risk: Risk): number {
  const { lossFunction, rows, shard } = risk;
  if (lossFunction.likelihood !== undefined && lossFunction.reduction === "mean" && shard.denominator === rows)
    return rows;
  throw new CurvatureError(
    "unsupported",
    `${NAME} expects a loss that is the mean over rows of a negative log-likelihood, such as crossEntropy() with one label a row; ${lossFunction.name} with reduction "${lossFunction.reduction}" divides by ${shard.denominator} for ${rows} rows`,
  );
}
