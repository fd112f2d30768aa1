import type { FileNode } from "../../../onnx/index.ts";
import type { OperatorRule } from "./importedNode.ts";
import * as standard from "./index.ts";
import type { OperatorTraits } from "./traits.ts";
import * as withoutRule from "./withoutRule.ts";

/** Rules by operator: the exported functions of `ops/`, under the operators' own names. */
const RULES: Readonly<Record<string, OperatorRule & { readonly traits?: OperatorTraits }>> = standard;

const WITHOUT_RULE: Readonly<Record<string, OperatorTraits>> = withoutRule;

const NONE: OperatorTraits = {};

/** Any node, as far as its operator goes; the standard domain where none is given. */
type NodeOperator = Pick<FileNode, "op"> & { readonly domain?: string };

/** Facts about a node's operator, as it declares them; empty for an operator that is not known. */
export function traitsOf({ op, domain = "" }: NodeOperator): OperatorTraits {
  const traits = declared(op);
  return domain === "" || (domain === "com.microsoft" && traits.microsoft === true) ? traits : NONE;
}

/** The rule of a node's operator; undefined if there is none. */
export function ruleOf({ op, domain = "" }: NodeOperator): OperatorRule | undefined {
  const known = domain === "" || (domain === "com.microsoft" && declared(op).microsoft === true);
  return known && Object.hasOwn(RULES, op) ? RULES[op] : undefined;
}

/** Names of the operators that have a rule. */
export function supportedOperators(): string[] {
  return Object.keys(RULES).sort();
}

function declared(op: string): OperatorTraits {
  if (Object.hasOwn(RULES, op)) return RULES[op].traits ?? NONE;
  return Object.hasOwn(WITHOUT_RULE, op) ? WITHOUT_RULE[op] : NONE;
}
