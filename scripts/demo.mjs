// @ts-check
// Makes the report on the digits classifier and its 1,437 training rows with the users' command line. Arguments are passed on, so `npm run
// demo -- --probes 100` works.
import { spawnSync } from "node:child_process";
import { ensureRuntime } from "./install.mjs";
import { root } from "./paths.mjs";
import { ensureTranspiled } from "./transpile.mjs";

// Packages for development and types are not needed to run the command.
ensureRuntime();
ensureTranspiled();
const command = ["dist/cli/main.js", "report", "examples/digits/digits_mlp.onnx"];
const options = ["--data", "examples/digits/digits_train.csv.gz", "--scale", "16", "--loss", "crossEntropy"];
// The network is small enough for exact values beside the estimates, in double precision.
const exact = ["--dense", "--dtype", "float64"];
const result = spawnSync(
  process.execPath,
  [...command, ...options, ...exact, "--out", "demo-report", ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: "inherit",
  },
);
process.exitCode = result.status ?? 1;
