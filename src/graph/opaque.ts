import { CurvatureError } from "../errors/index.ts";
import { apply } from "./apply.ts";
import { identityKey } from "./inputsAndConstants.ts";
import type { Attributes, ElementType, Primitive, Shape, Value } from "./primitive.ts";

/** An ONNX node as its file has it: operator, domain, attributes as plain values, subgraphs as opaque bytes. */
export interface NodeSpec {
  readonly op: string;
  readonly domain: string;
  /** Version of the domain's operator set that the node is written for. */
  readonly opset: number;
  readonly name: string;
  readonly attributes: Attributes;
  /** Number of outputs; absent ones in between count. */
  readonly outputs: number;
  /** Positions of inputs that are absent. */
  readonly absent: readonly number[];
  /** Names under which subgraphs read outer values; these are the last inputs of the node's value. */
  readonly captures: readonly string[];
}

interface OpaqueParams {
  readonly node: NodeSpec;
  readonly output: number;
  readonly shape: Shape;
  readonly type: ElementType;
}

/**
 * One output of an ONNX node that needs no derivative: evaluated by ONNX Runtime as it stands. Float operands are float32
 * as in the file, also where the graph is computed in float64.
 */
export const opaquePrimitive: Primitive<OpaqueParams> = {
  name: "opaque",
  output: (_, { shape, type }) => ({ shape, type }),
  jvp({ params: { node } }) {
    const where = node.name === "" ? "" : ` (node "${node.name}")`;
    throw new CurvatureError("unsupported", `operator ${node.op}${where} has no derivative rule but is asked for one`);
  },
  lower({ params: { node, output }, inputs, type }, context) {
    const widened = context.precision === "float64";
    const operands = inputs.map((value) => {
      const name = context.name(value);
      return widened && value.type === "float" ? context.node("Cast", [name], { to: { int: 1 } }) : name;
    });
    const given = operands.slice(0, operands.length - node.captures.length);
    node.captures.forEach((capture, i) => {
      context.alias(capture, operands[given.length + i]);
    });
    for (const position of node.absent) given.splice(position, 0, "");
    const results = context.nodes(`${identityKey(node)}:${inputs.map((value) => value.id)}`, {
      op: node.op,
      domain: node.domain,
      inputs: given,
      attributes: node.attributes,
      outputs: node.outputs,
    });
    return widened && type === "float" ? context.node("Cast", [results[output]], { to: { int: 11 } }) : results[output];
  },
  format: ({ node, output }) => `${node.domain === "" ? "" : `${node.domain}.`}${node.op} output ${output}`,
  key: ({ node, output }) => `${identityKey(node)}:${output}`,
};

/** Output number `output` of an ONNX node applied to values, with the shape and type it is known to have. */
export function opaque(
  inputs: readonly Value[],
  result: { readonly node: NodeSpec; readonly output: number; readonly shape: Shape; readonly type: ElementType },
): Value {
  return apply(opaquePrimitive, inputs, result);
}

/** Whether the value is an output of an opaque node. */
export function isOpaque(value: Value): value is Value<OpaqueParams> {
  return value.primitive === (opaquePrimitive as Primitive);
}
