import { openSession } from "#runtime";
import { memoized } from "../concurrency/index.ts";
import { CurvatureError, checkObject } from "../errors/index.ts";
import { type ReadOptions, readLimits } from "../files/index.ts";
import { type ExternalFiles, modelContents, readModel } from "../onnx/index.ts";
import { engineError, type Session } from "../runtime/index.ts";
import { byName, type Dtype, dtypeOf, formatDims, type Tensor, valueNamed } from "../tensors/index.ts";
import { openControlFlowNotices } from "./import/analysis/openControlFlow.ts";
import { tokenInputs } from "./import/analysis/tokenInputs.ts";
import { foldFixedGraphs } from "./import/controlFlow/foldControlFlow.ts";
import { type Interpretation, interpret } from "./import/interpret.ts";
import {
  type ChosenParameter,
  type ConstantDecision,
  chooseParameters,
  type ParameterOverride,
} from "./import/parameters/chooseParameters.ts";
import { findTies, type Tie } from "./import/parameters/ties.ts";
import { loopError } from "./import/prepared/guardLoops.ts";
import { sizeError } from "./import/prepared/guardSizes.ts";
import { prepare } from "./import/prepared/prepare.ts";
import type { PreparedModel } from "./import/prepared/preparedModel.ts";
import { writePrepared } from "./import/prepared/writePrepared.ts";
import { type Bindings, bindInputs } from "./import/requests/bind.ts";
import { checkRequest } from "./import/requests/checkRequest.ts";
import { asFloatModel } from "./import/requests/dequantize.ts";
import { inInferenceMode } from "./import/requests/trainingMode.ts";
import { withOutputs } from "./import/requests/withOutputs.ts";
import { checkRunSizes } from "./import/sizes/measureShapes.ts";
import { finalActivation } from "./import/translate/activation.ts";
import { shapesAt, stackRows } from "./import/translate/stackRows.ts";
import type { GraphRequest, Model, ModelGraph, ModelInput, ModelOutput } from "./model.ts";
import type { ModelSource } from "./storedWeights.ts";

/** Options of `loadModel`. */
export interface LoadOptions extends ReadOptions {
  /** Contents of external data files by location, for a model given as bytes. */
  readonly externalData?: ExternalFiles;
  /** The user's word on which float tensors are parameters, before any rule. */
  readonly parameters?: ParameterOverride;
  /** "inference" reads Dropout and BatchNormalization in training mode as if they were not. */
  readonly trainingMode?: "refuse" | "inference";
  /** "restore" makes a parameter and its copies, which the exporter took apart, one parameter again. Default "keep". */
  readonly ties?: "keep" | "restore";
  /** Fixed values of inputs and of sizes that the file leaves open; what they decide is folded. */
  readonly bind?: Bindings;
  /** The only outputs of interest; any values in the graph, by name. Default: those that the file declares. */
  readonly output?: string | readonly string[];
}

/** A model read from a file, with what its reading decided. */
export interface FileModel extends Model {
  readonly producer: string;
  readonly opset: number;
  /** Float tensors that are left constant, with the evidence. */
  readonly constants: readonly ConstantDecision[];
  /** Names of the tensors in the file that are parameters, copies of restored ties included. */
  readonly tensors: readonly string[];
  /** The prepared nodes. */
  readonly prepared: PreparedModel;
  /** The file itself, which `saveModel` writes again. */
  readonly source: ModelSource;
}

/**
 * Reads a .onnx file from a path, a URL or bytes. Weights are loaded, nothing is run or compiled yet.
 *
 * @throws CurvatureError "file" for anything but a readable ONNX model, "model" for one in training mode or without parameters,
 *   "argument" for parameter patterns that match nothing
 */
export async function loadModel(source: string | URL | Uint8Array, options: LoadOptions = {}): Promise<FileModel> {
  checkOptions(options);
  const { parameters: override, ties: tying = "keep" } = options;
  const loaded = await readModel(source, options);
  const prepared = await preparedAs(
    prepare(modelContents(loaded), { file: loaded.file, ...readLimits(options) }),
    options,
  );
  checkOutputs(prepared);
  const { parameters: found, constants, notices: choices } = await chooseParameters(prepared, override);
  const ties = findTies(found);
  const copies = new Set(tying === "restore" ? ties.map(({ copy }) => copy) : []);
  const parameters = found.filter((parameter) => !copies.has(parameter));
  const interpretation: Interpretation = { model: prepared, parameters, ties: tying === "restore" ? ties : [] };
  const inputs = prepared.inputs.map(
    ({ name, dtype, dims }): ModelInput => ({ name, dtype: (dtype ?? "float32") as Dtype, dims: dims ?? [null] }),
  );
  const fixedRows = fixedRowsOf(inputs);
  const tensors = found.map(({ tensor }) => tensor);
  const controlFlow = await openControlFlowNotices(prepared, tensors);
  const outputs = await Promise.all(prepared.outputs.map(({ name }) => outputOf(prepared, name)));
  const session = memoized(() => openOriginal(prepared));
  return {
    name: loaded.file,
    producer: prepared.producer,
    opset: prepared.opsets[""] ?? 0,
    parameters,
    constants,
    tensors,
    prepared,
    source: sourceOf(loaded, interpretation),
    inputs,
    outputs,
    ...(fixedRows === undefined ? {} : { fixedRows }),
    tokenInputs: tokenInputs(prepared, found),
    notices: [...prepared.notices, ...choices, ...controlFlow, ...ties.map((tie) => tieNotice(tie, tying))],
    async graph(request) {
      checkRequest(request, { file: prepared.file, inputs, outputs: prepared.outputs });
      return buildGraph(interpretation, request, fixedRows);
    },
    async run(feeds) {
      await checkRun(prepared, feeds);
      return runOriginal(await session(), { model: prepared, feeds });
    },
  };
}

/** The bytes of the file, and the tensors in it that its parameters are: one for each, and the copies that are one with it again. */
function sourceOf(
  { bytes, readExternal }: Pick<ModelSource, "bytes" | "readExternal">,
  { parameters, ties }: Interpretation,
): ModelSource {
  const stored = ({ tensor, dims, data }: ChosenParameter) => ({ tensor, dims, data });
  const weights = [
    ...parameters.map((each) => ({ parameter: each.name, transposed: false, ...stored(each) })),
    ...ties.map(({ copy, original, transposed }) => ({ parameter: original.name, transposed, ...stored(copy) })),
  ];
  return { bytes, readExternal, weights };
}

/** For callers without a type checker: an override that is none would be passed over in silence. */
function checkOptions(options: LoadOptions): void {
  checkObject(options, "loadModel expects options");
  const { parameters } = options;
  if (parameters === undefined) return;
  const expected = "loadModel expects parameters: { include: [names or patterns], exclude: [names or patterns] }";
  checkObject(parameters, expected);
  for (const [key, patterns] of Object.entries(parameters)) {
    if ((key === "include" || key === "exclude") && (patterns === undefined || Array.isArray(patterns))) continue;
    throw new CurvatureError("argument", `${expected}, got ${key}: ${String(patterns)}`);
  }
}

function checkOutputs({ file, outputs }: PreparedModel): void {
  if (outputs.length > 0) return;
  throw new CurvatureError(
    "model",
    `${file} declares no outputs; name a value of its graph as output: NAME (--output NAME), or export it again`,
  );
}

/** The file as the user wants it read: quantizers gone, inputs bound, branches taken, outputs chosen, in inference mode. */
async function preparedAs(
  file: PreparedModel,
  { trainingMode = "refuse", bind = {}, output }: LoadOptions,
): Promise<PreparedModel> {
  const read = await foldFixedGraphs(bindInputs(asFloatModel(file), bind));
  const wanted = output === undefined ? read : withOutputs(read, typeof output === "string" ? [output] : output);
  return inInferenceMode(wanted, trainingMode);
}

async function outputOf(model: PreparedModel, name: string): Promise<ModelOutput> {
  const found = await finalActivation(model, name);
  if (found === undefined) return { name };
  return { name, activation: found.operator, ...(found.written && { written: true as const }) };
}

function tieNotice({ copy, original, transposed }: Tie, tying: "keep" | "restore"): string {
  const what = `"${copy.name}" is a ${transposed ? "transposed " : ""}copy of "${original.name}"`;
  return tying === "restore"
    ? `${what}: one parameter again.`
    : `${what}: two parameters here, one in the module; ties: "restore" (--restore-ties) makes them one again.`;
}

/** The number of rows that stands in the file where a free axis was to be expected. */
function fixedRowsOf(inputs: readonly ModelInput[]): number | undefined {
  const first = inputs.map(({ dims }) => dims[0]).filter((dim) => dim !== undefined);
  return typeof first[0] === "number" && first.every((dim) => dim === first[0]) ? first[0] : undefined;
}

async function buildGraph(
  what: Interpretation,
  request: GraphRequest,
  fixedRows: number | undefined,
): Promise<ModelGraph> {
  const { file } = what.model;
  const rows = Math.max(...Object.values(request.shapes).map(([dim]) => dim ?? 1));
  const stacked = fixedRows !== undefined && rows !== fixedRows;
  const computed = stacked ? fixedRows : rows;
  const shapes = stacked ? shapesAt(request.shapes, fixedRows) : request.shapes;
  const graph = await interpret(what, { ...request, shapes });
  const { outputs } = graph;
  for (const [name, { shape }] of Object.entries(outputs)) {
    if (shape[0] === computed || Object.keys(request.shapes).length === 0) continue;
    throw new CurvatureError(
      "model",
      `output "${name}" of ${file} has shape ${formatDims(shape)} for ${computed} rows, but its first axis must be the rows; choose another output`,
    );
  }
  return stacked ? stackRows(graph, { rows, fixedRows, file }) : graph;
}

/** Sizes of a run on these inputs; absent ones are reported by the run itself. */
function checkRun(model: PreparedModel, feeds: { readonly [name: string]: Tensor }): Promise<void> {
  const given = model.inputs.flatMap(({ name }) =>
    Object.hasOwn(feeds, name) ? [[name, feeds[name].dims] as const] : [],
  );
  return checkRunSizes(model, { shapes: byName(given), outputs: model.outputs.map(({ name }) => name) });
}

async function openOriginal(model: PreparedModel): Promise<Session> {
  try {
    return await openSession(await writePrepared(model, model), { optimization: "all" });
  } catch (cause) {
    throw sizeError(cause, model) ?? loopError(cause, model) ?? engineError(`refused ${model.file}`, cause);
  }
}

async function runOriginal(
  session: Session,
  { model, feeds }: { readonly model: PreparedModel; readonly feeds: { readonly [name: string]: Tensor } },
): Promise<{ readonly [name: string]: Tensor }> {
  const inputs = byName<Tensor>();
  for (const { name, dtype } of model.inputs) {
    const tensor = valueNamed(feeds, name);
    if (tensor === undefined) {
      throw new CurvatureError(
        "argument",
        `${model.file} needs an input "${name}", got ${Object.keys(feeds).join(", ") || "none"}`,
      );
    }
    const narrow = dtype === "float32" && dtypeOf(tensor) === "float64";
    inputs[name] = narrow ? { data: Float32Array.from(tensor.data as Float64Array), dims: tensor.dims } : tensor;
  }
  try {
    return await session.run(
      inputs,
      model.outputs.map(({ name }) => name),
    );
  } catch (cause) {
    throw sizeError(cause, model) ?? loopError(cause, model) ?? engineError(`could not run ${model.file}`, cause);
  }
}
