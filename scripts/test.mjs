// @ts-check
// `npm test`: every check, then every test, then a line `N passed, N failed`. A check counts as one. Arguments are passed to vitest, so
// `npm test -- test/linalg` runs these tests after the checks. Of long tables of cases it
// runs some, with ONNX_CURVATURE_ALL_CASES=1 all. With ONNX_CURVATURE_REQUIRE_ALL=1 a skipped test is a failure.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ensureInstalled } from "./install.mjs";
import { root } from "./paths.mjs";

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

const results = join(root, ".cache/vitest.json");

/** @typedef {{ name: string, command: string[] }} Check */

/**
 * Checks that run before the tests: two rows at a time, the checks of a row one after the other. The package is made of what was built.
 *
 * @type {Check[][]}
 */
const rows = [
  [
    { name: "build", command: ["scripts/build.mjs"] },
    { name: "package", command: ["scripts/checkPackage.mjs"] },
  ],
  [
    { name: "format and lint", command: ["node_modules/@biomejs/biome/bin/biome", "check"] },
    {
      name: "types",
      command: [
        "node_modules/typescript/bin/tsc",
        "--noEmit",
        "--incremental",
        "--tsBuildInfoFile",
        ".cache/types.json",
      ],
    },
    { name: "layers", command: ["scripts/checkLayers.mjs"] },
    { name: "docs coverage", command: ["scripts/checkDocs.mjs"] },
    { name: "sources", command: ["scripts/checkSources.mjs"] },
  ],
];

/**
 * Runs the checks of a row and prints the output of each at its end.
 *
 * @param {Check[]} checks
 * @returns {Promise<Counts[]>}
 */
async function runRow(checks) {
  const counts = [];
  for (const { name, command } of checks) {
    const start = Date.now();
    const { code, output } = await outputOf(command);
    const passed = code === 0;
    const took = ((Date.now() - start) / 1000).toFixed(1);
    console.log(`${output}${passed ? "ok    " : "FAILED"} ${name} (${took} s)\n`);
    counts.push({ passed: passed ? 1 : 0, failed: passed ? 0 : 1, skipped: 0 });
  }
  return counts;
}

/**
 * Exit code and output of a script run by this Node in the checkout.
 *
 * @param {string[]} command
 * @returns {Promise<{ code: number, output: string }>}
 */
function outputOf(command) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, command, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const add = (/** @type {string} */ text) => {
      output += text;
    };
    child.stdout.setEncoding("utf8").on("data", add);
    child.stderr.setEncoding("utf8").on("data", add);
    child.on("error", (error) => resolve({ code: 1, output: `${output}${error.message}\n` }));
    child.on("close", (code) => resolve({ code: code ?? 1, output }));
  });
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
  const command = ["node_modules/vitest/vitest.mjs", "run", ...reporters, ...process.argv.slice(2)];
  const { status } = spawnSync(process.execPath, command, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
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

ensureInstalled();
const counts = [...(await Promise.all(rows.map(runRow))).flat(), runTests()];
/** @param {keyof Counts} key */
const total = (key) => counts.reduce((sum, each) => sum + each[key], 0);
const skipped = total("skipped") > 0 ? `, ${total("skipped")} skipped` : "";
console.log(`${total("passed")} passed, ${total("failed")} failed${skipped}`);
process.exitCode = total("failed") === 0 ? 0 : 1;
