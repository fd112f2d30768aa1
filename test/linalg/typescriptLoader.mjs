// A loader of Node for TypeScript sources, by their own names and by the package's conditions.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const source = (path) => new URL(`../../src/${path}`, import.meta.url).href;
const sources = {
  "#dense": source("linalg/dense/nodeKernels.ts"),
  "#files": source("files/node.ts"),
  "#runtime": source("runtime/node.ts"),
};

export function resolve(specifier, context, next) {
  const url = sources[specifier];
  return url ? { url, shortCircuit: true } : next(specifier, context);
}

export async function load(url, context, next) {
  if (!url.endsWith(".ts")) return next(url, context);
  const text = await readFile(fileURLToPath(url), "utf8");
  const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext };
  return { format: "module", source: ts.transpileModule(text, { compilerOptions }).outputText, shortCircuit: true };
}
