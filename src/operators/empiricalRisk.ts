import { freeMemory, machineMemory } from "#runtime";
import type { Data } from "../data/index.ts";
import { CurvatureError, checkObject } from "../errors/index.ts";
import type { Loss } from "../losses/index.ts";
import { type Model, matches, type Pattern } from "../models/index.ts";
import type { Precision } from "../tensors/index.ts";
import { checkLogits } from "./checks/checkLogits.ts";
import { checkWeights } from "./checks/checkWeights.ts";
import { checkRowCoupling } from "./checks/rowCoupling.ts";
import { flatRanges } from "./engine/flatVectors.ts";
import type { Risk, RiskParameter, Shard } from "./engine/risk.ts";
import { sharedEngine } from "./engine/riskEngine.ts";
import type { RiskFamily } from "./engine/riskFamily.ts";
import { lossProduct } from "./products/lossAndGradient.ts";
import { attachData } from "./views/attachData.ts";
import { riskView, shardOf } from "./views/riskView.ts";

/** What an objective is made of. */
export interface EmpiricalRiskOptions {
  readonly model: Model;
  readonly loss: Loss;
  readonly data: Data;
  /** Precision of everything computed; default "float32". */
  readonly dtype?: Precision;
  /** Names or patterns (`*` for any characters) of the parameters to differentiate; default: all. */
  readonly parameters?: Pattern | readonly Pattern[];
  /** The output that the loss reads; default: what the loss names, else the model's first. */
  readonly output?: string;
  /**
   * Bytes that residuals kept between products may take, together with the values that are alive beside them; default: 2 GiB, or an eighth of
   * the machine's memory where that is less, whatever is free. 0 keeps none. Bits of products depend on it: `risk.settings` records it.
   */
  readonly cache?: number;
  /** Threads within one operation of ONNX Runtime, 1 to 256; its own choice if absent. */
  readonly threads?: number;
  /**
   * Takes outputs as the logits that the loss wants even where they are probabilities on the first batch; default false, which
   * refuses them: outputs in [0, 1] that sum to 1 over the classes where the loss contains Softmax, or that are in [0, 1] where
   * it contains Sigmoid, with the model's weights and with random ones.
   */
  readonly assumeLogits?: boolean;
  /**
   * Allows rows to influence one another (statistics over the batch, a graph whose nodes are the rows): the whole data set is then one batch,
   * and the loss a function of all its rows together. A file that fixes its number of rows keeps it, and each such group is one. Default
   * false, which refuses such models, since their results would depend on the batch size.
   */
  readonly coupledRows?: boolean;
  /** Bytes that the values of a batch may take at once; default: a quarter of the free memory. `Infinity` allows all. */
  readonly memoryLimit?: number;
  /** Place of the data in a larger data set, of which they are a part; default: they are the whole. */
  readonly shard?: Shard;
}

/** Share of the free memory that the values of a batch may take. */
const FREE_SHARE = 0.25;

/** Bytes of kept residuals unless the caller says otherwise, and their most as a share of the machine's memory. */
const USUAL_CACHE = 2 ** 31;
const MACHINE_SHARE = 1 / 8;

/** More threads than any processor has; some tens of thousands end the process. */
const MOST_THREADS = 256;

/**
 * The objective L(theta) = c sum_t w_t l(f_t, y_t) of a model on a data set, with c = 1 for "sum" and 1 / denominator for
 * "mean". Makes three passes over the data, which check numbers, labels and that a second pass gives the same, evaluates
 * the loss twice, and computes some rows in two batches.
 *
 * @throws CurvatureError "argument" for patterns that match no parameter, "data" for rows that do not fit model or loss,
 *   "model" for outputs that are probabilities where the loss takes logits, for weights that are not finite, and for rows that influence one another,
 *   "unsupported" for operators without a rule, "nondeterministic" where data or model change between two evaluations
 */
export async function empiricalRisk(options: EmpiricalRiskOptions): Promise<Risk> {
  checkObject(options, "empiricalRisk expects options", ["model", "loss", "data"]);
  checkObject(options.model, "empiricalRisk expects a model made by loadModel or functionModel", [
    "parameters",
    "graph",
  ]);
  checkObject(options.loss, "empiricalRisk expects a loss, as crossEntropy()", ["name", "reduction"]);
  checkObject(options.data, "empiricalRisk expects data, as arrays({ inputs, targets })", ["rows", "batches"]);
  checkOptions(options);
  const { model, loss, threads, dtype = "float32", cache = usualCache(), memoryLimit = usualLimit() } = options;
  const { coupledRows = false } = options;
  const chosen = chooseParameters(model, options.parameters);
  checkWeights(model, { chosen, precision: dtype });
  const outputs = chooseOutputs(model, { loss, output: options.output });
  const bounds = { cache, memoryLimit, ...(threads !== undefined && { threads }) };
  const settings = { model, loss, precision: dtype, outputs, chosen, ...bounds };
  const engine = sharedEngine(settings);
  try {
    const parameters = placeParameters(model, chosen);
    const family: RiskFamily = {
      model,
      loss,
      dtype,
      outputs,
      parameters,
      engine,
      coupledRows,
      cache,
      threads: threads ?? "all",
    };
    const attached = await attachData(family, options.data);
    if (options.assumeLogits !== true) await checkLogits(family, attached.bound);
    const shard = shardOf(attached, options.shard);
    const view = riskView(family, { ...attached, shard, theta: engine.theta, isReleased: () => false });
    const dispose = async () => {
      await view.dispose();
      await engine.release();
    };
    const risk: Risk = { ...view, dispose, [Symbol.asyncDispose]: dispose };
    const value = await checkDeterminism(risk);
    await checkRowCoupling(family, attached.bound);
    // Throws with the place.
    if (!Number.isFinite(value)) await risk.engine.total(lossProduct);
    return risk;
  } catch (error) {
    await engine.release();
    throw error;
  }
}

function usualCache(): number {
  return Math.min(USUAL_CACHE, Math.floor(machineMemory() * MACHINE_SHARE));
}

function usualLimit(): number {
  return Math.floor(freeMemory() * FREE_SHARE);
}

function checkOptions({ dtype = "float32", cache, threads, memoryLimit }: EmpiricalRiskOptions): void {
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1 && threads <= MOST_THREADS)) {
    throw new CurvatureError("argument", `threads must be an integer from 1 to ${MOST_THREADS}, got ${threads}`);
  }
  if (memoryLimit !== undefined && !(memoryLimit > 0)) {
    throw new CurvatureError("argument", `memoryLimit must be a positive number of bytes, got ${memoryLimit}`);
  }
  if (dtype !== "float32" && dtype !== "float64") {
    throw new CurvatureError("argument", `dtype must be "float32" or "float64", got ${JSON.stringify(dtype)}`);
  }
  if (cache !== undefined && !(cache >= 0))
    throw new CurvatureError("argument", `cache must be a number of bytes, not negative; got ${cache}`);
}

/** Indices of the parameters that are asked for. */
function chooseParameters(model: Model, wanted: EmpiricalRiskOptions["parameters"]): number[] {
  const names = model.parameters.map(({ name }) => name);
  if (names.length === 0) throw new CurvatureError("model", `${model.name} has no parameters to differentiate`);
  if (wanted === undefined) return names.map((_, index) => index);
  const patterns: readonly Pattern[] = Array.isArray(wanted) ? wanted : [wanted as Pattern];
  const unmatched = patterns.find((pattern) => !names.some((name) => matches(name, [pattern])));
  if (unmatched !== undefined || patterns.length === 0) {
    throw new CurvatureError(
      "argument",
      `no parameter matches ${String(unmatched ?? "an empty list")}; the model has ${names.slice(0, 10).join(", ")}${names.length > 10 ? ", ..." : ""}`,
    );
  }
  return names.flatMap((name, index) => (matches(name, patterns) ? [index] : []));
}

function chooseOutputs(
  model: Model,
  { loss, output }: { readonly loss: Loss; readonly output: string | undefined },
): readonly string[] {
  const names = model.outputs.map(({ name }) => name);
  const wanted = output === undefined ? (loss.outputNames ?? [names[0]]) : [output];
  for (const name of wanted) {
    if (names.includes(name)) continue;
    throw new CurvatureError(
      "argument",
      `${model.name} has no output "${name}"; it has ${names.map((each) => `"${each}"`).join(", ")}`,
    );
  }
  return wanted;
}

function placeParameters(model: Model, chosen: readonly number[]): RiskParameter[] {
  const ranges = flatRanges(chosen.map((index) => model.parameters[index].dims));
  return chosen.map((index, i) => {
    const { data: _, ...parameter } = model.parameters[index];
    return { ...parameter, ...ranges[i] };
  });
}

/** Two evaluations of the loss must agree to the last bit: nothing in the model may draw random numbers or keep a state. */
async function checkDeterminism(risk: Risk): Promise<number> {
  const [first, second] = [await risk.loss(), await risk.loss()];
  if (Object.is(first, second)) return first;
  throw new CurvatureError(
    "nondeterministic",
    `${risk.model.name}: two evaluations of the loss on the same data gave ${first} and ${second}; export the model in evaluation mode`,
  );
}
