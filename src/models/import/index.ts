export { isDiscrete } from "./analysis/discrete.ts";
export { interpret } from "./interpret.ts";
export type { ImportedNode, OperatorRule } from "./ops/importedNode.ts";
export { ruleOf, supportedOperators } from "./ops/operators.ts";
export { writePrepared } from "./prepared/writePrepared.ts";
