// @ts-check
// Packs the package, installs it as a user would, and runs a small program in each module system, bundler and runtime that npm has: ES
// modules and CommonJS in Node, bundles of esbuild and webpack for Node, Bun, Deno; and builds a page with Vite. Needs the npm registry. Ends
// with 1 if one of them fails.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureBuilt } from "./build.mjs";
import { pack } from "./checkPackage.mjs";
import { ensureInstalled, npm } from "./install.mjs";
import { isMain, root } from "./paths.mjs";

/** Bundlers and runtimes, by the packages that have them. */
const tools = ["esbuild@0", "webpack@5", "webpack-cli@6", "vite@8", "bun@1", "deno@2"];

/** Expected output of the program: the loss of the first 200 rows of the digits, which ONNX Runtime in Python gives too. */
const expected = /^loss 0\.01562\d trace true$/m;

const externals = ["onnxruntime-node", "koffi", "sharp"];

function checkRuntimes() {
  const project = preparedProject();
  const results = { ...programs(project), Vite: pageOf(project) };
  let failures = 0;
  for (const [name, { passed, output }] of Object.entries(results)) {
    console.log(`runtimes: ${name}: ${passed ? "ok" : "FAILED"}`);
    if (passed) continue;
    console.error(output);
    failures++;
  }
  if (failures > 0) process.exit(1);
}

/** A project with the package, the tools, the program in both module systems, and its data. */
function preparedProject() {
  const project = mkdtempSync(join(tmpdir(), "onnx-curvature-runtimes-"));
  process.on("exit", () => rmSync(project, { recursive: true, force: true }));
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "empty", version: "1.0.0", type: "module" }));
  const { filename } = pack(project);
  npm(["install", "--prefer-offline", "--ignore-scripts", join(project, filename), ...tools], { cwd: project });
  cpSync(join(root, "examples/digits"), join(project, "digits"), { recursive: true });
  cpSync(join(root, "scripts/package/runtimes"), project, { recursive: true });
  const program = readFileSync(join(project, "program.mjs"), "utf8");
  writeFileSync(join(project, "program.cjs"), program.replace(/^import (.*) from (.*);$/gm, "const $1 = require($2);"));
  writeFileSync(join(project, "webpack.cjs"), webpackConfiguration(project));
  return project;
}

/** @typedef {{ passed: boolean, output: string }} Result */

/**
 * The program in each module system, bundler and runtime.
 *
 * @param {string} project
 * @returns {Record<string, Result>}
 */
function programs(project) {
  const modules = join(project, "node_modules");
  const node = process.execPath;
  const esbuild = (/** @type {string} */ format, /** @type {string} */ file) => [
    join(modules, ".bin/esbuild"),
    ...["program.mjs", "--bundle", "--platform=node", `--format=${format}`, `--outfile=${file}`],
    ...externals.map((name) => `--external:${name}`),
  ];
  const webpack = [node, join(modules, "webpack-cli/bin/cli.js"), "-c", "webpack.cjs"];
  const deno = [binaryOf(join(modules, "@deno"), "deno"), "run", "-A", "--node-modules-dir=manual"];
  const steps = {
    "ES modules": [[node, "program.mjs"]],
    CommonJS: [[node, "program.cjs"]],
    "esbuild, ES modules": [esbuild("esm", "bundle.mjs"), [node, "bundle.mjs"]],
    "esbuild, CommonJS": [esbuild("cjs", "bundle.cjs"), [node, "bundle.cjs"]],
    webpack: [webpack, [node, "webpack/program.cjs"]],
    Bun: [[binaryOf(join(modules, "@oven"), "bin/bun"), "program.mjs"]],
    Deno: [[...deno, "program.mjs"]],
  };
  return Object.fromEntries(
    Object.entries(steps).map(([name, commands]) => [name, ran(commands, { project, expected })]),
  );
}

/**
 * A page that imports the linear algebra, and the root entry.
 *
 * @param {string} project
 */
function pageOf(project) {
  const vite = [process.execPath, join(project, "node_modules/vite/bin/vite.js"), "build", ".", "--outDir", "page"];
  return ran([vite], { project, expected: /built in/ });
}

/**
 * Runs commands until one fails. Passed if all end with 0 and the last prints what is expected.
 *
 * @param {readonly (readonly string[])[]} commands
 * @param {{ project: string, expected: RegExp }} options
 * @returns {Result}
 */
function ran(commands, { project, expected: wanted }) {
  let output = "";
  for (const [command, ...args] of commands) {
    const { status, stdout, stderr, error } = spawnSync(String(command), args, { cwd: project, encoding: "utf8" });
    output = `${stdout ?? ""}${stderr ?? ""}${error ?? ""}`;
    if (status !== 0) return { passed: false, output };
  }
  return { passed: wanted.test(output), output };
}

/** @param {string} project */
function webpackConfiguration(project) {
  return `module.exports = ${JSON.stringify({
    mode: "development",
    target: "node",
    entry: "./program.mjs",
    devtool: false,
    externals: Object.fromEntries(externals.map((name) => [name, `commonjs ${name}`])),
    output: { path: join(project, "webpack"), filename: "program.cjs" },
  })};`;
}

/**
 * The program of the package for this platform. The packages' own links are made by install scripts, which do not run here.
 *
 * @param {string} scope
 * @param {string} path
 */
function binaryOf(scope, path) {
  const found = existsSync(scope) ? readdirSync(scope).find((name) => existsSync(join(scope, name, path))) : undefined;
  return found === undefined ? join(scope, "missing", path) : join(scope, found, path);
}

if (isMain(import.meta.url)) {
  ensureInstalled();
  ensureBuilt();
  checkRuntimes();
}
