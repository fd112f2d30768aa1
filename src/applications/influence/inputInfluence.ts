import type { RunOptions } from "../../linalg/index.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { scal } from "../../linalg/vectors/vector.ts";
import { type InputOptions, inputTangentGradient, type Risk } from "../../operators/index.ts";
import { column, type Tensor } from "../../tensors/index.ts";
import { type InverseOptions, preparedInverse, signalOf } from "./inverseOptions.ts";
import { checkRows } from "./queryRisk.ts";
import { querySolutions } from "./querySolutions.ts";

/** Options of `inputInfluence`. */
export interface InputInfluenceOptions extends InverseOptions, InputOptions, RunOptions {}

/** Influence of the entries of training inputs on queries. */
export interface InputInfluence {
  /** Of each query, [rows, ...] in the input's shape: the derivative of the query's value in each entry of each training row, after training again. */
  readonly effects: readonly Tensor[];
  /** Largest residual of a query over its gradient. */
  readonly residual: number;
  readonly matvecs: number;
}

const NAME = "inputInfluence";

/**
 * Effect of small changes of training inputs on queries (Koh and Liang, 2017, section 2.2, I_pert,loss):
 *
 *     d value_t / d x_z = - (1 / N) d/dx_z (g_z' (A + damping I)^-1 g_t)
 *
 * for every entry of every training row, by one solution and one pass over the rows for each query, about three gradients. It tells which pixels of which rows a prediction
 * hangs on, and where a small forgery would move it most. Memory is that of the inputs for each query, and of all queries' solutions.
 *
 * @throws as `influence`, and as `inputGradient` for an input of integers
 */
export async function inputInfluence(
  risk: Risk,
  queries: Risk,
  options: InputInfluenceOptions,
): Promise<InputInfluence> {
  checkRows(NAME, risk);
  checkOptions(NAME, options, "matrix damping weightDecay solver input signal onProgress");
  const { input, signal } = options;
  const { systems, solver } = preparedInverse(NAME, risk, options);
  const { x, residual } = await querySolutions(NAME, risk, { queries, systems, signal });
  const effects: Tensor[] = [];
  for (let t = 0; t < x.columns; t++) {
    const found = await inputTangentGradient(risk, column(x, t), { ...(input && { input }), ...signalOf(options) });
    scal(-1, found.data as Float64Array);
    effects.push(found);
    options.onProgress?.({ stage: NAME, done: t + 1, total: x.columns });
  }
  return { effects, residual, matvecs: solver.matvecs() };
}
