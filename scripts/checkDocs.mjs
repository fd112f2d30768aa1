// @ts-check
import { existsSync } from "node:fs";
import { join, relative } from "node:path";
import ts from "typescript";
import { isMain, root } from "./paths.mjs";

/** Entry points that users can import. */
export const entryPoints = [
  "src/index.ts",
  "src/linalg/index.ts",
  "src/report/index.ts",
  "src/structured/index.ts",
  "src/distributed/mpi/index.ts",
  "src/applications/sharpness/index.ts",
  "src/applications/training/index.ts",
  "src/applications/information/index.ts",
  "src/applications/laplace/index.ts",
  "src/applications/influence/index.ts",
  "src/applications/pruning/index.ts",
  "src/applications/quantization/index.ts",
];

/**
 * Finds public names without a doc comment. Returns one line for each, and the number of names checked. Every export of an entry point
 * needs a comment of at least one sentence; so does every method of an exported interface, object type or class, unless the owner's comment
 * names it in backticks.
 *
 * @param {string} directory the checkout
 * @returns {{ names: number, findings: string[] }}
 */
export function checkDocs(directory) {
  const absent = entryPoints.filter((path) => !existsSync(join(directory, path)));
  const present = entryPoints.filter((path) => !absent.includes(path)).map((path) => join(directory, path));
  const options = compilerOptions(directory);
  const program = ts.createProgram(present, options, hostOf(options));
  const checker = program.getTypeChecker();
  const symbols = new Set(present.flatMap((path) => exportsOf(path, { program, checker })));
  const owned = [...symbols].flatMap((symbol) => methodsOf(symbol, checker));
  const undocumented = [
    ...[...symbols].filter((symbol) => !hasSentence(symbol, checker)),
    ...owned
      .filter(({ owner, method }) => !hasSentence(method, checker) && !names(owner, { method, checker }))
      .map(({ method }) => method),
  ];
  return {
    names: symbols.size + owned.length,
    findings: [
      ...absent.map((path) => `${path}: entry point is missing`),
      ...undocumented.map((symbol) => describe(symbol, directory)),
    ],
  };
}

/** @param {string} directory */
function compilerOptions(directory) {
  const { config } = ts.readConfigFile(join(directory, "tsconfig.json"), ts.sys.readFile);
  return ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, directory).options;
}

/** @type {Map<string, ts.SourceFile | undefined>} */
const libraries = new Map();

/**
 * A compiler host that reads the declarations of TypeScript's own library once for all calls: they are most of what a small checkout has.
 *
 * @param {ts.CompilerOptions} options
 */
function hostOf(options) {
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile.bind(host);
  host.getSourceFile = (name, ...rest) => {
    if (!/[\\/]typescript[\\/]lib[\\/]/.test(name)) return read(name, ...rest);
    if (!libraries.has(name)) libraries.set(name, read(name, ...rest));
    return libraries.get(name);
  };
  return host;
}

/**
 * Exports of a file, resolved through re-exports to their declarations. A module under a name (`export * as`) counts as one export, and its
 * own exports are included.
 *
 * @param {string} path
 * @param {{ program: ts.Program, checker: ts.TypeChecker }} compiler
 */
function exportsOf(path, { program, checker }) {
  const file = program.getSourceFile(path);
  const module = file && checker.getSymbolAtLocation(file);
  return module ? membersOfModule(module, checker) : [];
}

/**
 * @param {ts.Symbol} module
 * @param {ts.TypeChecker} checker
 * @returns {ts.Symbol[]}
 */
function membersOfModule(module, checker) {
  return checker
    .getExportsOfModule(module)
    .map((symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol))
    .flatMap((symbol) => (isModule(symbol) ? [symbol, ...membersOfModule(symbol, checker)] : [symbol]));
}

/** @param {ts.Symbol} symbol */
function isModule(symbol) {
  return (symbol.declarations ?? []).some((declaration) => ts.isSourceFile(declaration));
}

/**
 * Methods and function properties that an exported interface, object type or class declares itself.
 *
 * @param {ts.Symbol} owner
 * @param {ts.TypeChecker} checker
 * @returns {{ owner: ts.Symbol, method: ts.Symbol }[]}
 */
function methodsOf(owner, checker) {
  return (owner.declarations ?? [])
    .flatMap((declaration) => [...membersOf(declaration)])
    .flatMap((member) => {
      const method = member.name && !ts.isComputedPropertyName(member.name) && checker.getSymbolAtLocation(member.name);
      const isPrivate =
        (ts.getCombinedModifierFlags(member) & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected)) !== 0;
      if (!method || isPrivate || member.name?.kind === ts.SyntaxKind.PrivateIdentifier) return [];
      const type = checker.getNonNullableType(checker.getTypeOfSymbol(method));
      return type.getCallSignatures().length > 0 ? [{ owner, method }] : [];
    });
}

/**
 * @param {ts.Declaration} declaration
 * @returns {readonly (ts.TypeElement | ts.ClassElement)[]}
 */
function membersOf(declaration) {
  if (ts.isInterfaceDeclaration(declaration) || ts.isClassDeclaration(declaration)) return [...declaration.members];
  const literal = ts.isTypeAliasDeclaration(declaration) && declaration.type;
  return literal && ts.isTypeLiteralNode(literal) ? [...literal.members] : [];
}

/**
 * Whether the doc comment has at least two words and ends like a sentence.
 *
 * @param {ts.Symbol} symbol
 * @param {ts.TypeChecker} checker
 */
function hasSentence(symbol, checker) {
  const text = comment(symbol, checker);
  return text.split(/\s+/).length >= 2 && /[.!?](\s|$)/.test(text);
}

/**
 * @param {ts.Symbol} owner
 * @param {{ method: ts.Symbol, checker: ts.TypeChecker }} options
 */
function names(owner, { method, checker }) {
  return new RegExp(`\`[^\`]*\\b${method.name.replaceAll("$", "\\$")}\\b[^\`]*\``).test(comment(owner, checker));
}

/**
 * @param {ts.Symbol} symbol
 * @param {ts.TypeChecker} checker
 */
function comment(symbol, checker) {
  const file = symbol.declarations?.find((declaration) => ts.isSourceFile(declaration));
  if (file)
    return (
      /^\s*\/\*\*(.*?)\*\//s
        .exec(file.getFullText())?.[1]
        ?.replace(/^\s*\* ?/gm, "")
        .trim() ?? ""
    );
  return ts.displayPartsToString(symbol.getDocumentationComment(checker)).trim();
}

/**
 * @param {ts.Symbol} symbol
 * @param {string} directory
 */
function describe(symbol, directory) {
  const declaration = symbol.declarations?.[0];
  if (!declaration) return `${symbol.name}: exported but declared nowhere`;
  const file = declaration.getSourceFile();
  const { line } = file.getLineAndCharacterOfPosition(declaration.getStart());
  return `${relative(directory, file.fileName)}:${line + 1}: ${symbol.name} has no doc comment of at least one sentence`;
}

if (isMain(import.meta.url)) {
  const { names: count, findings } = checkDocs(root);
  for (const finding of findings) console.error(finding);
  console.log(`docs: ${count} public names, ${findings.length} findings`);
  process.exitCode = findings.length === 0 && count > 0 ? 0 : 1;
}
