import type { ModelOutput } from "../model.ts";
import type { PreparedModel } from "./preparedModel.ts";

const ACTIVATIONS: ReadonlySet<string> = new Set(["Softmax", "LogSoftmax", "Sigmoid"]);

/** Operators that only pass the value on. */
const PASSED: ReadonlySet<string> = new Set(["Identity", "Cast"]);

/** The activation that ends an output, and the value before it. */
export interface FinalActivation {
  readonly operator: NonNullable<ModelOutput["activation"]>;
  readonly before: string;
}

/** The final Softmax, LogSoftmax or Sigmoid of an output, if that is how it is computed. */
export function finalActivation({ nodes }: PreparedModel, output: string): FinalActivation | undefined {
  const producers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  let node = producers.get(output);
  while (node !== undefined && PASSED.has(node.op)) node = producers.get(node.inputs[0]);
  if (node === undefined || node.domain !== "" || !ACTIVATIONS.has(node.op)) return undefined;
  return { operator: node.op as FinalActivation["operator"], before: node.inputs[0] };
}
