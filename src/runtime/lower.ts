import { CurvatureError } from "../errors/index.ts";
import { countUses, isInput, isOpaque, topologicalOrder, type Value } from "../graph/index.ts";
import { type ValueInfo, writeModel } from "../onnx/index.ts";
import { byName, type Dtype, type Precision, type Tensor } from "../tensors/index.ts";
import { withPreferredKernels } from "./preferredKernels.ts";
import { graphWriter, inPrecision } from "./writer.ts";

/** Operator set of the graphs we write, unless an opaque node needs a newer one. */
const OPSET = 17;

/** A graph with named inputs and outputs. Inputs that no output needs are allowed. */
export interface NamedGraph {
  readonly inputs: { readonly [name: string]: Value };
  readonly outputs: { readonly [name: string]: Value };
}

/** Options for writing a graph. */
export interface LowerOptions {
  readonly precision: Precision;
  /** Standard operators only, every input declared: a file for other runtimes. */
  readonly portable?: boolean;
  /** Inputs that become initializers, with their data. */
  readonly initializers?: { readonly [name: string]: Tensor };
  readonly metadata?: { readonly [key: string]: string };
}

/** An ONNX file with the names of the inputs that it reads. */
export interface LoweredGraph {
  readonly bytes: Uint8Array;
  readonly inputs: readonly string[];
  /** The outputs in the form in which they are written. */
  readonly results: readonly Value[];
}

/**
 * Writes a graph as an ONNX file in one precision.
 *
 * @throws CurvatureError "argument" where the outputs need an input that is not among the named ones, or an output has the
 *   name of an input
 */
export function lower({ inputs, outputs }: NamedGraph, options: LowerOptions): LoweredGraph {
  const { precision, portable = false, initializers = {}, metadata = {} } = options;
  const results = withPreferredKernels(Object.values(outputs), precision);
  const order = topologicalOrder(results);
  const opsets = operatorSets(order, portable);
  const opset = opsets[""];
  const uses = countUses(order, results);
  const reserved = new Set([...Object.keys(inputs), ...Object.keys(outputs), ...Object.keys(initializers)]);
  const writer = graphWriter({ precision, portable, opset, uses: (value) => uses.get(value) ?? 0, reserved });
  checkNames(order, { inputs, outputs });
  const reached = new Set(order);
  const declared = Object.entries(inputs).filter(
    ([name, value]) => !Object.hasOwn(initializers, name) && (portable || reached.has(value)),
  );
  for (const [name, value] of Object.entries(inputs)) writer.define(value, name);
  for (const value of order) if (!isInput(value)) writer.define(value, value.primitive.lower!(value, writer));
  const names = Object.keys(outputs);
  const nodes = writer.finish(names.map((name, i) => [name, results[i]]));
  const given = Object.entries(initializers).map(([name, tensor]) => ({
    name,
    tensor: inPrecision(tensor, precision),
  }));
  const bytes = writeModel({
    producer: "onnx-curvature",
    opsets,
    graph: {
      name: "onnx-curvature",
      nodes,
      inputs: declared.map(([name, value]) => valueInfo(name, value, precision)),
      outputs: names.map((name, i) => valueInfo(name, results[i], precision)),
      initializers: [...writer.initializers, ...given],
    },
    metadata,
  });
  return { bytes, inputs: declared.map(([name]) => name), results };
}

function checkNames(order: readonly Value[], { inputs, outputs }: NamedGraph): void {
  const taken = Object.keys(outputs).find((name) => Object.hasOwn(inputs, name));
  if (taken !== undefined) {
    throw new CurvatureError("argument", `"${taken}" names an input and an output of the graph; give them two names`);
  }
  const known = new Set(Object.values(inputs));
  for (const value of order) {
    if (isInput(value) && !known.has(value)) {
      throw new CurvatureError(
        "argument",
        `the outputs need input "${value.params.name}", which is not among the inputs of the graph`,
      );
    }
  }
}

/** Versions of the operator sets a graph needs. */
function operatorSets(order: readonly Value[], portable: boolean): { [domain: string]: number } & { "": number } {
  const sets = byName([["", OPSET], ...(portable ? [] : ([["com.microsoft", 1]] as const))]) as {
    [domain: string]: number;
  } & { "": number };
  for (const { params } of order.filter(isOpaque)) {
    const { domain, opset } = params.node;
    sets[domain] = Math.max(sets[domain] ?? 1, opset);
  }
  return sets;
}

function valueInfo(name: string, { type, shape }: Value, precision: Precision): ValueInfo {
  return { name, dtype: (type === "float" ? precision : type) as Dtype, dims: shape };
}
