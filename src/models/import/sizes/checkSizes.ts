import { CurvatureError } from "../../../errors/index.ts";
import { formatBytes } from "../../../files/index.ts";
import { elementTypeOf, type FileNode } from "../../../onnx/index.ts";
import { bytesOf, type Dtype, formatDims, MOST_AXES, sizeOf, type Tensor } from "../../../tensors/index.ts";
import { neededNodes } from "../analysis/reachability.ts";
import { staticValues } from "../analysis/staticValues.ts";
import { checkExecutions } from "../prepared/nodeCounts.ts";
import type { PreparedModel } from "../prepared/preparedModel.ts";
import { describe, readBy } from "../prepared/sortNodes.ts";
import { checkEngineLimits } from "./checkEngineLimits.ts";
import { inferredOutputs } from "./engineShapes.ts";
import { type KnownNode, type KnownValue, MOST_FOLLOWED } from "./knownValue.ts";
import { elementsByRule } from "./shapeArithmetic.ts";
import { scratchElements, shapeByRule } from "./shapeRules.ts";

/** Values to compute, and a function that computes ahead those that only the engine knows. */
export interface SizesRequest {
  readonly shapes: { readonly [name: string]: readonly number[] };
  /** Names of the values that are wanted. */
  readonly outputs: readonly string[];
  /** Values that depend on shapes and constants alone, all of whose predecessors have been checked. */
  readonly evaluate: (names: readonly string[]) => Promise<ReadonlyMap<string, Tensor>>;
}

interface Walk extends SizesRequest {
  readonly model: PreparedModel;
  readonly values: Map<string, KnownValue>;
  readonly statics: ReadonlySet<string>;
}

/**
 * Follows shapes through a model, node by node, before any of it is computed: no value, no scratch memory of an operator, and nothing
 * that is alive at once may take more than the model's memory limit. Shapes that depend on data are not known here; the
 * nodes that make them are guarded when they run, see `guardSizes`.
 *
 * @throws CurvatureError "model" for more bytes than the limit, or more axes than a tensor has
 */
export async function checkSizes(model: PreparedModel, request: SizesRequest): Promise<void> {
  const nodes = neededNodes(model.nodes, request.outputs);
  const statics = staticValues(nodes, { constants: model.constants.keys(), parameters: new Set() });
  const walk: Walk = { ...request, model, statics, values: await givenValues(model, request.shapes, nodes) };
  const lastUse = new Map<string, number>();
  for (const [step, node] of nodes.entries()) for (const name of readBy(node)) lastUse.set(name, step);
  for (const name of request.outputs) lastUse.set(name, nodes.length);
  const freed = new Map<number, number>();
  let alive = 0;
  for (const [step, node] of nodes.entries()) {
    await checkExecutions(node, (name) => walk.values.get(name)?.elements?.[0]);
    const known = await follow(node, walk);
    for (const [name, value] of known) {
      const bytes = sizeOf(value.dims) * bytesOf(value.type);
      const end = lastUse.get(name) ?? step;
      alive += bytes;
      freed.set(end, (freed.get(end) ?? 0) + bytes);
      walk.values.set(name, value);
    }
    checkBytes(node, { walk, known, alive });
    alive -= freed.get(step) ?? 0;
  }
}

/** Known facts about inputs and constants. */
async function givenValues(
  { inputs, constants }: PreparedModel,
  shapes: SizesRequest["shapes"],
  nodes: readonly FileNode[],
): Promise<Map<string, KnownValue>> {
  const values = new Map<string, KnownValue>();
  for (const { name, dtype } of inputs) {
    if (Object.hasOwn(shapes, name)) values.set(name, { dims: shapes[name], type: (dtype ?? "float32") as Dtype });
  }
  for (const name of new Set(nodes.flatMap((node) => readBy(node)))) {
    const constant = constants.get(name);
    if (constant === undefined) continue;
    const { dims, dtype } = constant;
    const value: KnownValue = { dims, type: dtype === "float64" ? "float32" : dtype };
    const isSmall = dims.length <= 1 && sizeOf(dims) <= MOST_FOLLOWED && dtype !== "string";
    values.set(name, isSmall ? withElements(value, await constant.load()) : value);
  }
  return values;
}

function withElements(value: KnownValue, { data }: Tensor): KnownValue {
  return value.type === "string" ? value : { ...value, elements: Array.from(data as ArrayLike<number>, Number) };
}

/** Known facts about a node's outputs: by our own rule, by the engine's inference, or by computing what comes before. */
async function follow(node: FileNode, walk: Walk): Promise<Map<string, KnownValue>> {
  checkEngineLimits(node, { inputs: node.inputs.map((name) => walk.values.get(name)), file: walk.model.file });
  const first = await inferred(node, walk);
  if (first !== undefined || !node.outputs.some((name) => walk.statics.has(name) || name !== ""))
    return first ?? new Map();
  const small = readBy(node).filter((name) => {
    const value = walk.values.get(name);
    const isUnknown = value !== undefined && value.elements === undefined && !walk.model.constants.has(name);
    return isUnknown && walk.statics.has(name) && sizeOf(value.dims) <= MOST_FOLLOWED && value.type !== "string";
  });
  if (small.length > 0) {
    const found = await walk.evaluate(small);
    for (const [name, tensor] of found) {
      const { type } = walk.values.get(name)!;
      walk.values.set(name, withElements({ dims: tensor.dims, type }, tensor));
    }
    const second = await inferred(node, walk);
    if (second !== undefined) return second;
  }
  const isStatic = node.outputs.every((name) => name === "" || walk.statics.has(name));
  const isKnown = readBy(node).every((name) => walk.values.has(name));
  return isStatic && isKnown ? computed(node, walk) : new Map();
}

/** Known facts about the outputs without computing anything; undefined where a size is unknown. */
async function inferred(node: FileNode, { model, values }: Walk): Promise<Map<string, KnownValue> | undefined> {
  const known = knownNode(node, values);
  const ruled = node.domain === "" && known.outputs === 1 ? shapeByRule(known) : undefined;
  const dims = ruled !== undefined && isShape(ruled) ? ruled : undefined;
  const type = typeByRule(node, known);
  if (dims !== undefined && type !== undefined) {
    checkAxes(node, dims, model);
    const kept = node.op === "Cast" && known.inputs[0]?.type !== "float32" ? known.inputs[0]?.elements : undefined;
    const elements = kept ?? elementsByRule(known, dims);
    return new Map([[node.outputs[0], { dims, type, ...(elements && { elements }) }]]);
  }
  const outputs = await inferredOutputs(model, { node, values });
  if (outputs === undefined) return undefined;
  const found = new Map<string, KnownValue>();
  for (const [name, output] of outputs) {
    if (output.dims === undefined || output.dims.some((dim) => dim === undefined)) return undefined;
    const sizes = output.dims as number[];
    checkAxes(node, sizes, model);
    const elements = known.outputs === 1 ? elementsByRule(known, sizes) : undefined;
    found.set(name, { dims: sizes, type: output.type, ...(elements?.length === sizeOf(sizes) && { elements }) });
  }
  return found;
}

/**
 * Whether numbers are sizes. Files may ask for negative ones, or for those that no integer of 64 bits holds; the engine refuses the
 * first, and the second are more than the memory limit, unless a 0 beside them leaves nothing of them.
 */
function isShape(dims: readonly number[]): boolean {
  const isEmpty = dims.includes(0);
  return dims.every((dim) => Number.isInteger(dim) && dim >= 0 && (!isEmpty || Number.isSafeInteger(dim)));
}

/** The outputs of a node whose shape its elements decide, by computing it: no more of them than of its operands, or guarded. */
async function computed(node: FileNode, walk: Walk): Promise<Map<string, KnownValue>> {
  const names = node.outputs.filter((name) => name !== "");
  const found = await walk.evaluate(names).catch((error: unknown) => {
    // The engine repeats the error when the whole model runs, where it can name what the caller asked for.
    if (error instanceof CurvatureError && error.code === "runtime") return new Map<string, Tensor>();
    throw error;
  });
  return new Map(
    [...found].map(([name, { dims, dtype }]) => [name, { dims, type: dtype ?? "float32" } satisfies KnownValue]),
  );
}

const BOOLEAN: ReadonlySet<string> = new Set(
  "And Equal Greater GreaterOrEqual IsInf IsNaN Less LessOrEqual Not Or Xor".split(" "),
);

/** Element type of what the rules of `shapeByRule` give. */
function typeByRule(node: FileNode, { inputs, integers }: KnownNode): Dtype | undefined {
  if (BOOLEAN.has(node.op)) return "bool";
  if (node.op === "Shape" || node.op === "Size") return "int64";
  if (node.op === "Cast") return elementTypeOf(integers("to")?.[0] ?? 0) as Dtype | undefined;
  if (node.op === "Where" || node.op === "CastLike") return inputs[1]?.type;
  if (node.op === "ConstantOfShape") {
    const { value } = node.attributes;
    return value !== undefined && "tensor" in value ? (value.tensor.dtype ?? "float32") : "float32";
  }
  const given = node.op === "EyeLike" ? integers("dtype")?.[0] : undefined;
  return given === undefined ? inputs[0]?.type : (elementTypeOf(given) as Dtype | undefined);
}

function knownNode(
  node: FileNode,
  values: ReadonlyMap<string, KnownValue>,
): KnownNode & { readonly equation?: string } {
  const { equation } = node.attributes;
  return {
    op: node.op,
    inputs: node.inputs.map((name) => values.get(name)),
    outputs: node.outputs.filter((name) => name !== "").length,
    integers(name) {
      const value = node.attributes[name];
      if (value === undefined) return undefined;
      return "int" in value ? [value.int] : "ints" in value ? value.ints : undefined;
    },
    ...(equation !== undefined && "string" in equation && { equation: equation.string }),
  };
}

function checkAxes(node: FileNode, dims: readonly number[], { file }: PreparedModel): void {
  if (dims.length <= MOST_AXES) return;
  throw new CurvatureError(
    "model",
    `${file}: ${describe(node)} gives a tensor of ${dims.length} axes, more than the ${MOST_AXES} that any may have; export the model again`,
  );
}

function checkBytes(
  node: FileNode,
  {
    walk,
    known,
    alive,
  }: { readonly walk: Walk; readonly known: ReadonlyMap<string, KnownValue>; readonly alive: number },
): void {
  const { memoryLimit, file } = walk.model;
  const outputs = [...known.values()].map(({ dims }) => dims);
  const scratch = 4 * scratchElements(knownNode(node, walk.values), outputs);
  if (alive + scratch <= memoryLimit) return;
  const results = outputs.map((dims) => formatDims(dims)).join(", ") || "of unknown shape";
  throw new CurvatureError(
    "model",
    `${file}: ${node.op} "${node.name || node.outputs[0]}", with its result ${results}, needs ${formatBytes(alive + scratch)} at once, more than the memory limit of ${formatBytes(memoryLimit)}; bind the sizes of the inputs, take smaller batches (--batch-size), or raise memoryLimit (--memory-limit)`,
  );
}
