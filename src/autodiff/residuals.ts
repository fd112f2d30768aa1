import {
  constantTensor,
  dependents,
  input,
  isInput,
  substitute,
  topologicalOrder,
  type Value,
  withInputs,
} from "../graph/index.ts";

/** A graph split in two: the part that depends on the batch alone, and the part that each product computes from it. */
export interface ResidualSplit {
  /** Values to compute once and keep. */
  readonly residuals: readonly Value[];
  /** Inputs that replace the residuals in `outputs`, in the same order. */
  readonly inputs: readonly Value[];
  /** The original outputs, computed from the residual inputs, the variables and other graph inputs. */
  readonly outputs: readonly Value[];
}

/**
 * Splits outputs that depend on `variables` (the vector of a product) into residuals and the rest. A residual is a value that does not
 * depend on the variables but is used by one that does. Graph inputs and constants are not residuals.
 */
export function splitResiduals(outputs: readonly Value[], variables: readonly Value[]): ResidualSplit {
  const order = topologicalOrder(outputs);
  const moving = dependents(order, variables);
  const residuals = new Set<Value>();
  const keep = (value: Value) => {
    if (moving.has(value) || isInput(value) || isConstantExpression(value)) return;
    if (value.primitive.recompute) value.inputs.forEach(keep);
    else residuals.add(value);
  };
  for (const value of order) if (moving.has(value)) value.inputs.forEach(keep);
  for (const output of outputs) keep(output);
  const kept = [...residuals];
  const inputs = kept.map((value, i) => input(`residual ${i}`, value.shape, value.type));
  // An input carries less information than the value that it replaces, so nothing can be simplified.
  const replaced = substitute(outputs, new Map(kept.map((value, i) => [value, inputs[i]])), withInputs);
  return { residuals: kept, inputs, outputs: replaced };
}

function isConstantExpression(value: Value): boolean {
  return value.uniform !== undefined || constantTensor(value) !== undefined;
}
