import { openSession } from "#runtime";
import { CurvatureError } from "../../../errors/index.ts";
import type { FileNode, OnnxNode, ValueInfo } from "../../../onnx/index.ts";
import { engineError } from "../../../runtime/index.ts";
import { arrayTypes, type Dtype, dtypeOf, formatDims, sizeOf, type Tensor } from "../../../tensors/index.ts";
import { loopError } from "../prepared/guardLoops.ts";
import { sizeError } from "../prepared/guardSizes.ts";
import type { PreparedModel } from "../prepared/preparedModel.ts";
import { readBy } from "../prepared/sortNodes.ts";
import { freshName, takenNames } from "../prepared/valueNames.ts";
import { writePrepared } from "../prepared/writePrepared.ts";
import { checkSizes } from "./checkSizes.ts";

/** Shapes and types of the values of the model, measured in one run for given input shapes. */
export interface MeasuredShapes {
  /** Tensors of static values that are read by nodes that are not static. */
  readonly constants: ReadonlyMap<string, Tensor>;
  /** Shapes of the values that are not static, and of those in `constants`. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** Element types of the values that are neither static nor reached by a parameter, and of those in `constants`. */
  readonly types: ReadonlyMap<string, Dtype>;
}

/**
 * Runs the model once in ONNX Runtime, on zeros of the given input shapes, to learn every shape and every value that
 * depends on shapes and constants alone.
 *
 * @throws CurvatureError "runtime" where ONNX Runtime cannot run the model on such inputs
 */
export async function measureShapes(
  model: PreparedModel,
  request: {
    readonly shapes: { readonly [name: string]: readonly number[] };
    readonly statics: ReadonlySet<string>;
    readonly reached: ReadonlySet<string>;
    readonly nodes: readonly FileNode[];
    /** Whether all static values that a node reads are wanted, not only those that other than static nodes read. */
    readonly allStatics?: boolean;
  },
): Promise<MeasuredShapes> {
  const { shapes, statics, nodes, reached, allStatics = false } = request;
  const isDynamic = (node: FileNode) => node.outputs.some((name) => name !== "" && !statics.has(name));
  const dynamic = nodes.filter(isDynamic);
  const wanted = new Set(
    (allStatics ? nodes : dynamic).flatMap((node) => readBy(node)).filter((name) => statics.has(name)),
  );
  const fetched = [...wanted].filter((name) => !model.constants.has(name));
  const measured = dynamic.flatMap((node) => node.outputs).filter((name) => name !== "");
  const shapeNodes = shapesOf(model, measured);
  // Declared as outputs without being fetched, so that the engine reports their types.
  const typed = measured.filter((name) => !reached.has(name));
  const untyped = (name: string): ValueInfo => ({ name, dtype: null, dims: null });
  const { results, types } = await runOnce(model, {
    shapes,
    fetches: [...fetched.map(untyped), ...shapeNodes.map(({ outputs: [name] }) => untyped(name))],
    typed: typed.map(untyped),
    extra: shapeNodes,
  });
  const constants = new Map<string, Tensor>();
  for (const name of wanted) {
    const stored = model.constants.get(name);
    constants.set(name, stored === undefined ? results[name] : await stored.load());
  }
  const shapeOf = (i: number) => Array.from(results[shapeNodes[i].outputs[0]].data as BigInt64Array, Number);
  const known = [...constants];
  return {
    constants,
    shapes: new Map([
      ...known.map(([name, { dims }]): [string, readonly number[]] => [name, dims]),
      ...measured.map((name, i): [string, readonly number[]] => [name, shapeOf(i)]),
    ]),
    types: new Map([
      ...known.map(([name, tensor]): [string, Dtype] => [name, dtypeOf(tensor)]),
      ...typed.map((name): [string, Dtype] => [name, types[name]]),
    ]),
  };
}

/**
 * Values of some static names for given input shapes.
 *
 * @throws CurvatureError "runtime" where ONNX Runtime cannot run the model on such inputs
 */
export async function staticTensors(
  model: PreparedModel,
  {
    shapes,
    names,
  }: { readonly shapes: { readonly [name: string]: readonly number[] }; readonly names: readonly string[] },
): Promise<ReadonlyMap<string, Tensor>> {
  const stored = names.filter((name) => model.constants.has(name));
  const fetches = names
    .filter((name) => !model.constants.has(name))
    .map((name): ValueInfo => ({ name, dtype: null, dims: null }));
  const { results } = await runOnce(model, { shapes, fetches, typed: [], extra: [] });
  const tensors = new Map(Object.entries(results));
  for (const name of stored) tensors.set(name, await model.constants.get(name)!.load());
  return tensors;
}

/**
 * Shapes of some values for given input shapes.
 *
 * @throws CurvatureError "runtime" where ONNX Runtime cannot run the model on such inputs
 */
export async function valueShapes(
  model: PreparedModel,
  {
    shapes,
    names,
  }: { readonly shapes: { readonly [name: string]: readonly number[] }; readonly names: readonly string[] },
): Promise<ReadonlyMap<string, readonly number[]>> {
  const extra = shapesOf(model, names);
  const fetches = extra.map(({ outputs: [name] }): ValueInfo => ({ name, dtype: null, dims: null }));
  const { results } = await runOnce(model, { shapes, fetches, typed: [], extra });
  return new Map(
    names.map((name, i) => [name, Array.from(results[extra[i].outputs[0]].data as BigInt64Array, Number)]),
  );
}

/** Nodes that give the shapes of values, under names that the model has not. */
function shapesOf(model: PreparedModel, names: readonly string[]): OnnxNode[] {
  const taken = takenNames(model);
  return names.map((name, i) => ({
    op: "Shape",
    inputs: [name],
    outputs: [freshName(`shape ${i}`, taken)],
    attributes: {},
  }));
}

interface RunRequest {
  readonly shapes: { readonly [name: string]: readonly number[] };
  readonly fetches: readonly ValueInfo[];
  readonly typed: readonly ValueInfo[];
  readonly extra: readonly OnnxNode[];
}

interface RunResult {
  readonly results: { readonly [name: string]: Tensor };
  readonly types: { readonly [name: string]: Dtype };
}

async function runOnce(model: PreparedModel, { shapes, fetches, typed, extra }: RunRequest): Promise<RunResult> {
  if (fetches.length === 0) return { results: {}, types: {} };
  for (const dims of Object.values(shapes)) checkInput(dims);
  const measured = [...fetches.map(({ name }) => name), ...extra.flatMap((node) => node.inputs)];
  const added = new Set(extra.flatMap(({ outputs }) => outputs));
  await checkRunSizes(model, { shapes, outputs: measured.filter((name) => !added.has(name)) });
  return runChecked(model, { shapes, fetches, typed, extra });
}

/**
 * Checks what a run of the model would take, before it does.
 *
 * @throws CurvatureError "model" for more than the model's memory limit
 */
export function checkRunSizes(
  model: PreparedModel,
  { shapes, outputs }: { readonly shapes: RunRequest["shapes"]; readonly outputs: readonly string[] },
): Promise<void> {
  return checkSizes(model, {
    shapes,
    outputs,
    async evaluate(names) {
      const fetches = names.map((name): ValueInfo => ({ name, dtype: null, dims: null }));
      const { results } = await runChecked(model, { shapes, fetches, typed: [], extra: [] });
      return new Map(Object.entries(results));
    },
  });
}

async function runChecked(model: PreparedModel, { shapes, fetches, typed, extra }: RunRequest): Promise<RunResult> {
  const given = model.inputs.filter(({ name }) => Object.hasOwn(shapes, name));
  const inputs = given.map((input) => ({ ...input, dims: shapes[input.name] }));
  const feeds = Object.fromEntries(
    inputs.map(({ name, dtype, dims }) => [name, zeroTensor((dtype ?? "float32") as Dtype, dims)]),
  );
  const bytes = await writePrepared(model, { inputs, outputs: [...fetches, ...typed], extra });
  try {
    const session = await openSession(bytes, { optimization: "none" });
    try {
      const names = fetches.map(({ name }) => name);
      return { results: await session.run(feeds, names), types: session.outputTypes };
    } finally {
      await session.release();
    }
  } catch (cause) {
    throw (
      sizeError(cause, model) ??
      loopError(cause, model) ??
      engineError(`cannot run ${model.file}${shapesText(shapes)}${boundText(model)}`, cause)
    );
  }
}

function shapesText(shapes: RunRequest["shapes"]): string {
  const inputs = Object.entries(shapes).map(([name, dims]) => `"${name}" of shape ${formatDims(dims)}`);
  return inputs.length === 0 ? "" : ` on ${inputs.join(", ")}`;
}

/** Bound inputs, since that is where numbers of rows that do not fit one another come from. */
function boundText({ constants }: PreparedModel): string {
  const bound = [...constants.values()].filter(({ origin, dims }) => origin === "bound" && dims.length > 0);
  if (bound.length === 0) return "";
  const tensors = bound.map(({ name, dims }) => `"${name}" bound to shape ${formatDims(dims)}`).join(", ");
  return ` with ${tensors} (sizes that count rows must be bound alike, of inputs that are not bound too; 1 everywhere computes one row at a time)`;
}

/** Elements of an input beyond which it is taken for a mistake: a gigabyte of float32. */
const MOST_ELEMENTS = 2 ** 28;

/**
 * Tensor of zeros (of empty strings) of any type.
 *
 * @throws CurvatureError "shape" for more elements than are ever fed
 */
export function zeroTensor(dtype: Dtype, dims: readonly number[]): Tensor {
  checkInput(dims);
  const size = sizeOf(dims);
  return { data: dtype === "string" ? new Array<string>(size).fill("") : new arrayTypes[dtype](size), dims, dtype };
}

function checkInput(dims: readonly number[]): void {
  if (!(sizeOf(dims) <= MOST_ELEMENTS)) {
    throw new CurvatureError(
      "shape",
      `an input of shape ${formatDims(dims)} has more than ${MOST_ELEMENTS} elements; take smaller batches, or bind its sizes`,
    );
  }
}
