import type { FileNode } from "../../onnx/index.ts";
import type { OperatorRule } from "./importedNode.ts";
import * as standard from "./ops/index.ts";

/** Rules by operator: the exported functions of `ops/`, under the operators' own names. */
const RULES: Readonly<Record<string, OperatorRule>> = standard;

/** Domains whose operators have their rules in `ops/`. */
const DOMAINS: ReadonlySet<string> = new Set(["", "com.microsoft"]);

/** The rule of a node's operator; undefined if there is none. */
export function ruleOf({ op, domain }: Pick<FileNode, "op" | "domain">): OperatorRule | undefined {
  return DOMAINS.has(domain) && Object.hasOwn(RULES, op) ? RULES[op] : undefined;
}

/** Names of the operators that have a rule. */
export function supportedOperators(): string[] {
  return Object.keys(RULES).sort();
}
