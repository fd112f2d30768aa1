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

/** What the program prints: the loss of the first 200 rows of the digits, which ONNX Runtime in Python gives too. */
const expected = /^loss 0\.01562\d trace true$/m;

const externals = ["onnxruntime-node", "koffi"];

function checkRuntimes() {
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
  const run = (/** @type {string} */ command, /** @type {string[]} */ ...args) =>
    spawnSync(command, args, { cwd: project, encoding: "utf8" });
  const modules = join(project, "node_modules");
  const esbuild = (/** @type {string} */ format, /** @type {string} */ file) =>
    run(
      join(modules, ".bin/esbuild"),
      ...["program.mjs", "--bundle", "--platform=node", `--format=${format}`, `--outfile=${file}`],
      ...externals.map((name) => `--external:${name}`),
    );
  const results = {
    "ES modules": run(process.execPath, "program.mjs"),
    CommonJS: run(process.execPath, "program.cjs"),
    "esbuild, ES modules": after(esbuild("esm", "bundle.mjs"), () => run(process.execPath, "bundle.mjs")),
    "esbuild, CommonJS": after(esbuild("cjs", "bundle.cjs"), () => run(process.execPath, "bundle.cjs")),
    webpack: after(run(process.execPath, join(modules, "webpack-cli/bin/cli.js"), "-c", "webpack.cjs"), () =>
      run(process.execPath, "webpack/program.cjs"),
    ),
    Bun: run(binaryOf(join(modules, "@oven"), "bin/bun"), "program.mjs"),
    Deno: run(binaryOf(join(modules, "@deno"), "deno"), "run", "-A", "--node-modules-dir=manual", "program.mjs"),
  };
  const page = run(process.execPath, join(modules, "vite/bin/vite.js"), "build", ".", "--outDir", "page");
  const failed = Object.entries(results).filter(([, { stdout }]) => !expected.test(stdout ?? ""));
  for (const name of Object.keys(results)) {
    console.log(`runtimes: ${name}: ${failed.some(([other]) => other === name) ? "FAILED" : "ok"}`);
  }
  console.log(`runtimes: Vite: ${page.status === 0 ? "ok" : "FAILED"}`);
  for (const [name, { stdout, stderr, error }] of failed) console.error(`${name}:\n${stdout}${stderr}${error ?? ""}`);
  if (page.status !== 0) console.error(`Vite:\n${page.stdout}${page.stderr}`);
  if (failed.length > 0 || page.status !== 0) process.exit(1);
}

/**
 * The second step if the first has succeeded, else the first.
 *
 * @param {import("node:child_process").SpawnSyncReturns<string>} first
 * @param {() => import("node:child_process").SpawnSyncReturns<string>} second
 */
function after(first, second) {
  return first.status === 0 ? second() : { ...first, stdout: "" };
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
