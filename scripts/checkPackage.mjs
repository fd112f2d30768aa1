// @ts-check
// Packs the package, installs it into an empty project as a user would, and checks it there: contents, types, entry points, command line,
// one loss and one Hessian product. Ends with 1 at the first failure.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureBuilt } from "./build.mjs";
import { ensureInstalled, npm, npmCommand, npmEnvironment } from "./install.mjs";
import { isMain, root } from "./paths.mjs";

const entryPoints = [
  "onnx-curvature",
  "onnx-curvature/linalg",
  "onnx-curvature/report",
  "onnx-curvature/structured",
  "onnx-curvature/mpi",
  "onnx-curvature/sharpness",
  "onnx-curvature/training",
  "onnx-curvature/information",
  "onnx-curvature/laplace",
  "onnx-curvature/influence",
  "onnx-curvature/pruning",
  "onnx-curvature/quantization",
];

/** Files of the package besides dist/ and src/. */
const documents = ["CHANGELOG.md", "LICENSE", "README.md", "THIRD_PARTY_NOTICES.md", "package.json"];

/** The module resolutions of users' compilers: Node's and bundlers'. */
const resolutions = [
  { module: "nodenext", moduleResolution: "nodenext" },
  { module: "esnext", moduleResolution: "bundler" },
];

/** Runs all checks in order. */
function checkPackage() {
  const project = mkdtempSync(join(tmpdir(), "onnx-curvature-package-"));
  process.on("exit", () => rmSync(project, { recursive: true, force: true }));
  const { filename, files } = pack(project);
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  report("contents", contentFindings(files, manifest));
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "empty", version: "1.0.0", type: "module" }));
  npm(["install", "--prefer-offline", "--ignore-scripts", join(project, filename)], { cwd: project });
  report(
    "entry points",
    entryPoints.flatMap((name) => runFindings(["--input-type=module", "-e", importing(name)], { project })),
  );
  for (const resolution of resolutions)
    report(`types (${resolution.moduleResolution})`, typeFindings(project, resolution));
  cpSync(join(root, "examples/digits"), join(project, "digits"), { recursive: true });
  report("command line", commandFindings(project));
  cpSync(join(root, "scripts/package/digits.mjs"), join(project, "digits.mjs"));
  const digits = () => runFindings(["digits.mjs"], { project, expected: /^loss 0\.01724/ });
  report("digits", digits());
  rmSync(join(project, "node_modules/koffi"), { recursive: true, force: true });
  report("digits without koffi", digits());
  report(
    "MPI without koffi",
    runFindings(["--input-type=module", "-e", refusingMpi], {
      project,
      expected: /expects the optional package koffi/,
    }),
  );
}

/**
 * Prints the result of a check. Ends the process if there are findings.
 *
 * @param {string} part
 * @param {string[]} findings
 */
function report(part, findings) {
  console.log(`package: ${part}: ${findings.length === 0 ? "ok" : "FAILED"}`);
  for (const finding of findings) console.error(finding);
  if (findings.length > 0) process.exit(1);
}

/**
 * Packs the package as for publication and writes it to a folder.
 *
 * @param {string} destination
 * @returns {{ filename: string, files: string[] }}
 */
export function pack(destination) {
  const { command, shell } = npmCommand();
  const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", destination];
  const { status, stdout, stderr } = spawnSync(command[0], [...command.slice(1), ...args], {
    cwd: root,
    shell,
    encoding: "utf8",
    env: npmEnvironment(),
  });
  if (status !== 0) {
    console.error(`npm pack failed: ${stderr}`);
    process.exit(1);
  }
  // npm up to 11 prints an array of packages, later versions an object by name.
  const packed = Object.values(JSON.parse(stdout))[0];
  return { filename: packed.filename, files: packed.files.map((/** @type {{ path: string }} */ file) => file.path) };
}

/**
 * Finds files that are missing in the package or should not be in it.
 *
 * @param {string[]} files
 * @param {Record<string, unknown>} manifest
 */
export function contentFindings(files, manifest) {
  const meant = /^(dist\/.*[.](js|d[.]ts)([.]map)?|src\/.*|docs\/[^/]+[.](md|svg|png)|examples\/.*)$/;
  const unwanted =
    /(^|\/)(test|tests|fixtures|__snapshots__|node_modules)\/|[.](test|long|bench)[.]|[.]tsbuildinfo$|^(?!examples\/).*[.](onnx|gz)$/;
  const orphans = files
    .filter((path) => /^dist\/.*[.]js$/.test(path))
    .filter((path) => !files.includes(path.replace(/^dist/, "src").replace(/js$/, "ts")));
  const named = [...leaves(manifest.exports), ...leaves(manifest.imports), ...leaves(manifest.bin)].map((path) =>
    path.replace(/^[.]\//, ""),
  );
  return [
    ...files
      .filter((path) => !(meant.test(path) || documents.includes(path)) || unwanted.test(path))
      .map((path) => `${path}: packed, but not meant to be`),
    ...orphans.map((path) => `${path}: has no source`),
    ...[...named, ...documents].filter((path) => !files.includes(path)).map((path) => `${path}: not packed`),
    ...("private" in manifest ? ["package.json: private is set"] : []),
  ];
}

/**
 * The paths that a field of package.json names, at any depth.
 *
 * @param {unknown} field
 * @returns {string[]}
 */
function leaves(field) {
  return typeof field === "string" ? [field] : Object.values(field ?? {}).flatMap(leaves);
}

/** Prints why there is no communicator over MPI. */
const refusingMpi = `
  import { mpiCommunicator } from "onnx-curvature/mpi";
  await mpiCommunicator().catch((error) => console.log(error.message));
`;

/** @param {string} name */
function importing(name) {
  return `const names = Object.keys(await import("${name}")); if (names.length === 0) throw new Error("${name} exports nothing");`;
}

/**
 * Runs Node in the project.
 *
 * @param {string[]} args
 * @param {{ project: string, expected?: RegExp }} options `expected` is a pattern that standard output must match
 */
function runFindings(args, { project, expected = /^/ }) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: project, encoding: "utf8" });
  if (status !== 0) return [`node ${args.join(" ")} ended with ${status}:\n${stdout}${stderr}`];
  return expected.test(stdout) ? [] : [`node ${args.join(" ")} printed no ${expected}:\n${stdout}`];
}

/**
 * Compiles a user's program against the installed package, with the compiler of the checkout. Its `@ts-expect-error` lines prove that the
 * types exist and are not `any`.
 *
 * @param {string} project
 * @param {{ module: string, moduleResolution: string }} resolution
 */
function typeFindings(project, resolution) {
  const folder = join(project, resolution.moduleResolution);
  mkdirSync(folder);
  cpSync(join(root, "scripts/package/consumer.ts"), join(folder, "consumer.ts"));
  const compilerOptions = {
    ...resolution,
    target: "es2022",
    lib: ["es2022", "dom", "esnext.disposable"],
    strict: true,
    noEmit: true,
    skipLibCheck: false,
    types: [],
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["consumer.ts"] }));
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const { status, stdout } = spawnSync(process.execPath, [tsc, "-p", folder], { cwd: project, encoding: "utf8" });
  // Ignore errors in the types of other packages.
  const ours = stdout
    .split("\n")
    .filter((line) => /^\S*(consumer|node_modules\/onnx-curvature\/\S*)[.](d[.])?ts\(/.test(line));
  const foreign = /^\S*node_modules\//m.test(stdout);
  return ours.length > 0 || status === 0 || foreign ? ours : [`tsc ended with ${status}:\n${stdout}`];
}

/**
 * Runs the installed command through npm's link.
 *
 * @param {string} project
 */
function commandFindings(project) {
  const main = join(project, "node_modules/onnx-curvature/dist/cli/main.js");
  const link = join(
    project,
    "node_modules/.bin",
    process.platform === "win32" ? "onnx-curvature.cmd" : "onnx-curvature",
  );
  const run = (/** @type {string[]} */ ...args) =>
    spawnSync(link, args, { cwd: project, encoding: "utf8", shell: process.platform === "win32" });
  const help = run("--help");
  const inspect = run("inspect", "digits/digits_mlp.onnx", "--json");
  return [
    ...(readFileSync(main, "utf8").startsWith("#!/usr/bin/env node\n") ? [] : [`${main}: no #!/usr/bin/env node`]),
    ...(existsSync(link)
      ? []
      : [`no onnx-curvature among ${readdirSync(join(project, "node_modules/.bin")).join(", ")}`]),
    ...(help.status === 0 && /inspect[\s\S]*report/.test(help.stdout)
      ? []
      : [`--help ended with ${help.status}:\n${help.stdout}${help.stderr}`]),
    ...(inspect.status === 0 && isObject(inspect.stdout)
      ? []
      : [`inspect ended with ${inspect.status}:\n${inspect.stdout}${inspect.stderr}`]),
  ];
}

/**
 * Whether a text is a JSON object and nothing else.
 *
 * @param {string} text
 */
function isObject(text) {
  try {
    return typeof JSON.parse(text) === "object";
  } catch {
    return false;
  }
}

if (isMain(import.meta.url)) {
  ensureInstalled();
  ensureBuilt();
  checkPackage();
}
