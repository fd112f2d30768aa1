// @ts-check
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { isMain, root } from "./paths.mjs";

/** Longest file of src/ that needs no explanation. */
const longest = 400;

/** Text that tracked files must not contain. Written in pieces, so that this file passes its own check. */
const forbiddenText = [
  { pattern: new RegExp(`\\b(${["TO" + "DO", "FIX" + "ME"].join("|")})\\b`), advice: "do it or leave it out" },
  { pattern: new RegExp(["\\bplace", "holder\\b"].join(""), "i"), advice: "write the thing itself" },
  { pattern: new RegExp(["/wo", "rk/|/tmp/", "bash"].join("")), advice: "a path of one machine" },
  {
    pattern: /\b(describe|it|test|suite|bench)[.](only|skip|todo)\(/,
    advice: "every test runs; skipIf is for what a machine lacks",
  },
];

/** Files written elsewhere, or generated. */
const foreign =
  /^(package-lock[.]json|src\/onnx\/onnx[.]proto|src\/onnx\/generated\/.*|LICENSE|THIRD_PARTY_NOTICES[.]md|test\/fixtures\/.*)$/;

const binary = /[.](onnx|data|gz|npy|npz|png|wasm|bin|pb)$/;

const forbiddenName = /^(utils?|helpers?|common|misc|base|managers?|stuff)([.].*)?$/i;

/**
 * Checks the tracked files. Findings are files of src/ over 400 lines whose first comment does not say why they are long or generated,
 * forbidden words, and meaningless names.
 *
 * @param {string} directory the checkout
 * @param {{ paths?: readonly string[] }} [options] paths relative to it; by default what git tracks
 * @returns {{ files: number, findings: string[] }}
 */
export function checkSources(directory, { paths = trackedFiles(directory) } = {}) {
  const findings = paths.flatMap((path) => {
    const parts = path.split("/").filter((part) => forbiddenName.test(part));
    const named = parts.map((part) => `${path}: "${basename(part)}" says nothing; name it after what it is`);
    if (binary.test(path)) return named;
    const text = readFileSync(join(directory, path), "utf8");
    return [...named, ...inspectLength(path, text), ...(foreign.test(path) ? [] : inspectText(path, text))];
  });
  return { files: paths.length, findings };
}

/**
 * @param {string} path
 * @param {string} text
 */
function inspectLength(path, text) {
  const lines = text.split("\n").length - 1;
  if (!/^src\/.*[.]ts$/.test(path) || lines <= longest || explains(text)) return [];
  return [`${path}: ${lines} lines; split it, or begin with a comment that says why it is long`];
}

/**
 * Whether a file begins with a comment that has the word "long" or "generated".
 *
 * @param {string} text
 */
function explains(text) {
  const first = /^(?:[/][*][\s\S]*?[*][/]|(?:[/][/].*\n)+)/.exec(text)?.[0] ?? "";
  return /\b(long|generated)\b/i.test(first);
}

/**
 * @param {string} path
 * @param {string} text
 */
function inspectText(path, text) {
  return text
    .split("\n")
    .flatMap((line, index) =>
      forbiddenText
        .filter(({ pattern }) => pattern.test(line))
        .map(({ pattern, advice }) => `${path}:${index + 1}: "${pattern.exec(line)?.[0]}": ${advice}`),
    );
}

/**
 * The files that git tracks; in a copy without git, the files that .gitignore does not exclude.
 *
 * @param {string} directory
 * @returns {string[]}
 */
export function trackedFiles(directory) {
  // Allows root to read a checkout that another user owns.
  const git = ["-c", "safe.directory=*", "ls-files", "-z"];
  const { status, stdout } = spawnSync("git", git, { cwd: directory, encoding: "utf8" });
  if (status === 0) return stdout.split("\0").filter((path) => path !== "" && existsSync(join(directory, path)));
  const ignored = readFileSync(join(directory, ".gitignore"), "utf8").split("\n");
  return walk(directory, { folder: "", ignored: [...ignored, ".git/"] });
}

/**
 * @param {string} directory
 * @param {{ folder: string, ignored: readonly string[] }} options paths that end in a slash are folders
 * @returns {string[]}
 */
function walk(directory, { folder, ignored }) {
  return readdirSync(join(directory, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (ignored.includes(`${path}/`) || ignored.includes(`${entry.name}/`)) return [];
    if (entry.isDirectory()) return walk(directory, { folder: path, ignored });
    return entry.isFile() ? [path] : [];
  });
}

if (isMain(import.meta.url)) {
  const { files, findings } = checkSources(root);
  for (const finding of findings) console.error(finding);
  console.log(`sources: ${files} files, ${findings.length} findings`);
  process.exitCode = findings.length === 0 && files > 0 ? 0 : 1;
}
