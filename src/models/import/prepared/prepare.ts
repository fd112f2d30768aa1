import { CurvatureError } from "../../../errors/index.ts";
import {
  type FileGraph,
  type FileNode,
  isPacked,
  type ModelContents,
  packedIntegers,
  type ValueInfo,
} from "../../../onnx/index.ts";
import type { AttributeValue, Dtype, Tensor } from "../../../tensors/index.ts";
import { dtypeOf, isArrayType } from "../../../tensors/index.ts";
import { checkAttributes } from "./checkAttributes.ts";
import { foldedFrom } from "./exporterMetadata.ts";
import { inlineFunctions } from "./inlineFunctions.ts";
import { checkCalls } from "./nodeCounts.ts";
import type { PreparedModel, StoredConstant } from "./preparedModel.ts";
import { sortNodes } from "./sortNodes.ts";
import { freshName } from "./valueNames.ts";

/** Attributes that hold the element type of a result. */
const TYPES: ReadonlySet<string> = new Set(["to", "dtype", "output_datatype"]);

/** ONNX codes of element types that are computed in float32: float16, double, bfloat16. */
const WIDENED: ReadonlySet<number> = new Set([10, 11, 16]);

/**
 * Makes a file uniform.
 *
 * @throws CurvatureError "file" for graphs with cycles or names that nothing defines
 */
export function prepare(
  contents: ModelContents,
  { file, memoryLimit }: Pick<PreparedModel, "file" | "memoryLimit">,
): PreparedModel {
  const { graph, opsets, producer, metadata } = contents;
  checkAttributes(graph, file);
  checkInputs(graph, file);
  checkCalls(graph.nodes, contents.functions);
  const inlined = inlineFunctions(graph.nodes, {
    ...contents,
    defined: [...graph.inputs, ...graph.initializers].map(({ name }) => name),
  });
  const { nodes, constants } = splitConstants({ ...graph, nodes: inlined.nodes });
  const known = [...graph.inputs.map(({ name }) => name), ...constants.keys()];
  const halves = graph.inputs.filter(({ dtype }) => dtype === "float16" || dtype === "bfloat16");
  const stored = graph.initializers.filter(({ dtype }) => dtype === "float16" || dtype === "bfloat16");
  const notices =
    halves.length + stored.length === 0
      ? []
      : [
          `The file is in half precision (${(stored[0] ?? halves[0]).dtype}); it is computed in float32 or float64 with the weights as stored.`,
        ];
  return {
    file,
    memoryLimit,
    producer,
    opsets,
    inputs: graph.inputs.map(wideInfo),
    outputs: graph.outputs.map(wideInfo),
    nodes: sortNodes(nodes, known, file),
    constants,
    functions: inlined.functions.map(({ bytes }) => bytes),
    metadata: { ...metadata, ...graph.metadata },
    foldedFrom: foldedFrom(graph),
    notices,
  };
}

/** A graph's initializers and Constant nodes, and its other nodes with half and double precision turned to float32. */
export function splitConstants({ initializers, nodes }: Pick<FileGraph, "initializers" | "nodes">): {
  readonly constants: Map<string, StoredConstant>;
  readonly nodes: FileNode[];
} {
  const constants = new Map<string, StoredConstant>();
  for (const { name, dims, dtype, load } of initializers) {
    const packed = isPacked(dtype) ? { packed: true as const } : {};
    constants.set(name, { name, dims, dtype: wideType(dtype), origin: "initializer", load, ...packed });
  }
  const others: FileNode[] = [];
  const taken = new Set([...constants.keys(), ...nodes.flatMap(({ inputs, outputs }) => [...inputs, ...outputs])]);
  for (const node of nodes) {
    const tensor = constantOf(node);
    const fill = doubleFill(node);
    if (tensor !== undefined) constants.set(node.outputs[0], storedConstant(node.outputs[0], tensor));
    else if (fill === undefined) others.push(widened(node));
    else {
      // The attribute would be rounded to float32 with the node's others; a constant of its own keeps its digits.
      const name = freshName(`${node.outputs[0]}/value`, taken);
      constants.set(name, storedConstant(name, fill));
      others.push({ ...node, op: "Expand", inputs: [name, node.inputs[0]], attributes: {} });
    }
  }
  return { constants, nodes: others };
}

/** The number of double precision that a ConstantOfShape repeats, if float32 does not hold it. */
function doubleFill({ op, domain, attributes }: FileNode): Tensor | undefined {
  const { value } = attributes;
  if (op !== "ConstantOfShape" || domain !== "" || value === undefined || !("tensor" in value)) return undefined;
  const { data } = value.tensor;
  return data instanceof Float64Array && Math.fround(data[0]) !== data[0] ? { data, dims: [] } : undefined;
}

function wideType(dtype: string): Dtype {
  if (isPacked(dtype)) return packedIntegers[dtype].heldAs;
  return dtype === "float16" || dtype === "bfloat16" ? "float32" : (dtype as Dtype);
}

function wideInfo(info: ValueInfo): ValueInfo {
  const { dtype } = info;
  return dtype === "float16" || dtype === "bfloat16" || dtype === "float64" ? { ...info, dtype: "float32" } : info;
}

function storedConstant(name: string, tensor: Tensor): StoredConstant {
  return { name, dims: tensor.dims, dtype: dtypeOf(tensor), origin: "Constant node", load: async () => tensor };
}

/** The tensor of a Constant node, in whichever attribute it is. */
function constantOf({ op, domain, attributes, name }: FileNode): Tensor | undefined {
  if (op !== "Constant" || domain !== "") return undefined;
  const { value, value_float, value_floats, value_int, value_ints, value_string, value_strings } = attributes;
  if (value !== undefined && "tensor" in value) return value.tensor;
  if (value_float !== undefined && "float" in value_float)
    return { data: Float32Array.of(value_float.float), dims: [] };
  if (value_floats !== undefined && "floats" in value_floats) {
    return { data: Float32Array.from(value_floats.floats), dims: [value_floats.floats.length] };
  }
  if (value_int !== undefined && "int" in value_int) return { data: BigInt64Array.of(BigInt(value_int.int)), dims: [] };
  if (value_ints !== undefined && "ints" in value_ints) {
    return { data: BigInt64Array.from(value_ints.ints, BigInt), dims: [value_ints.ints.length] };
  }
  if (value_string !== undefined && "string" in value_string) return { data: [value_string.string], dims: [] };
  if (value_strings !== undefined && "strings" in value_strings) {
    return { data: value_strings.strings, dims: [value_strings.strings.length] };
  }
  throw new CurvatureError("unsupported", `Constant node "${name}" has no dense value; store it as a dense tensor`);
}

function checkInputs({ inputs }: Pick<FileGraph, "inputs">, file: string): void {
  for (const { name, dtype } of inputs.map(wideInfo)) {
    if (dtype === null || isArrayType(dtype)) continue;
    throw new CurvatureError(
      "unsupported",
      `${file}: input "${name}" has elements of type ${dtype}, which are not read; export the model in float32`,
    );
  }
}

/** The node with half and double precision in its attributes turned to float32. */
function widened(node: FileNode): FileNode {
  const entries = Object.entries(node.attributes).map(([name, value]): [string, AttributeValue] => {
    if (TYPES.has(name) && "int" in value && WIDENED.has(value.int)) return [name, { int: 1 }];
    if ("tensor" in value) {
      const { tensor } = value;
      const double = tensor.data instanceof Float64Array;
      return [
        name,
        { tensor: double ? { data: Float32Array.from(tensor.data as Float64Array), dims: tensor.dims } : tensor },
      ];
    }
    return [name, value];
  });
  return { ...node, attributes: Object.fromEntries(entries) };
}
