import { CurvatureError } from "../../../errors/index.ts";
import type { FileNode } from "../../../onnx/index.ts";
import { sizeOf, type Tensor } from "../../../tensors/index.ts";
import type { PreparedModel, StoredConstant } from "../prepared/preparedModel.ts";
import { describe } from "../prepared/sortNodes.ts";

/** Domains that have QuantizeLinear and DequantizeLinear. */
const DOMAINS: ReadonlySet<string> = new Set(["", "com.microsoft"]);

/** Operators that compute with integers. */
const INTEGER_OPERATORS =
  /^(QLinear.*|QGemm|QAttention|QEmbedLayerNormalization|.*Integer|DynamicQuantize.*|MatMulIntegerToFloat)$/;

/**
 * The float model that a quantized file represents: weights stored as integers become the numbers that DequantizeLinear makes of
 * them, and the pairs of QuantizeLinear and DequantizeLinear around activations are the identity, as they are to straight-through
 * gradients. Operators that compute with integers have no such reading.
 *
 * @throws CurvatureError "unsupported" for operators that compute with integers
 */
export function asFloatModel(model: PreparedModel): PreparedModel {
  checkOperators(model);
  if (!model.nodes.some((node) => isDequantizer(node))) return model;
  const { renamed, constants } = floatWeights(model);
  const quantizers = pairedQuantizers(model);
  checkNarrow(model, quantizers);
  const nodes = model.nodes.flatMap((node): FileNode[] => {
    if (renamed.has(node.outputs[0])) return [];
    const read = { ...node, inputs: node.inputs.map((name) => renamed.get(name) ?? name) };
    return [
      quantizers.has(node)
        ? { ...read, op: "Identity", domain: "", inputs: read.inputs.slice(0, 1), attributes: {} }
        : read,
    ];
  });
  const weights =
    renamed.size === 0 ? "" : `${count(renamed.size, "weight")} stored as integers read as the floats they stand for`;
  const pairs =
    quantizers.size === 0 ? "" : `${count(quantizers.size / 2, "quantizer")} of activations read as the identity`;
  const what = [weights, pairs].filter((part) => part !== "").join(", ");
  const notices = what === "" ? [] : [`The file is quantized; it is read as a float model: ${what}.`];
  return { ...model, nodes, constants, notices: [...model.notices, ...notices] };
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

function isDequantizer({ op, domain }: FileNode): boolean {
  return op === "DequantizeLinear" && DOMAINS.has(domain);
}

function isQuantizer({ op, domain }: FileNode): boolean {
  return op === "QuantizeLinear" && DOMAINS.has(domain);
}

function checkOperators({ nodes, file }: PreparedModel): void {
  const integer = nodes.filter(({ op, domain }) => DOMAINS.has(domain) && INTEGER_OPERATORS.test(op));
  if (integer.length === 0) return;
  const list = `${integer.slice(0, 3).map(describe).join(", ")}${integer.length > 3 ? ` and ${integer.length - 3} more` : ""}`;
  throw new CurvatureError(
    "unsupported",
    `${file}: ${list} ${integer.length === 1 ? "computes" : "compute"} with integers, which have no derivative; take the float model, or quantize in QDQ format`,
  );
}

/** A quantizer to less than eight bits that stays is not computed with: its limits would be those of eight bits. */
function checkNarrow({ nodes, constants, file }: PreparedModel, paired: ReadonlySet<FileNode>): void {
  const node = nodes.find(
    (each) => isQuantizer(each) && !paired.has(each) && constants.get(each.inputs[2] ?? "")?.packed === true,
  );
  if (node === undefined) return;
  throw new CurvatureError(
    "unsupported",
    `${file}: ${describe(node)} rounds to less than eight bits without a DequantizeLinear after it, which has no derivative; take the float model`,
  );
}

/** Float constants for what is dequantized from constants, and their names by those of the values they replace. */
function floatWeights(model: PreparedModel): {
  readonly renamed: ReadonlyMap<string, string>;
  readonly constants: ReadonlyMap<string, StoredConstant>;
} {
  const renamed = new Map<string, string>();
  const constants = new Map<string, StoredConstant>();
  const fixed = new Set([...model.outputs.map(({ name }) => name), ...model.nodes.flatMap(({ captures }) => captures)]);
  const taken = new Set([...model.constants.keys(), ...model.nodes.flatMap(({ outputs }) => outputs)]);
  const byTensor = new Map<string, FileNode[]>();
  for (const node of model.nodes) {
    if (!isDequantizer(node) || !node.inputs.every((name) => name === "" || model.constants.has(name))) continue;
    byTensor.set(node.inputs[0], [...(byTensor.get(node.inputs[0]) ?? []), node]);
  }
  for (const [name, stored] of model.constants) {
    constants.set(name, stored);
    for (const node of byTensor.get(name) ?? []) {
      const [output] = node.outputs;
      const bare = name.replace(/_quantized$/, "");
      const own = fixed.has(output) || taken.has(bare) ? output : bare;
      taken.add(own);
      renamed.set(output, own);
      const load = () => dequantized(node, model.constants);
      constants.set(own, { name: own, dims: stored.dims, dtype: "float32", origin: "initializer", load });
    }
  }
  return { renamed, constants };
}

/** Quantizers that only dequantizers read, and these. */
function pairedQuantizers({ nodes, outputs }: PreparedModel): ReadonlySet<FileNode> {
  const readers = new Map<string, FileNode[]>();
  for (const node of nodes)
    for (const name of [...node.inputs, ...node.captures]) readers.set(name, [...(readers.get(name) ?? []), node]);
  const paired = new Set<FileNode>();
  for (const node of nodes) {
    if (!isQuantizer(node) || outputs.some(({ name }) => name === node.outputs[0])) continue;
    const users = readers.get(node.outputs[0]) ?? [];
    if (users.length === 0 || !users.every(isDequantizer)) continue;
    for (const each of [node, ...users]) paired.add(each);
  }
  return paired;
}

/** (x - zero point) scale, with one scale for all, for each slice along an axis, or for each block along it. */
async function dequantized(
  { inputs, attributes }: FileNode,
  constants: ReadonlyMap<string, StoredConstant>,
): Promise<Tensor> {
  const [x, scale, zero] = await Promise.all(
    inputs.map((name) => (name === "" ? undefined : constants.get(name)!.load())),
  );
  const { dims } = x!;
  const attribute = (name: string, otherwise: number) => {
    const value = attributes[name];
    return value !== undefined && "int" in value ? value.int : otherwise;
  };
  const given = attribute("axis", 1);
  const axis = given < 0 ? given + dims.length : given;
  const single = scale!.data.length === 1;
  const inner = sizeOf(dims.slice(axis + 1));
  const length = dims[axis] ?? 1;
  const block = attribute("block_size", 0);
  const steps = block > 0 ? Math.ceil(length / block) : length;
  const data = new Float32Array(x!.data.length);
  for (let i = 0; i < data.length; i++) {
    const along = Math.floor(i / inner) % length;
    const outer = Math.floor(i / (inner * length));
    const k = single ? 0 : block > 0 ? (outer * steps + Math.floor(along / block)) * inner + (i % inner) : along;
    data[i] = (Number(x!.data[i]) - Number(zero?.data[k] ?? 0)) * Number(scale!.data[k]);
  }
  return { data, dims };
}
