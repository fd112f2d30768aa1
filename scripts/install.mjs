// @ts-check
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isMain, root } from "./paths.mjs";

/**
 * Name and version of every package that the lock file wants and `node_modules` lacks. Optional packages, which are for
 * other platforms, do not count.
 *
 * @param {string} directory the checkout
 * @returns {string[]}
 */
export function missingPackages(directory) {
  const installed = readPackages(join(directory, "node_modules/.package-lock.json"));
  return Object.entries(readPackages(join(directory, "package-lock.json")))
    .filter(([path, entry]) => path !== "" && !entry.optional && installed[path]?.version !== entry.version)
    .map(([path, entry]) => `${path.replace(/^.*node_modules\//, "")}@${entry.version}`);
}

/** Installs what the lock file wants and `node_modules` lacks; returns at once where nothing is missing. */
export function ensureInstalled() {
  const missing = missingPackages(root);
  if (missing.length === 0) return;
  process.stderr.write(`Installing dependencies (${missing.length} missing or outdated) ...\n`);
  // `npm ci` starts from nothing; a folder that is in use is completed instead, without touching the lock file.
  const fresh = !existsSync(join(root, "node_modules/.package-lock.json"));
  npm(fresh ? ["ci", "--include=dev"] : ["install", "--include=dev", "--no-save"], { cwd: root });
}

/**
 * Runs npm without the downloads of onnxruntime-node's install script (CUDA files from outside the registry) and ends this
 * process where npm fails. Standard output goes to standard error, which keeps results apart.
 *
 * @param {string[]} args
 * @param {{ cwd: string }} options
 */
export function npm(args, { cwd }) {
  const { command, shell } = npmCommand();
  const result = spawnSync(command[0], [...command.slice(1), ...args, "--no-audit", "--no-fund"], {
    cwd,
    shell,
    stdio: ["ignore", 2, 2],
    env: npmEnvironment(),
  });
  if (result.status !== 0) {
    process.stderr.write(`npm ${args.join(" ")} failed${result.error ? `: ${result.error.message}` : ""}\n`);
    process.exit(1);
  }
}

/** How to start npm: the one that started this script, else the one on the path. */
export function npmCommand() {
  const script = process.env.npm_execpath;
  return script?.endsWith("npm-cli.js")
    ? { command: [process.execPath, script], shell: false }
    : { command: ["npm"], shell: process.platform === "win32" };
}

/** The environment in which npm installs: the setting of .npmrc as a variable, and not as one that npm warns of. */
export function npmEnvironment() {
  const { npm_config_onnxruntime_node_install: _, ...environment } = process.env;
  return { ...environment, ONNXRUNTIME_NODE_INSTALL: "skip" };
}

/**
 * @param {string} path a lock file
 * @returns {Record<string, { version?: string, optional?: boolean }>}
 */
function readPackages(path) {
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).packages : {};
}

if (isMain(import.meta.url)) ensureInstalled();
