export { isNonDifferentiable } from "./analysis/nonDifferentiable.ts";
export { interpret } from "./interpret.ts";
export type { ImportedNode, OperatorRule } from "./ops/importedNode.ts";
export { ruleOf, supportedOperators } from "./ops/operators.ts";
export { writePrepared } from "./prepared/writePrepared.ts";
