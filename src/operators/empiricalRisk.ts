import { freeMemory } from "#runtime";
import { type Data, rebatch } from "../data/index.ts";
import { CurvatureError } from "../errors/index.ts";
import type { RunOptions } from "../linalg/operator.ts";
import type { Loss, TermLayout } from "../losses/index.ts";
import { type Model, matches, type Pattern } from "../models/index.ts";
import { type Precision, sizeOf, type Tensor, toPrecision, type Vector, zeros } from "../tensors/index.ts";
import { checkLength, flatRanges } from "./flatVectors.ts";
import { gradientProduct, lossProduct } from "./lossAndGradient.ts";
import type { Risk, RiskParameter } from "./risk.ts";
import { type BoundData, bindData } from "./riskData.ts";
import { type OwnedEngine, riskEngine } from "./riskEngine.ts";
import { scanData } from "./scanData.ts";

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
  /** Bytes of residuals kept between products; default: a quarter of the free memory. 0 keeps none. */
  readonly cache?: number;
  /** Threads within one operation of ONNX Runtime; its own choice if absent. */
  readonly threads?: number;
  /** What the sum over terms is divided by, instead of the loss's own denominator: for a shard of a larger data set. */
  readonly denominator?: number;
}

/** Share of the free memory that kept residuals may take. */
const CACHE_SHARE = 0.25;

/**
 * The objective L(theta) = c sum_t w_t l(f_t, y_t) of a model on a data set, with c = 1 for "sum" and 1 / denominator for
 * "mean". Makes three passes over the data, which check numbers, labels and that a second pass gives the same, and evaluates
 * the loss twice.
 *
 * @throws CurvatureError "argument" for patterns that match no parameter, "data" for rows that do not fit model or loss,
 *   "unsupported" for operators without a rule, "nondeterministic" where data or model change between two evaluations
 */
export async function empiricalRisk(options: EmpiricalRiskOptions): Promise<Risk> {
  const { model, loss, dtype = "float32", cache = Math.floor(freeMemory() * CACHE_SHARE) } = options;
  checkOptions(options);
  const chosen = chooseParameters(model, options.parameters);
  const outputs = chooseOutputs(model, { loss, output: options.output });
  const data = fittedBatches(options.data, model);
  let bound = bindData(data, { model, loss });
  const { threads } = options;
  const settings = { model, loss, precision: dtype, outputs, chosen, cache, ...(threads !== undefined && { threads }) };
  let engine = riskEngine({ ...settings, bound });
  try {
    let layout: TermLayout;
    try {
      layout = (await firstGraph(engine, bound)).layout;
    } catch (error) {
      if (model.fixedRows === undefined || !(error instanceof CurvatureError && error.code === "unsupported"))
        throw error;
      // Copies side by side are not to be had for some operator of the model: its rows go one by one.
      bound = bindData(rebatch(data, model.fixedRows), { model, loss });
      engine = riskEngine({ ...settings, bound });
      layout = (await firstGraph(engine, bound)).layout;
    }
    const summed = await scanData(bound, { loss, layout });
    const scale = 1 / (options.denominator ?? summed);
    const parameters = placeParameters(model, chosen);
    const risk = assemble({ model, loss, dtype, engine, bound, layout, parameters, chosen, outputs, scale });
    await checkDeterminism(risk);
    return risk;
  } catch (error) {
    await engine.release();
    throw error;
  }
}

function checkOptions({ dtype = "float32", cache, threads, denominator }: EmpiricalRiskOptions): void {
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1)) {
    throw new CurvatureError("argument", `threads must be a positive integer, got ${threads}`);
  }
  if (dtype !== "float32" && dtype !== "float64") {
    throw new CurvatureError("argument", `dtype must be "float32" or "float64", got ${JSON.stringify(dtype)}`);
  }
  if (cache !== undefined && !(cache >= 0))
    throw new CurvatureError("argument", `cache must be a number of bytes, not negative; got ${cache}`);
  if (denominator !== undefined && !(denominator > 0 && Number.isFinite(denominator))) {
    throw new CurvatureError("argument", `denominator must be positive and finite, got ${denominator}`);
  }
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

/** Batches of a size that a model with a fixed number of rows can take. */
function fittedBatches(data: Data, { fixedRows, name }: Model): Data {
  if (fixedRows === undefined || fixedRows === 1) return data;
  if (data.rows % fixedRows !== 0) {
    throw new CurvatureError(
      "data",
      `${name} computes ${fixedRows} rows at once, which does not divide the ${data.rows} rows of ${data.description}; leave ${data.rows % fixedRows} rows out, or export it with a free batch axis`,
    );
  }
  return rebatch(data, Math.max(Math.floor(data.batchSize / fixedRows), 1) * fixedRows);
}

async function firstGraph(engine: OwnedEngine, bound: BoundData) {
  for await (const batch of bound.data.batches()) return engine.graph(bound.bind(batch).shape);
  throw new CurvatureError("data", `${bound.data.description}: no batches; a loss needs at least one row`);
}

function placeParameters(model: Model, chosen: readonly number[]): RiskParameter[] {
  const ranges = flatRanges(chosen.map((index) => model.parameters[index].dims));
  return chosen.map((index, i) => {
    const { data: _, ...parameter } = model.parameters[index];
    return { ...parameter, ...ranges[i] };
  });
}

interface Assembly {
  readonly model: Model;
  readonly loss: Loss;
  readonly dtype: Precision;
  readonly engine: OwnedEngine;
  readonly bound: BoundData;
  readonly layout: TermLayout;
  readonly parameters: readonly RiskParameter[];
  readonly chosen: readonly number[];
  readonly outputs: readonly string[];
  readonly scale: number;
}

function assemble(parts: Assembly): Risk {
  const { model, loss, dtype, engine, bound, layout, parameters, chosen, outputs, scale } = parts;
  const size = parameters.reduce((sum, parameter) => sum + parameter.size, 0);
  const dispose = () => engine.release();
  return {
    model,
    lossFunction: loss,
    data: bound.data,
    dtype,
    parameters,
    size,
    rows: bound.data.rows,
    scale,
    layout,
    notices: noticesOf(model, { loss, outputs }),
    engine,
    loss: (options) => sumLoss(engine, { scale, options }),
    gradient: (options = {}) => engine.sum(gradientProduct(scale), { options }),
    theta() {
      const theta = zeros(size, dtype);
      for (let i = 0; i < chosen.length; i++)
        theta.set(toPrecision(model.parameters[chosen[i]].data, dtype), parameters[i].offset);
      return theta;
    },
    split(vector) {
      checkLength(vector, size);
      return Object.fromEntries(
        parameters.map(({ name, dims, offset, size: own }) => [
          name,
          { data: vector.subarray(offset, offset + own), dims },
        ]),
      );
    },
    join: (tensors) => joinTensors(tensors, { parameters, size, dtype }),
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

async function sumLoss(
  engine: OwnedEngine,
  { scale, options = {} }: { readonly scale: number; readonly options: RunOptions | undefined },
): Promise<number> {
  let sum = 0;
  await engine.run(lossProduct, { collect: ({ loss }) => void (sum += Number(loss.data[0])), options });
  return scale * sum;
}

/** Two evaluations of the loss must agree to the last bit: nothing in the model may draw random numbers or keep a state. */
async function checkDeterminism(risk: Risk): Promise<void> {
  const [first, second] = [await risk.loss(), await risk.loss()];
  if (Object.is(first, second)) return;
  throw new CurvatureError(
    "nondeterministic",
    `${risk.model.name}: two evaluations of the loss on the same data gave ${first} and ${second}; export the model in evaluation mode`,
  );
}

function noticesOf(
  model: Model,
  { loss, outputs }: { readonly loss: Loss; readonly outputs: readonly string[] },
): string[] {
  const cuts = model.outputs.flatMap(({ name, activation }) => {
    if (!outputs.includes(name) || activation === undefined || loss.cut.length === 0) return [];
    if (loss.cut.includes(activation))
      return [`Output "${name}" is taken before its final ${activation}, which the loss ${loss.name} contains itself.`];
    return [
      `Output "${name}" ends in ${activation}, which the loss ${loss.name} does not contain: it takes the results for logits. Choose a loss that fits, or an output before it.`,
    ];
  });
  const rows =
    model.fixedRows === undefined
      ? []
      : [
          `The file computes ${model.fixedRows} row${model.fixedRows === 1 ? "" : "s"} at once; larger batches are computed as copies of it with the same weights.`,
        ];
  return [...model.notices, ...cuts, ...rows];
}

function joinTensors(
  tensors: { readonly [name: string]: Tensor },
  {
    parameters,
    size,
    dtype,
  }: { readonly parameters: readonly RiskParameter[]; readonly size: number; readonly dtype: Precision },
): Vector {
  const vector = zeros(size, dtype);
  for (const [name, { data, dims }] of Object.entries(tensors)) {
    const parameter = parameters.find((each) => each.name === name);
    if (parameter === undefined) {
      throw new CurvatureError(
        "argument",
        `no parameter is called "${name}"; the risk has ${parameters
          .map((each) => each.name)
          .slice(0, 10)
          .join(", ")}`,
      );
    }
    if (data.length !== parameter.size || sizeOf(dims) !== parameter.size) {
      throw new CurvatureError("shape", `parameter "${name}" has ${parameter.size} entries, got ${data.length}`);
    }
    vector.set(data as Vector, parameter.offset);
  }
  return vector;
}
