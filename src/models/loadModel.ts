import { openSession } from "#runtime";
import { vectorize } from "../autodiff/index.ts";
import { CurvatureError } from "../errors/index.ts";
import { input, type Value } from "../graph/index.ts";
import { type ExternalFiles, modelContents, readModel } from "../onnx/index.ts";
import { reshape } from "../primitives/index.ts";
import { engineError, type Session } from "../runtime/index.ts";
import { type Dtype, dtypeOf, formatDims, type Tensor } from "../tensors/index.ts";
import { finalActivation } from "./import/activation.ts";
import { type ConstantDecision, chooseParameters, type ParameterOverride } from "./import/chooseParameters.ts";
import { type Interpretation, interpret } from "./import/interpret.ts";
import { prepare } from "./import/prepare.ts";
import type { PreparedModel } from "./import/preparedModel.ts";
import { inInferenceMode } from "./import/trainingMode.ts";
import { writePrepared } from "./import/writePrepared.ts";
import type { GraphRequest, Model, ModelGraph, ModelInput } from "./model.ts";

/** How a file is to be read. */
export interface LoadOptions {
  /** Contents of external data files by location, for a model given as bytes. */
  readonly externalData?: ExternalFiles;
  /** The user's word on which float tensors are parameters, before any rule. */
  readonly parameters?: ParameterOverride;
  /** "inference" reads Dropout and BatchNormalization in training mode as if they were not. */
  readonly trainingMode?: "refuse" | "inference";
}

/** A model read from a file, with what its reading decided. */
export interface FileModel extends Model {
  readonly producer: string;
  readonly opset: number;
  /** Float tensors that are no parameters, with the reason. */
  readonly constants: readonly ConstantDecision[];
  /** The prepared nodes, for `inspect`. */
  readonly prepared: PreparedModel;
}

/**
 * Reads a .onnx file from a path, a URL or bytes. Weights are loaded, nothing is run or compiled yet.
 *
 * @throws CurvatureError "file" for what is no readable ONNX model, "model" for one in training mode or without parameters,
 *   "argument" for parameter patterns that match nothing
 */
export async function loadModel(source: string | URL | Uint8Array, options: LoadOptions = {}): Promise<FileModel> {
  const { externalData, parameters: override, trainingMode = "refuse" } = options;
  const loaded = await readModel(source, externalData === undefined ? {} : { externalData });
  const read = prepare(modelContents(loaded), loaded.file);
  const prepared = await inInferenceMode(read, trainingMode);
  const { parameters, constants } = await chooseParameters(prepared, override);
  const interpretation: Interpretation = { model: prepared, parameters };
  const inputs = prepared.inputs.map(
    ({ name, dtype, dims }): ModelInput => ({ name, dtype: (dtype ?? "float32") as Dtype, dims: dims ?? [null] }),
  );
  const fixedRows = fixedRowsOf(inputs);
  let session: Promise<Session> | undefined;
  return {
    name: loaded.file,
    producer: prepared.producer,
    opset: prepared.opsets[""] ?? 0,
    parameters,
    constants,
    prepared,
    inputs,
    outputs: prepared.outputs.map(({ name }) => {
      const activation = finalActivation(prepared, name)?.operator;
      return activation === undefined ? { name } : { name, activation };
    }),
    ...(fixedRows === undefined ? {} : { fixedRows }),
    notices: prepared.notices,
    graph: (request) => buildGraph(interpretation, request, fixedRows),
    async run(feeds) {
      session ??= openOriginal(prepared);
      return runOriginal(await session, { model: prepared, feeds });
    },
  };
}

/** The number of rows that stands in the file where a free axis was to be expected. */
function fixedRowsOf(inputs: readonly ModelInput[]): number | undefined {
  const first = inputs.map(({ dims }) => dims[0]).filter((dim) => dim !== undefined);
  return first.length > 0 && first.every((dim) => typeof dim === "number") ? (first[0] as number) : undefined;
}

async function buildGraph(
  what: Interpretation,
  request: GraphRequest,
  fixedRows: number | undefined,
): Promise<ModelGraph> {
  const ends = request.outputs.map((output) => {
    const activation = finalActivation(what.model, output);
    return activation !== undefined && request.cut?.includes(activation.operator) ? activation.before : output;
  });
  const rows = Math.max(...Object.values(request.shapes).map(([dim]) => dim ?? 1));
  const stacked = fixedRows !== undefined && rows !== fixedRows;
  const shapes = stacked ? atRows(request.shapes, fixedRows) : request.shapes;
  const graph = await interpret(what, { shapes, outputs: ends });
  const named: Record<string, Value> = {};
  request.outputs.forEach((output, i) => {
    named[output] = graph.outputs[ends[i]];
  });
  const cut = { ...graph, outputs: named };
  return stacked ? stackRows(cut, { rows, fixedRows, file: what.model.file }) : cut;
}

function atRows(shapes: GraphRequest["shapes"], rows: number): GraphRequest["shapes"] {
  return Object.fromEntries(Object.entries(shapes).map(([name, [, ...rest]]) => [name, [rows, ...rest]]));
}

/**
 * The graph of a model that insists on b rows, for k b rows: k copies of it side by side, sharing the parameters. That is
 * exact by construction, whatever the model does with its b rows.
 */
function stackRows(
  graph: ModelGraph,
  { rows, fixedRows, file }: { readonly rows: number; readonly fixedRows: number; readonly file: string },
): ModelGraph {
  const size = rows / fixedRows;
  if (!Number.isInteger(size)) {
    throw new CurvatureError(
      "model",
      `${file} computes ${fixedRows} rows at once, which does not divide a batch of ${rows}; choose a batch size that it divides`,
    );
  }
  const inputs: Record<string, Value> = {};
  const pieces: Value[] = [];
  for (const [name, value] of Object.entries(graph.inputs)) {
    inputs[name] = input(name, [rows, ...value.shape.slice(1)], value.type);
    pieces.push(reshape(inputs[name], [size, ...value.shape]));
  }
  const names = Object.keys(graph.outputs);
  const outputs = vectorize(Object.values(graph.outputs), Object.values(graph.inputs), { replacements: pieces, size });
  const joined = outputs.map((value, i) => {
    const [first, ...rest] = value.shape.slice(1);
    if (first !== fixedRows) {
      throw new CurvatureError(
        "model",
        `output "${names[i]}" of ${file} has shape ${formatDims(value.shape.slice(1))}, whose first axis is not the ${fixedRows} rows`,
      );
    }
    return reshape(value, [rows, ...rest]);
  });
  return { ...graph, inputs, outputs: Object.fromEntries(names.map((name, i) => [name, joined[i]])) };
}

async function openOriginal(model: PreparedModel): Promise<Session> {
  try {
    return await openSession(await writePrepared(model, model), { optimization: "all" });
  } catch (cause) {
    throw engineError(`refused ${model.file}`, cause);
  }
}

async function runOriginal(
  session: Session,
  { model, feeds }: { readonly model: PreparedModel; readonly feeds: { readonly [name: string]: Tensor } },
): Promise<{ readonly [name: string]: Tensor }> {
  const inputs: Record<string, Tensor> = {};
  for (const { name, dtype } of model.inputs) {
    const tensor = feeds[name];
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
    throw engineError(`could not run ${model.file}`, cause);
  }
}
