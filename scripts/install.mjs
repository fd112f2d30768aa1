// @ts-check
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isMain, root } from "./paths.mjs";

/**
 * Name and version of every package of the lock file that is missing in `node_modules`. Optional packages are ignored, because they are for
 * other platforms.
 *
 * @param {string} directory the checkout
 * @param {{ development?: boolean }} options whether packages for development count
 * @returns {string[]}
 */
export function missingPackages(directory, { development = true } = {}) {
  const installed = readPackages(join(directory, "node_modules/.package-lock.json"));
  return Object.entries(readPackages(join(directory, "package-lock.json")))
    .filter(
      ([path, entry]) =>
        path !== "" && !entry.optional && (development || !entry.dev) && installed[path]?.version !== entry.version,
    )
    .map(([path, entry]) => `${path.replace(/^.*node_modules\//, "")}@${entry.version}`);
}

/** Installs the packages of the lock file that are missing in `node_modules`. Returns immediately if none is missing. */
export function ensureInstalled() {
  const missing = missingPackages(root);
  if (missing.length === 0) return;
  process.stderr.write(`Installing dependencies (${missing.length} missing or outdated) ...\n`);
  // `npm ci` deletes an existing folder. One that is in use is completed instead, without changing the lock file.
  const fresh = !existsSync(join(root, "node_modules/.package-lock.json"));
  npm(fresh ? ["ci", "--include=dev"] : ["install", "--include=dev", "--no-save"], { cwd: root });
}

/** Installs the packages that the library needs to run, where nothing is installed yet; those for development are left out. */
export function ensureRuntime() {
  if (missingPackages(root, { development: false }).length === 0) return;
  if (existsSync(join(root, "node_modules/.package-lock.json"))) return ensureInstalled();
  process.stderr.write("Installing dependencies ...\n");
  npm(["ci", "--omit=dev", "--ignore-scripts", "--prefer-offline"], { cwd: root });
}

/**
 * Runs npm without the downloads of onnxruntime-node's install script (CUDA files from outside the registry) and ends this process if npm
 * fails. Standard output goes to standard error, so that it does not mix with results.
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

/** Command that starts npm: the npm that started this script, else the one on the path. */
export function npmCommand() {
  const script = process.env.npm_execpath;
  return script?.endsWith("npm-cli.js")
    ? { command: [process.execPath, script], shell: false }
    : { command: ["npm"], shell: process.platform === "win32" };
}

/**
 * Environment for npm's installation. It passes the setting of .npmrc as an environment variable under a name that npm does not warn about.
 */
export function npmEnvironment() {
  const { npm_config_onnxruntime_node_install: _, ...environment } = process.env;
  return { ...environment, ONNXRUNTIME_NODE_INSTALL: "skip" };
}

/**
 * @param {string} path a lock file
 * @returns {Record<string, { version?: string, optional?: boolean, dev?: boolean }>}
 */
function readPackages(path) {
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).packages : {};
}

if (isMain(import.meta.url)) ensureInstalled();
