// @ts-check
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/*
 * What ranks cost, as the tables of docs/scale.md: sums over ranks against the model, efficiency of a product, overhead of a single rank, and memory
 * of a split basis. It starts mpirun itself:
 *   node bench/ranks.mjs                          everything, in less than ten minutes on two idle cores
 *   node bench/ranks.mjs --parts sums,products    some of: sums, products, overhead, basis
 *   node bench/ranks.mjs --write                  puts the tables of sums, products and overhead into docs/scale.md
 * Measure on idle cores: a waiting rank keeps its core busy, so that ranks beside other programs wait for whole time slices.
 */

const { values } = parseArgs({
  options: {
    parts: { type: "string", default: "sums,products,overhead,basis" },
    "open-mpi": { type: "string", default: "mpirun.openmpi" },
    mpich: { type: "string", default: "mpirun.mpich" },
    ranks: { type: "string", default: "1,2,4" },
    seconds: { type: "string", default: "0.7" },
    longest: { type: "string", default: "1e8" },
    weights: { type: "string", default: "1e7" },
    write: { type: "boolean", default: false },
  },
});
const counts = values.ranks.split(",").map(Number);
const seconds = Number(values.seconds);
const worker = fileURLToPath(new URL("rankWorker.mjs", import.meta.url));

/** @typedef {{ readonly [name: string]: any }} Line */
/** @typedef {{ readonly name: string, readonly command: string, readonly options: readonly string[] }} Launcher */

/** @type {readonly Launcher[]} */
const launchers = [
  { name: "Open MPI", command: values["open-mpi"], options: ["--oversubscribe", "--bind-to", "none"] },
  { name: "MPICH", command: values.mpich, options: [] },
];

/**
 * The lines that the worker prints on some ranks.
 *
 * @param {Launcher} launcher
 * @param {number} ranks
 * @param {{ readonly [option: string]: string | number }} options
 * @returns {Promise<readonly Line[]>}
 */
function measured({ command, options: own }, ranks, options) {
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const folder = mkdtempSync(join(tmpdir(), "ranks-"));
  const root = { OMPI_ALLOW_RUN_AS_ROOT: "1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1" };
  const env = { ...process.env, ...root, OMPI_MCA_btl_vader_single_copy_mechanism: "none", TMPDIR: folder };
  const child = spawn(command, [...own, "-n", String(ranks), process.execPath, worker, ...args], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk) => {
    text += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on("error", (cause) =>
      reject(new Error(`cannot start ${command}; name it by --open-mpi or --mpich`, { cause })),
    );
    child.on("close", (code) => {
      rmSync(folder, { recursive: true, force: true });
      const lines = text.trim().split("\n");
      if (code !== 0) reject(new Error(`${command} ended with ${code}`));
      else resolve(lines.map((line) => JSON.parse(line)));
    });
  });
}

/** @param {readonly (readonly (string | number)[])[]} rows */
function table(rows) {
  const line = (/** @type {readonly (string | number)[]} */ row) => `| ${row.join(" | ")} |\n`;
  const [head, ...rest] = rows;
  return `${line(head)}${line(head.map(() => "---"))}${rest.map(line).join("")}`;
}

/**
 * Puts tables between the marks of a part in docs/scale.md.
 *
 * @param {string} part
 * @param {string} text
 */
function writePart(part, text) {
  const path = fileURLToPath(new URL("../docs/scale.md", import.meta.url));
  const page = readFileSync(path, "utf8");
  const marked = new RegExp(`(<!-- ${part} -->\\n)[^]*?(<!-- /${part} -->)`);
  if (!marked.test(page)) throw new Error(`expected the marks of ${part} in ${path}`);
  writeFileSync(
    path,
    page.replace(marked, (_, open, close) => `${open}\n${text}\n${close}`),
  );
}

/** @param {number} ms */
function shown(ms) {
  return ms < 1 ? `${(1000 * ms).toPrecision(3)} us` : `${ms.toPrecision(3)} ms`;
}

/*
 * The model of a sum of D entries: alpha + beta min(D, S) + gamma max(D - S, 0), with S entries that fit into the processor's caches beside the
 * library's buffers. It is fitted to vectors of 10^2.5, 10^3.5, ... entries, so that the greatest ratio to a measurement is least, and compared with
 * those of 10^3, 10^4, ...
 */
const CACHED = 2 ** 18;

/** @param {readonly number[]} model @param {number} D */
function predicted([alpha, beta, gamma], D) {
  return alpha + beta * Math.min(D, CACHED) + gamma * Math.max(D - CACHED, 0);
}

/** @param {readonly { readonly entries: number, readonly ms: number }[]} points */
function fitted(points) {
  const last = points[points.length - 1];
  const rate = last.ms / last.entries;
  const error = (/** @type {readonly number[]} */ model) =>
    Math.max(...points.map(({ entries, ms }) => Math.abs(Math.log(predicted(model, entries) / ms))));
  let best = [points[0].ms, rate, rate];
  // Coordinate search in ever smaller factors.
  for (let factor = 2; factor > 1.01; factor = Math.sqrt(factor)) {
    for (let better = true; better; ) {
      better = false;
      for (let i = 0; i < 3; i++) {
        for (const by of [factor, 1 / factor]) {
          const next = best.map((value, j) => (i === j ? value * by : value));
          if (error(next) < error(best) - 1e-9) [best, better] = [next, true];
        }
      }
    }
  }
  return best;
}

async function sums() {
  const halves = [];
  for (let power = 2.5; 10 ** power <= Number(values.longest); power += 0.5) halves.push(Math.round(10 ** power));
  /** @type {(string | number)[][]} */
  const models = [["library", "ranks", "alpha", "beta", "gamma", "least and greatest predicted / measured"]];
  /** @type {(string | number)[][]} */
  const rows = [["entries", "library", "ranks", "measured", "predicted", "predicted / measured"]];
  for (const launcher of launchers) {
    for (const ranks of counts) {
      const lines = await measured(launcher, ranks, { part: "sums", entries: halves.join(","), seconds });
      const points = lines.map(({ entries, median_ms }) => ({ entries, ms: median_ms }));
      const model = fitted(points.filter((_, i) => i % 2 === 0));
      const ratios = [];
      for (const { entries, ms } of points.filter((_, i) => i % 2 === 1)) {
        const time = predicted(model, entries);
        ratios.push(time / ms);
        const power = `10^${Math.round(Math.log10(entries))}`;
        rows.push([power, launcher.name, ranks, shown(ms), shown(time), (time / ms).toFixed(2)]);
      }
      const [alpha, beta, gamma] = model;
      const range = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
      const perEntry = (/** @type {number} */ ms) => `${(1e6 * ms).toPrecision(2)} ns`;
      models.push([launcher.name, ranks, shown(alpha), perEntry(beta), perEntry(gamma), range]);
    }
  }
  return `${table(models)}\n${table(rows)}`;
}

/** The product of problem C on 20 batches, on one and two ranks of one thread and on one rank of two. */
async function products() {
  const cases = [
    { ranks: 1, threads: 1 },
    { ranks: 2, threads: 1 },
    { ranks: 1, threads: 2 },
  ];
  const found = cases.map(() => ({ median: Number.POSITIVE_INFINITY, least: Number.POSITIVE_INFINITY }));
  // In turns, since the speed of a machine changes within minutes; of each case the better round counts.
  for (let round = 0; round < 2; round++) {
    for (const [i, { ranks, threads }] of cases.entries()) {
      const [line] = await measured(launchers[0], ranks, { part: "products", threads, seconds: 15 * seconds });
      found[i].median = Math.min(found[i].median, line.shared.median_ms);
      found[i].least = Math.min(found[i].least, line.shared.least_ms);
    }
  }
  const [one] = found;
  return table([
    ["ranks", "threads of each", "H v, median", "least", "times as fast, of medians", "of least times"],
    ...cases.map(({ ranks, threads }, i) => {
      const { median, least } = found[i];
      const ratios = [one.median / median, one.least / least].map((ratio) => ratio.toFixed(2));
      return [ranks, threads, shown(median), shown(least), ...ratios];
    }),
  ]);
}

/** A communicator of one rank against none, in turns in one process. */
async function overhead() {
  const options = { part: "products", problem: "B", batches: 1, seconds: 30 * seconds };
  const [{ alone, self, shared }] = await measured(launchers[0], 1, options);
  const row = (/** @type {string} */ name, /** @type {Line} */ { median_ms, least_ms, repeats }) => {
    const more = [median_ms / alone.median_ms, least_ms / alone.least_ms].map((x) => `${(100 * (x - 1)).toFixed(2)} %`);
    return [name, shown(median_ms), shown(least_ms), ...more, repeats];
  };
  return table([
    ["communicator of problem B", "H v, median", "least", "more than without", "of least times", "repeats"],
    row("none", alone),
    row("selfCommunicator()", self),
    row("mpiCommunicator() of one rank", shared),
  ]);
}

/** Peak memory of a rank while 60 Krylov vectors of 10 million weights are split over all ranks. */
async function basis() {
  /** @type {(string | number)[][]} */
  const rows = [["method", "ranks", "peak of a rank", "of it before the basis", "seconds"]];
  for (const method of ["lanczos", "eigsh"]) {
    for (const ranks of counts) {
      const [line] = await measured(launchers[0], ranks, { part: "basis", method, weights: values.weights });
      rows.push([method, ranks, `${line.peak_MB} MB`, `${line.before_MB} MB`, line.seconds]);
    }
  }
  return table(rows);
}

/** @type {{ readonly [part: string]: () => Promise<string> }} */
const parts = { sums, products, overhead, basis };
for (const part of values.parts.split(",")) {
  if (parts[part] === undefined) throw new Error(`expected --parts of ${Object.keys(parts).join(", ")}; got ${part}`);
}
for (const part of values.parts.split(",")) {
  const text = await parts[part]();
  process.stdout.write(`${text}\n`);
  if (values.write && part !== "basis") writePart(part, text);
}
