// @ts-check
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ensureInstalled } from "./install.mjs";
import { isMain, root } from "./paths.mjs";

const stamp = join(root, ".cache/build.sha256");

/** Compiles src/ into dist/ unless dist/ was made from the current sources and settings. Ends the process on failure. */
export function ensureBuilt() {
  if (!build()) process.exit(1);
}

/** As `ensureBuilt`, but returns whether dist/ is up to date. */
export function build() {
  if (isBuilt()) return true;
  process.stderr.write("Building dist ...\n");
  rmSync(join(root, "dist"), { recursive: true, force: true });
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const result = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
  });
  if (result.status !== 0) return false;
  mkdirSync(join(root, ".cache"), { recursive: true });
  writeFileSync(stamp, `${sourcesOfBuild()} ${outputs()}`);
  return true;
}

/** Whether dist/ was built from the current sources and settings. */
export function isBuilt() {
  return existsSync(stamp) && readFileSync(stamp, "utf8") === `${sourcesOfBuild()} ${outputs()}`;
}

function sourcesOfBuild() {
  return fingerprint(["src", "tsconfig.json", "tsconfig.build.json", "package.json", "package-lock.json"]);
}

/** Number of files in dist/, which shows whether the folder was deleted or is incomplete. */
function outputs() {
  return files("dist").length;
}

/**
 * SHA-256 of the names and contents of files and folders.
 *
 * @param {string[]} paths
 */
export function fingerprint(paths) {
  const hash = createHash("sha256");
  for (const file of paths.flatMap(files))
    hash
      .update(file)
      .update("\0")
      .update(readFileSync(join(root, file)));
  return hash.digest("hex");
}

/**
 * @param {string} path
 * @returns {string[]}
 */
function files(path) {
  const absolute = join(root, path);
  if (!existsSync(absolute)) return [];
  if (!statSync(absolute).isDirectory()) return [path];
  return readdirSync(absolute)
    .sort()
    .flatMap((name) => files(join(path, name)));
}

if (isMain(import.meta.url)) {
  ensureInstalled();
  ensureBuilt();
}
