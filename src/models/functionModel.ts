import { CurvatureError, checkObject } from "../errors/index.ts";
import { input, type Value, withOperationsApart } from "../graph/index.ts";
import { compile } from "../runtime/index.ts";
import { sizeOf, type Tensor } from "../tensors/index.ts";
import type { GraphRequest, Model, ModelGraph, ModelInput, Parameter } from "./model.ts";

/** A model written with primitives. */
export interface FunctionModelOptions {
  readonly name?: string;
  /** Weights by name; the order is that of the object's keys. */
  readonly parameters: {
    readonly [name: string]: { readonly data: Float32Array | Float64Array; readonly dims: readonly number[] };
  };
  /** Inputs by name, with the sizes of one row; floats unless `dtype` says otherwise. */
  readonly inputs: {
    readonly [name: string]: { readonly dims: readonly number[]; readonly dtype?: ModelInput["dtype"] };
  };
  /**
   * Outputs by name (or one output, called "output") as values of the parameters and inputs, each with a leading axis of
   * rows. Called once for every batch size.
   */
  readonly apply: (
    parameters: { readonly [name: string]: Value },
    inputs: { readonly [name: string]: Value },
  ) => Value | { readonly [name: string]: Value };
}

/**
 * A model defined in TypeScript by the primitives of this library, for tests and studies.
 *
 * @throws CurvatureError "shape" for parameters whose data do not fit their dims, "argument" for a parameter named like an input
 */
export function functionModel(options: FunctionModelOptions): Model {
  checkObject(options, "functionModel expects options", ["parameters", "inputs", "apply"]);
  const { name = "function", parameters, inputs, apply } = options;
  const shared = Object.keys(parameters).find((key) => Object.hasOwn(inputs, key));
  if (shared !== undefined) {
    throw new CurvatureError(
      "argument",
      `"${shared}" is the name of a parameter and of an input; give them different names`,
    );
  }
  const declared = declaredParameters(parameters);
  const modelInputs = Object.entries(inputs).map(
    ([key, { dims, dtype = "float32" }]): ModelInput => ({ name: key, dtype, dims: [null, ...dims] }),
  );
  const build = (shapes: GraphRequest["shapes"]) => graphOf(apply, { declared, inputs: modelInputs, shapes });
  const probe = build(
    Object.fromEntries(modelInputs.map(({ name: key, dims }) => [key, [1, ...(dims.slice(1) as number[])]])),
  );
  return {
    name,
    parameters: declared,
    inputs: modelInputs,
    outputs: Object.keys(probe.outputs).map((key) => ({ name: key })),
    notices: [],
    graph: async ({ shapes }) => build(shapes),
    run: (feeds) =>
      runOnce(build(Object.fromEntries(Object.entries(feeds).map(([key, { dims }]) => [key, dims]))), {
        declared,
        feeds,
      }),
  };
}

/** The graph of the function for inputs of these shapes. */
function graphOf(
  apply: FunctionModelOptions["apply"],
  {
    declared,
    inputs,
    shapes,
  }: {
    readonly declared: readonly Parameter[];
    readonly inputs: readonly ModelInput[];
    readonly shapes: GraphRequest["shapes"];
  },
): ModelGraph {
  const parameters = declared.map(({ name, dims }) => input(name, dims));
  const given = Object.fromEntries(
    inputs.map(({ name, dtype }) => [
      name,
      input(name, shapes[name], dtype.startsWith("float") ? "float" : (dtype as "int64")),
    ]),
  );
  const outputs = () => {
    const result = apply(Object.fromEntries(declared.map(({ name }, i) => [name, parameters[i]])), given);
    return isValue(result) ? { output: result } : result;
  };
  return { parameters, inputs: given, outputs: outputs(), operationsApart: () => withOperationsApart(outputs) };
}

function declaredParameters(parameters: FunctionModelOptions["parameters"]): Parameter[] {
  return Object.entries(parameters).map(([name, { data, dims }]): Parameter => {
    if (data.length === sizeOf(dims)) return { name, dims, data, role: "other", layer: name, reason: "declared" };
    throw new CurvatureError(
      "shape",
      `parameter "${name}" has ${data.length} numbers, but its dims ask for ${sizeOf(dims)}`,
    );
  });
}

function isValue(result: Value | { readonly [name: string]: Value }): result is Value {
  return "primitive" in result && "inputs" in result && Array.isArray(result.inputs);
}

async function runOnce(
  graph: ModelGraph,
  { declared, feeds }: { readonly declared: readonly Parameter[]; readonly feeds: { readonly [name: string]: Tensor } },
): Promise<{ readonly [name: string]: Tensor }> {
  const parameters = Object.fromEntries(declared.map(({ name }, i) => [name, graph.parameters[i]]));
  const precision = declared.some(({ data }) => data instanceof Float64Array) ? "float64" : "float32";
  const program = await compile({ inputs: { ...parameters, ...graph.inputs }, outputs: graph.outputs }, { precision });
  try {
    return await program.run({
      ...feeds,
      ...Object.fromEntries(declared.map(({ name, data, dims }) => [name, { data, dims }])),
    });
  } finally {
    await program.release();
  }
}
