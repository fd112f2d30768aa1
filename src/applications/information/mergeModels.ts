import { CurvatureError, checkObject } from "../../errors/index.ts";
import { cg, functionOperator, type LinearOperator, type Outcome, type RunOptions } from "../../linalg/index.ts";
import { checkCount, checkNonnegative } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { axpy, norm } from "../../linalg/vectors/vector.ts";
import { fisher, ggn, type Risk } from "../../operators/index.ts";
import { type Vector, zeros } from "../../tensors/index.ts";

/** A model to merge: its weights, and how much each direction of them matters. */
export interface MergedTask {
  /** The risk of the model at its weights, on rows of its own task. */
  readonly risk: Risk;
  /** Factor c_t of its matrix; 1 by default. */
  readonly weight?: number;
  /**
   * The matrix F_t of the mean loss: any symmetric operator, or a diagonal `[size]`. Default: the Fisher matrix of type 2, or the Gauss-Newton matrix for a loss without a
   * likelihood, by products.
   */
  readonly matrix?: LinearOperator | Vector;
}

/** Options of `mergeModels`. */
export interface MergeOptions extends RunOptions {
  /** "matrix" (default) solves with the matrices; "diagonal" averages entry by entry with diagonals, which must be given; "average" is the plain mean with the weights c_t. */
  readonly method?: "matrix" | "diagonal" | "average";
  /** Damping d of "matrix", which pulls to the mean of the models; 1e-3 by default. */
  readonly damping?: number;
  /** Least entry of a diagonal in "diagonal"; 1e-6 by default. */
  readonly floor?: number;
  /** Bound on the residual over the right-hand side; 1e-8 by default, 1e-4 for float32 risks. */
  readonly tolerance?: number;
  /** Most products with each matrix; 1000 by default. */
  readonly matvecs?: number;
}

/** Merged weights. */
export interface MergedModel extends Outcome {
  /** `[size]` */
  readonly theta: Vector;
  /** Loss of each task at its own weights, at the merged ones, and at the plain average. */
  readonly tasks: readonly { readonly own: number; readonly merged: number; readonly average: number }[];
  /** Residual of the linear system over its right-hand side; 0 without one. */
  readonly residual: number;
  readonly damping: number;
}

const NAME = "mergeModels";

/**
 * Merges models of one architecture that have a common ancestor, weighted by what each knows (Matena and Raffel, 2022). "matrix": `(sum_t c_t F_t + d I) theta = sum_t c_t F_t theta_t + d
 * mean(theta_t)`, which minimizes the sum of `(theta - theta_t)'(c_t F_t + d/T I)(theta - theta_t) / 2`, by conjugate gradients from the mean. "diagonal": `sum_t c_t F_t theta_t / sum_t c_t F_t`, with
 * entries of at least `floor`. Units that were permuted are not matched. A step of the solver takes a product with each F_t; three values of each task's loss.
 *
 * @throws CurvatureError "argument" or "shape" for tasks that do not fit together and options it cannot take, "numeric" where the system has no solution
 */
export async function mergeModels(tasks: readonly MergedTask[], options: MergeOptions = {}): Promise<MergedModel> {
  checkOptions(NAME, options, "method damping floor tolerance matvecs signal onProgress");
  const { method = "matrix", damping = 1e-3, floor = 1e-6 } = options;
  checkTasks(tasks);
  checkNonnegative(NAME, "damping", damping);
  checkNonnegative(NAME, "floor", floor);
  const average = weightedMean(tasks, (_, i) => tasks[i]!.weight ?? 1);
  const merged = await mergedBy(method, { tasks, average, damping, floor, options });
  const measured = await Promise.all(
    tasks.map(async ({ risk }) => ({
      own: await risk.loss(),
      merged: await lossAt(risk, merged.theta),
      average: await lossAt(risk, average),
    })),
  );
  return { damping, tasks: measured, ...merged };
}

interface Merging {
  readonly tasks: readonly MergedTask[];
  readonly average: Vector;
  readonly damping: number;
  readonly floor: number;
  readonly options: MergeOptions;
}

type Merged = Pick<MergedModel, "theta" | "residual" | "status" | "message" | "matvecs">;

async function mergedBy(method: MergeOptions["method"], merging: Merging): Promise<Merged> {
  const { average, tasks, floor } = merging;
  const done = { residual: 0, status: "converged" as const, matvecs: 0 };
  if (method === "average") return { theta: average, ...done, message: "the mean of the weights" };
  if (method === "matrix") return byMatrices(merging);
  if (method !== "diagonal") {
    throw new CurvatureError(
      "argument",
      `${NAME} expects method "matrix", "diagonal" or "average", got ${String(method)}`,
    );
  }
  const diagonals = await Promise.all(tasks.map(diagonalOf));
  const theta = weightedMean(tasks, (t, i) => (tasks[i]!.weight ?? 1) * Math.max(diagonals[i]![t]!, floor));
  return { theta, ...done, message: `entries weighted by diagonals of at least ${floor}` };
}

async function diagonalOf({ matrix }: MergedTask): Promise<Vector> {
  if (ArrayBuffer.isView(matrix)) return matrix;
  const known = await matrix?.diagonal?.();
  if (known !== undefined) return known;
  throw new CurvatureError(
    "argument",
    `${NAME} expects a diagonal for each task with method "diagonal": numbers, or an operator with diagonal(); estimate one by hutchinsonDiagonal`,
  );
}

async function byMatrices({ tasks, average, damping, options }: Merging): Promise<Merged> {
  const { tolerance, matvecs = 1000, signal, onProgress } = options;
  checkCount(NAME, "matvecs", matvecs);
  const matrices = tasks.map(({ risk, matrix = usualMatrix(risk) }) => matrix);
  const [{ risk }] = tasks as readonly [MergedTask];
  const times = async (i: number, x: Vector) => {
    const matrix = matrices[i]!;
    if (ArrayBuffer.isView(matrix)) return x.map((entry, k) => entry * matrix[k]!);
    return matrix.matvec(x, signal ? { signal } : {});
  };
  const summed = async (of: (i: number) => Vector, shift: Vector) => {
    const sum = zeros(shift.length, "float64");
    axpy(damping, shift, sum);
    for (let i = 0; i < tasks.length; i++) axpy(tasks[i]!.weight ?? 1, await times(i, of(i)), sum);
    return sum;
  };
  const plain = weightedMean(tasks, () => 1);
  const b = await summed((i) => tasks[i]!.risk.theta(), plain);
  const A = functionOperator({ shape: [risk.size, risk.size], psd: true, matvec: (x) => summed(() => x, x) });
  const usual = risk.dtype === "float32" ? 1e-4 : 1e-8;
  const run = { ...(signal && { signal }), ...(onProgress && { onProgress }) };
  const solved = await cg(A, b, { tolerance: tolerance ?? usual, matvecs, x0: Float64Array.from(average), ...run });
  if (solved.status === "indefinite" || solved.status === "nonfinite" || solved.status === "aborted") {
    throw new CurvatureError(solved.status === "aborted" ? "aborted" : "numeric", `${NAME}: ${solved.message}`);
  }
  const size = norm(b);
  return {
    theta: risk.dtype === "float32" ? Float32Array.from(solved.x) : solved.x,
    residual: size === 0 ? 0 : solved.residualNorm / size,
    status: solved.status,
    message: solved.message,
    matvecs: solved.matvecs,
  };
}

function usualMatrix(risk: Risk): LinearOperator {
  return risk.lossFunction.likelihood === undefined ? ggn(risk) : fisher(risk, { type: 2 });
}

/** Mean of the tasks' weights, entry by entry with these factors. */
function weightedMean(tasks: readonly MergedTask[], factor: (entry: number, task: number) => number): Vector {
  const thetas = tasks.map(({ risk }) => risk.theta());
  return thetas[0]!.map((_, k) => {
    let [sum, total] = [0, 0];
    thetas.forEach((theta, i) => {
      sum += factor(k, i) * theta[k]!;
      total += factor(k, i);
    });
    return sum / total;
  });
}

async function lossAt(risk: Risk, theta: Vector): Promise<number> {
  const moved = risk.at(theta);
  try {
    return await moved.loss();
  } finally {
    await moved.dispose();
  }
}

function checkTasks(tasks: readonly MergedTask[]): void {
  if (!Array.isArray(tasks) || tasks.length === 0) {
    throw new CurvatureError(
      "argument",
      `${NAME} expects a list of tasks { risk }, got ${Array.isArray(tasks) ? "none" : typeof tasks}`,
    );
  }
  for (const task of tasks)
    checkObject(task?.risk, `${NAME} expects a risk for each task`, ["model", "parameters", "engine"]);
  const shapes = ({ risk }: MergedTask) => risk.parameters.map(({ name, dims }) => `${name} [${dims}]`).join(", ");
  const first = tasks[0]!;
  const other = tasks.find((task) => shapes(task) !== shapes(first));
  if (other !== undefined) {
    throw new CurvatureError(
      "shape",
      `${NAME} expects models of one architecture with the same parameters, got ${shapes(first).slice(0, 200)} and ${shapes(other).slice(0, 200)}`,
    );
  }
  for (const { weight = 1, matrix, risk } of tasks) {
    if (!(weight > 0 && Number.isFinite(weight))) {
      throw new CurvatureError("argument", `${NAME} expects weights to be positive and finite, got ${weight}`);
    }
    const size = matrix === undefined ? risk.size : "shape" in matrix ? matrix.shape[0] : matrix.length;
    if (size !== risk.size)
      throw new CurvatureError("shape", `${NAME} expects matrices of ${risk.size} weights, got ${size}`);
  }
}
