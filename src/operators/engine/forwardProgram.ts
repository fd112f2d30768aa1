import type { Value } from "../../graph/index.ts";
import type { Model, ModelGraph } from "../../models/index.ts";
import { compile } from "../../runtime/index.ts";
import { byName, type Precision, type Tensor, type Vector } from "../../tensors/index.ts";
import { feedName } from "./productPrograms.ts";
import type { Tensors } from "./risk.ts";

/** A few values of a model for one batch, for checks before any product. */
export interface ForwardProgram {
  /**
   * The values in the requested order.
   *
   * @param weights of each parameter as a function of the model's; default: the model's
   */
  run(inputs: Tensors, weights?: (data: Vector) => Vector): Promise<readonly Tensor[]>;
  release(): Promise<void>;
}

/** The graph of a model for a batch. */
export interface ForwardGraph {
  readonly inputs: ModelGraph["inputs"];
  /** All of the model's parameters, in its order. */
  readonly allParameters: readonly Value[];
}

/**
 * Compiles values of a graph without the optimizations that pay only for many runs.
 *
 * @throws CurvatureError "runtime" where the engine rejects the graph
 */
export async function forwardProgram(
  values: readonly Value[],
  { graph, model, precision }: { readonly graph: ForwardGraph; readonly model: Model; readonly precision: Precision },
): Promise<ForwardProgram> {
  const { parameters } = model;
  const inputs = byName<Value>();
  for (const [name, value] of Object.entries(graph.inputs)) inputs[feedName.input(name)] = value;
  parameters.forEach(({ name }, i) => {
    inputs[feedName.parameter(name)] = graph.allParameters[i];
  });
  const outputs = Object.fromEntries(values.map((value, i) => [feedName.output(String(i)), value]));
  const program = await compile({ inputs, outputs }, { precision, optimized: false });
  return {
    async run(given, weights = (data) => data) {
      const feeds = byName<Tensor>();
      for (const [name, tensor] of Object.entries(given)) feeds[feedName.input(name)] = tensor;
      for (const { name, data, dims } of parameters) feeds[feedName.parameter(name)] = { data: weights(data), dims };
      const results = await program.run(feeds);
      return values.map((_, i) => results[feedName.output(String(i))]);
    },
    release: program.release,
  };
}
