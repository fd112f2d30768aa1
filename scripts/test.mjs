// @ts-check
// `npm test`: every check, then every test, then a line `N passed, N failed`. A check counts as one. Arguments are passed to vitest, so
// `npm test -- test/linalg` runs these tests after the checks. With ONNX_CURVATURE_REQUIRE_ALL=1 a skipped test is a failure.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ensureInstalled } from "./install.mjs";
import { root } from "./paths.mjs";

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

const results = join(root, ".cache/vitest.json");

const before = [
  { name: "format and lint", command: ["node_modules/@biomejs/biome/bin/biome", "check"] },
  {
    name: "types",
    command: ["node_modules/typescript/bin/tsc", "--noEmit", "--incremental", "--tsBuildInfoFile", ".cache/types.json"],
  },
  { name: "layers", command: ["scripts/checkLayers.mjs"] },
  { name: "docs coverage", command: ["scripts/checkDocs.mjs"] },
  { name: "sources", command: ["scripts/checkSources.mjs"] },
  { name: "build", command: ["scripts/build.mjs"] },
];

const after = [{ name: "package", command: ["scripts/checkPackage.mjs"] }];

/**
 * Runs one check and prints its output.
 *
 * @param {{ name: string, command: string[] }} check
 * @returns {Counts}
 */
function runCheck({ name, command }) {
  const start = Date.now();
  const passed = runNode(command) === 0;
  console.log(`${passed ? "ok    " : "FAILED"} ${name} (${((Date.now() - start) / 1000).toFixed(1)} s)\n`);
  return { passed: passed ? 1 : 0, failed: passed ? 0 : 1, skipped: 0 };
}

/**
 * Runs vitest and counts the tests. A run that fails without a failed test (a file that cannot be loaded, an unhandled error) counts as
 * failed files, at least one.
 *
 * @returns {Counts}
 */
function runTests() {
  mkdirSync(join(root, ".cache"), { recursive: true });
  rmSync(results, { force: true });
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${results}`];
  const status = runNode(["node_modules/vitest/vitest.mjs", "run", ...reporters, ...process.argv.slice(2)]);
  const report = readReport();
  /** @type {{ status: string, assertionResults: { status: string }[] }[]} */
  const files = report.testResults;
  const statuses = files.flatMap((file) => file.assertionResults.map((test) => test.status));
  const broken = files.filter(
    (file) => file.status === "failed" && file.assertionResults.every((test) => test.status !== "failed"),
  );
  const passed = statuses.filter((each) => each === "passed").length;
  const failed = statuses.filter((each) => each === "failed").length + broken.length;
  const skipped = statuses.length - passed - statuses.filter((each) => each === "failed").length;
  const forbidden = process.env.ONNX_CURVATURE_REQUIRE_ALL === "1" ? skipped : 0;
  if (forbidden > 0) console.log(`${forbidden} skipped tests count as failed: ONNX_CURVATURE_REQUIRE_ALL=1\n`);
  return {
    passed,
    failed: Math.max(failed, status === 0 && passed > 0 ? 0 : 1) + forbidden,
    skipped: skipped - forbidden,
  };
}

function readReport() {
  try {
    return JSON.parse(readFileSync(results, "utf8"));
  } catch {
    return { testResults: [] };
  }
}

/**
 * Exit code of a script run by this Node in the checkout.
 *
 * @param {string[]} command
 */
function runNode(command) {
  return spawnSync(process.execPath, command, { cwd: root, stdio: ["ignore", "inherit", "inherit"] }).status ?? 1;
}

ensureInstalled();
const counts = [...before.map(runCheck), runTests(), ...after.map(runCheck)];
/** @param {keyof Counts} key */
const total = (key) => counts.reduce((sum, each) => sum + each[key], 0);
const skipped = total("skipped") > 0 ? `, ${total("skipped")} skipped` : "";
console.log(`${total("passed")} passed, ${total("failed")} failed${skipped}`);
process.exitCode = total("failed") === 0 ? 0 : 1;
