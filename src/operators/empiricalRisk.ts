import { freeMemory, machineMemory } from "#runtime";
import type { Data } from "../data/index.ts";
import { type Communicator, exclusively, selfCommunicator, settled } from "../distributed/index.ts";
import { CurvatureError, checkObject } from "../errors/index.ts";
import type { Loss } from "../losses/index.ts";
import { type Model, matches, type Pattern } from "../models/index.ts";
import type { Precision } from "../tensors/index.ts";
import { checkLogits } from "./checks/checkLogits.ts";
import { checkSameOnRanks } from "./checks/checkSameOnRanks.ts";
import { checkWeights } from "./checks/checkWeights.ts";
import { checkRowCoupling } from "./checks/rowCoupling.ts";
import { flatRanges } from "./engine/flatVectors.ts";
import type { Risk, RiskParameter, Shard } from "./engine/risk.ts";
import { sharedEngine } from "./engine/riskEngine.ts";
import type { Ranks, RiskFamily } from "./engine/riskFamily.ts";
import { lossProduct } from "./products/lossAndGradient.ts";
import { attach, riskView } from "./views/riskView.ts";

/** Options of an empirical risk. */
export interface EmpiricalRiskOptions {
  readonly model: Model;
  readonly loss: Loss;
  readonly data: Data;
  /** Precision of all computations; default "float32". */
  readonly dtype?: Precision;
  /** Names or patterns (`*` for any characters) of the parameters to differentiate; default: all. */
  readonly parameters?: Pattern | readonly Pattern[];
  /** The output that the loss reads; default: the output that the loss names, else the model's first. */
  readonly output?: string;
  /**
   * Largest size in bytes of the residuals kept between products, together with the other values alive at the same time. Default: 2 GiB, or
   * an eighth of the machine's memory where that is less, independent of the free memory. 0 keeps none. Bits of products depend on it;
   * `risk.settings` records it.
   */
  readonly cache?: number;
  /** Threads within one operation of ONNX Runtime, 1 to 256; default: ONNX Runtime's choice. */
  readonly threads?: number;
  /**
   * Takes outputs as logits even if they are probabilities on the first batch. Default false, which rejects probabilities. Outputs count as
   * probabilities if they are in [0, 1], and sum to 1 over the classes for a loss that contains Softmax, with the model's weights and with
   * random ones. The check runs for losses that contain Softmax or Sigmoid.
   */
  readonly assumeLogits?: boolean;
  /**
   * Allows rows to influence one another (statistics over the batch, a graph whose nodes are the rows). The whole data set is then one
   * batch, and the loss is a function of all its rows together. If the file fixes its number of rows, each group of that many rows is one
   * batch. Default false, which rejects such models, since their results would depend on the batch size.
   */
  readonly coupledRows?: boolean;
  /**
   * Largest size in bytes of the values of a batch that are alive at the same time; default: a quarter of the free memory. `Infinity`
   * removes the limit.
   */
  readonly memoryLimit?: number;
  /** Place of the data in a larger data set, if they are a part of one; default: the data are the whole data set. */
  readonly shard?: Shard;
  /**
   * The ranks whose rows together are the data set, each holding some of them (`shardOf`). Loss, gradient and products with matrices are then
   * sums over the rows of all ranks, the same bits on each, and results by row are those of the rank's own rows. All ranks make the same calls on
   * the risk in the same order. Default: this process alone.
   */
  readonly communicator?: Communicator;
  /**
   * How sums over ranks are taken. "tree", the default, is that of the communicator: bits depend on the number of ranks. "ordered" adds the sums of
   * the shards of `shardOf(data, communicator, { shards })` one by one in float64: the same bits for any number of ranks, at the cost of
   * one more vector for each shard and one exchange after the other for each rank.
   */
  readonly reduction?: "tree" | "ordered";
  /**
   * Whether the bases of `eigsh`, `lanczos` and what is made of Lanczos bases are split over the ranks: each of n ranks holds an nth of every basis
   * vector, and each step exchanges a few vectors. Default: with several ranks, from 1,048,576 weights on (vectors of 4 MB), unless the reduction is
   * "ordered", with which bits could not be those of any number of ranks.
   */
  readonly splitBasis?: boolean;
}

/** Weights from which on a basis of float32 vectors is worth its exchanges. */
const SPLIT_FROM = 2 ** 20;

/** Largest share of the free memory for the values of a batch. */
const FREE_SHARE = 0.25;

/** Default size in bytes of kept residuals, and its upper bound as a share of the machine's memory. */
const USUAL_CACHE = 2 ** 31;
const MACHINE_SHARE = 1 / 8;

/** More threads than any processor has. Some tens of thousands would crash the process. */
const MOST_THREADS = 256;

/**
 * The objective L(theta) = c sum_t w_t l(f_t, y_t) of a model on a data set, with c = 1 for "sum" and 1 / denominator for "mean". Makes
 * three passes over the data to check numbers, labels and that a second pass returns the same data. Also evaluates the loss twice, and
 * computes some rows in two different batches.
 *
 * @throws CurvatureError "argument" for patterns that match no parameter, "data" for rows that do not fit model or loss,
 *   "model" for outputs that are probabilities where the loss takes logits, for weights that are not finite, and for rows that influence one another,
 *   "unsupported" for operators without a rule, "nondeterministic" where data or model change between two evaluations. With a
 *   communicator, an error of one rank is thrown on all of them, with its number; also where ranks have other models, losses or options.
 */
export async function empiricalRisk(options: EmpiricalRiskOptions): Promise<Risk> {
  checkObject(options, "empiricalRisk expects options", ["model", "loss", "data"]);
  const ranks = ranksOf(options);
  const settle = <T>(call: string, work: () => Promise<T>) =>
    ranks === undefined ? work() : exclusively(ranks.communicator, () => settled(ranks.communicator, call, work));
  let opened: RiskFamily | undefined;
  try {
    const family = await settle("empiricalRisk", async () => {
      opened = familyOf(options, ranks);
      return opened;
    });
    const attached = await attach(family, options.data, options.shard);
    if (family.ranks !== undefined) await checkSameOnRanks({ ...family, ranks: family.ranks }, attached);
    if (options.assumeLogits !== true) await settle("check of logits", () => checkLogits(family, attached.bound));
    const view = riskView(family, { ...attached, theta: family.engine.theta, isReleased: () => false });
    const dispose = async () => {
      await view.dispose();
      await family.engine.release();
    };
    const risk: Risk = { ...view, dispose, [Symbol.asyncDispose]: dispose };
    const value = await checkDeterminism(risk);
    await settle("check of row coupling", () => checkRowCoupling(family, attached.bound));
    // Throws an error that names the place.
    if (!Number.isFinite(value)) await risk.engine.total(lossProduct);
    return risk;
  } catch (error) {
    await opened?.engine.release();
    throw error;
  }
}

/** The ranks to add over; undefined for one process whose sums are taken as they come. */
function ranksOf({ communicator, reduction = "tree" }: EmpiricalRiskOptions): Omit<Ranks, "splitBasis"> | undefined {
  if (communicator !== undefined) {
    checkObject(communicator, "empiricalRisk expects a communicator, as that of mpiCommunicator()", ["rank", "size"]);
  }
  if (reduction === "tree" && (communicator === undefined || communicator.size === 1)) return undefined;
  return { communicator: communicator ?? selfCommunicator(), reduction };
}

/** Whether Krylov bases of vectors of `size` entries are split over the ranks. */
function isBasisSplit(
  { splitBasis }: EmpiricalRiskOptions,
  { ranks, size }: { readonly ranks: Omit<Ranks, "splitBasis">; readonly size: number },
): boolean {
  if (ranks.communicator.size === 1) return false;
  return splitBasis ?? (ranks.reduction === "tree" && size >= SPLIT_FROM);
}

/** Checks model, weights and options, and makes what the risks of a family share. */
function familyOf(options: EmpiricalRiskOptions, ranks: Omit<Ranks, "splitBasis"> | undefined): RiskFamily {
  checkObject(options.model, "empiricalRisk expects a model, as await loadModel(path) or functionModel(...)", [
    "parameters",
    "graph",
  ]);
  checkObject(options.loss, "empiricalRisk expects a loss, as crossEntropy()", ["name", "reduction"]);
  checkObject(options.data, "empiricalRisk expects data, as arrays({ inputs, targets })", ["rows", "batches"]);
  checkOptions(options);
  const { model, loss, threads, dtype = "float32", cache = usualCache(), memoryLimit = usualLimit() } = options;
  const chosen = chooseParameters(model, options.parameters);
  checkWeights(model, { chosen, precision: dtype });
  const outputs = chooseOutputs(model, { loss, output: options.output });
  const parameters = placeParameters(model, chosen);
  const sizeOfChosen = parameters.reduce((sum, { size }) => sum + size, 0);
  const bounds = { cache, memoryLimit, ...(threads !== undefined && { threads }) };
  return {
    model,
    loss,
    dtype,
    outputs,
    parameters,
    engine: sharedEngine({ model, loss, precision: dtype, outputs, chosen, ...bounds }),
    coupledRows: options.coupledRows ?? false,
    cache,
    threads: threads ?? "all",
    ...(ranks && { ranks: { ...ranks, splitBasis: isBasisSplit(options, { ranks, size: sizeOfChosen }) } }),
  };
}

function usualCache(): number {
  return Math.min(USUAL_CACHE, Math.floor(machineMemory() * MACHINE_SHARE));
}

function usualLimit(): number {
  return Math.floor(freeMemory() * FREE_SHARE);
}

function checkOptions(options: EmpiricalRiskOptions): void {
  const { dtype = "float32", cache, threads, memoryLimit } = options;
  checkRanks(options);
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

/** Checks how sums over ranks are to be taken. */
function checkRanks({ communicator, shard, reduction = "tree", splitBasis }: EmpiricalRiskOptions): void {
  if (reduction !== "tree" && reduction !== "ordered") {
    throw new CurvatureError(
      "argument",
      `reduction must be "tree" or "ordered", got ${JSON.stringify(reduction)}; it is that of sums over ranks, and a loss has its own`,
    );
  }
  if (splitBasis === true && reduction === "ordered") {
    throw new CurvatureError(
      "argument",
      'splitBasis: true splits sums by the number of ranks, on which the bits of the reduction "ordered" do not depend; leave one of them out',
    );
  }
  if (shard !== undefined && (communicator !== undefined || reduction === "ordered")) {
    throw new CurvatureError(
      "argument",
      "expected either a shard or ranks, got both; with a communicator, leave shard out: the ranks agree on it",
    );
  }
}

/** Indices of the requested parameters. */
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

/** Checks that two evaluations of the loss agree to the last bit: the model must not draw random numbers or keep a state. */
async function checkDeterminism(risk: Risk): Promise<number> {
  const [first, second] = [await risk.loss(), await risk.loss()];
  if (Object.is(first, second)) return first;
  throw new CurvatureError(
    "nondeterministic",
    `${risk.model.name}: two evaluations of the loss on the same data gave ${first} and ${second}; export the model in evaluation mode`,
  );
}
