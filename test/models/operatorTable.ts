import { readdirSync, readFileSync } from "node:fs";
import { isNonDifferentiable, ruleOf, supportedOperators } from "../../src/models/import/index.ts";
import type * as operators from "../../src/models/import/ops/index.ts";
import type { FileNode } from "../../src/onnx/index.ts";
import { operatorCases } from "./ops.cases.ts";

const folder = new URL("../../src/models/import/ops/", import.meta.url);

/** The table of operators in Markdown: from the rules' own comments and messages, and from the forms that tests go through. */
export function operatorTable(): string {
  const sources = readdirSync(folder)
    .filter((name) => name !== "index.ts")
    .map((name) => readFileSync(new URL(name, folder), "utf8"));
  const rows = supportedOperators().map((op) => {
    const source = sources.find((text) => new RegExp(`^export function ${op}\\(`, "m").test(text))!;
    return `| ${[op, domainsOf(op), firstSentence(source, op), opsetsOf(op), unsupportedForms(source, op), derivativeOf(op), formsOf(op)].join(" | ")} |`;
  });
  return `${HEAD}${rows.join("\n")}\n`;
}

const HEAD = `# Operators

Generated from the code by \`npx vitest run test/models/operatorTable.test.ts -u\`; a test fails where it is not up to date.

An operator needs a row here only where a parameter reaches it. All others (masks, positions, index arithmetic, preprocessing,
\`ai.onnx.ml\`, whatever ONNX Runtime can run) are carried along and evaluated by ONNX Runtime. \`If\`, \`Loop\` and \`Scan\` are written out
where conditions and counts depend on shapes and constants alone; functions of the file are written out as well.

Every operator runs in float32 and in float64. Every form counted in the last column is compared with ONNX Runtime's run of that
node in both precisions (limit 1e-5 of the largest entry), and, where there is a derivative, its gradient and its Hessian times a vector
with central differences in float64 (limit 1e-6). "Opsets" are those of these forms; 7 to 26 are read.

| operator | domain | what it computes | opsets | refused: a node that | derivative | forms |
|---|---|---|---|---|---|---|
`;

function domainsOf(op: string): string {
  return ["", "com.microsoft"]
    .filter((domain) => ruleOf({ op, domain }) !== undefined && isIn(op, domain))
    .map((domain) => domain || "ai.onnx")
    .join(", ");
}

/** Rules are found under both domains; the forms say which one an operator has. */
function isIn(op: string, domain: string): boolean {
  return operatorCases[op as keyof typeof operators].some((each) => (each.domain ?? "") === domain);
}

function firstSentence(source: string, op: string): string {
  const comment = new RegExp(`/\\*\\*((?:(?!\\*/)[\\s\\S])*)\\*/\\nexport function ${op}\\(`).exec(source)![1]!;
  const text = comment.replace(/\s*\n\s*\*\s*/g, " ").trim();
  const end = text.search(/\.( |$)/);
  return escaped(text.slice(0, end < 0 ? undefined : end + 1));
}

function opsetsOf(op: string): string {
  const opsets = new Set(
    operatorCases[op as keyof typeof operators].map(({ domain = "", opset = 17 }) => (domain === "" ? opset : 1)),
  );
  return [...opsets].sort((a, b) => a - b).join(", ");
}

/** The messages of `unsupported` in the rule and in the functions of its file that it uses. */
function unsupportedForms(source: string, op: string): string {
  const bodies = new Map(
    source
      .split(/^(?=(?:export )?function )/m)
      .map((body) => [/^(?:export )?function (\w+)/.exec(body)?.[1] ?? "", body]),
  );
  const seen = new Set<string>();
  const texts: string[] = [];
  const visit = (name: string) => {
    const body = bodies.get(name);
    if (body === undefined || seen.has(name)) return;
    seen.add(name);
    for (const [, , text] of body.matchAll(/unsupported\(\s*node,\s*(["'`])([\s\S]*?)\1,?\s*\)/g)) texts.push(text!);
    for (const other of bodies.keys()) if (other !== "" && new RegExp(`\\b${other}\\(`).test(body)) visit(other);
  };
  visit(op);
  return escaped([...new Set(texts)].map((text) => text.replace(/\$\{.*?\}/g, "...")).join("; "));
}

function derivativeOf(op: string): string {
  return isNonDifferentiable({ op, domain: "", attributes: {} } as unknown as FileNode) ? "none" : "yes";
}

function formsOf(op: string): string {
  return String(operatorCases[op as keyof typeof operators].length);
}

function escaped(text: string): string {
  return text.replaceAll("|", "\\|");
}
