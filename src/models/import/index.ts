export { isDiscrete } from "./discrete.ts";
export type { ImportedNode, OperatorRule } from "./importedNode.ts";
export { interpret } from "./interpret.ts";
export { ruleOf, supportedOperators } from "./operators.ts";
export { writePrepared } from "./writePrepared.ts";
