import type { FileNode } from "../../../onnx/index.ts";
import type { OperatorRule } from "./importedNode.ts";
import * as standard from "./index.ts";

/** Rules by operator: the exported functions of `ops/`, under the operators' own names. */
const RULES: Readonly<Record<string, OperatorRule>> = standard;

/** Operators that ONNX Runtime adds to the standard ones and that have their rules in `ops/` as well. */
const MICROSOFT: ReadonlySet<string> = new Set([
  "BiasGelu",
  "EmbedLayerNormalization",
  "FastGelu",
  "FusedConv",
  "FusedGemm",
  "FusedMatMul",
  "Gelu",
  "MultiHeadAttention",
  "QuickGelu",
  "RotaryEmbedding",
  "SimplifiedLayerNormalization",
  "SkipLayerNormalization",
  "SkipSimplifiedLayerNormalization",
]);

/** The rule of a node's operator; undefined if there is none. */
export function ruleOf({ op, domain }: Pick<FileNode, "op" | "domain">): OperatorRule | undefined {
  const known = domain === "" || (domain === "com.microsoft" && MICROSOFT.has(op));
  return known && Object.hasOwn(RULES, op) ? RULES[op] : undefined;
}

/** Names of the operators that have a rule. */
export function supportedOperators(): string[] {
  return Object.keys(RULES).sort();
}
