// @ts-check
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { tables } from "./tables.mjs";
import { CURVLINOPS, memoryProblems, OURS } from "./targets.mjs";
import { summary } from "./timing.mjs";
import { linesOf, startWorker } from "./worker.mjs";

/*
 * Times this library and its peers side by side. Every library has a process of its own; in each round every quantity is
 * timed in one process after the other, so that all see the same machine.
 */

const { values } = parseArgs({
  options: {
    problem: { type: "string", default: "A,B,C,D,E,B20" },
    threads: { type: "string", default: "1,2" },
    quantities: { type: "string", default: "" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "0.5" },
    python: { type: "string", default: process.env.ONNX_CURVATURE_BENCH_PYTHON ?? "python3" },
    javascript: { type: "boolean", default: false },
    memory: { type: "boolean", default: false },
    results: { type: "string" },
    tables: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
  },
});

/** @typedef {import("./tables.mjs").Row} Row */

const PRODUCTS = ["gradient", "hessian", "hessian_plain", "ggn", "empirical_fisher", "fisher_1"];
const COLUMNS = ["hessian_8", "ggn_8", "hessian_32", "ggn_32"];
const ALGORITHMS = ["trace_100", "cg_50"];
/** What is compared by default; what is left out takes minutes a call. */
const QUANTITIES = /** @type {Record<string, readonly string[]>} */ ({
  A: [...PRODUCTS, "ggn_compiled", ...COLUMNS, ...ALGORITHMS, "eigsh_10", "density_128"],
  B: [...PRODUCTS, "ggn_compiled", ...COLUMNS, ...ALGORITHMS, "eigsh_10", "density_128"],
  C: [...PRODUCTS, "ggn_compiled", ...COLUMNS, ...ALGORITHMS],
  D: [...PRODUCTS, "hessian_8", "ggn_8"],
  E: [...PRODUCTS, "hessian_8", "ggn_8"],
  B20: ["gradient", "hessian", "ggn"],
});
/** What only one side has. */
const ONLY = /** @type {Record<string, string>} */ ({ hessian_plain: CURVLINOPS, ggn_compiled: CURVLINOPS });
/** The other libraries do one product of multilayer perceptrons. */
const JAVASCRIPT = new Set(["gradient", "hessian"]);
const PERCEPTRONS = new Set(["A", "B", "C"]);

const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));

/**
 * @param {string} problem
 * @param {string} threads
 */
function commands(problem, threads) {
  const served = ["--problem", problem, "--threads", threads, "--serve"];
  const perceptron = values.javascript && PERCEPTRONS.has(problem) && threads === "1";
  return [
    { library: OURS, command: [process.execPath, here("run.mjs"), ...served] },
    { library: CURVLINOPS, command: [values.python, here("peers/time_curvlinops.py"), ...served] },
    ...(perceptron ? ["jaxJs", "tfjs"] : []).map((library) => ({
      library,
      command: [process.execPath, here(`peers/${library}.mjs`), ...served],
    })),
  ];
}

/**
 * @param {string} problem
 * @param {string} threads
 * @returns {Promise<Row[]>}
 */
async function compare(problem, threads) {
  const workers = [];
  for (const { library, command } of commands(problem, threads)) workers.push(await startWorker(library, command));
  const quantities = values.quantities === "" ? (QUANTITIES[problem] ?? []) : values.quantities.split(",");
  /** @type {Map<string, import("./worker.mjs").Portion[]>} */
  const portions = new Map();
  for (let round = 0; round < Number(values.rounds); round++) {
    const order = round % 2 === 0 ? workers : [...workers].reverse();
    for (const quantity of quantities) {
      for (const worker of order) {
        if (!measures(worker.library, quantity)) continue;
        const key = `${worker.library} ${quantity}`;
        const known = portions.get(key) ?? [];
        if (known.some(({ error }) => error !== undefined)) continue;
        portions.set(key, [...known, await worker.measure(quantity, Number(values.seconds))]);
      }
    }
    process.stderr.write(`${problem}, ${threads} threads: round ${round + 1} of ${values.rounds}\n`);
  }
  for (const worker of workers) await worker.stop();
  return [...portions].map(([key, parts]) => rowOf({ key, parts, problem, threads: Number(threads) }));
}

/**
 * @param {string} library
 * @param {string} quantity
 */
function measures(library, quantity) {
  if (library !== OURS && library !== CURVLINOPS) return JAVASCRIPT.has(quantity);
  return ONLY[quantity] === undefined || ONLY[quantity] === library;
}

/**
 * @param {{ key: string, parts: readonly import("./worker.mjs").Portion[], problem: string, threads: number }} measured
 * @returns {Row}
 */
function rowOf({ key, parts, problem, threads }) {
  const [library, quantity] = key.split(" ");
  const failed = parts.find(({ error }) => error !== undefined);
  const named = { problem, threads, library, quantity };
  if (failed !== undefined) return /** @type {Row} */ ({ ...named, error: failed.error });
  const all = parts.flatMap((part) => part.all);
  const undisturbed = parts.flatMap((part) => part.undisturbed);
  const { min, median } = summary({ all, undisturbed });
  const { first, matvecs } = parts[parts.length - 1];
  const counts = { repeats: all.length, undisturbed: undisturbed.length };
  return { ...named, min_ms: min, median_ms: median, ...counts, ...{ first_ms: first }, ...(matvecs && { matvecs }) };
}

/** @returns {Promise<Row[]>} peak memory of fresh processes */
async function memories() {
  const rows = [];
  for (const problem of values.problem.split(",").filter((name) => memoryProblems.includes(name))) {
    const options = ["--problem", problem, "--threads", "1"];
    rows.push(...(await linesOf([process.execPath, here("fresh.mjs"), ...options, "--quantity", "hessian"])));
    rows.push(...(await linesOf([values.python, here("peers/time_curvlinops.py"), ...options, "--memory", "hessian"])));
  }
  return rows;
}

/** @returns {Row[]} what earlier runs left in the file of results */
function earlier() {
  if (values.results === undefined || !existsSync(values.results)) return [];
  const lines = readFileSync(values.results, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line));
}

/**
 * Rows of a run in place of those that an earlier run has for the same times.
 *
 * @param {readonly Row[]} old
 * @param {readonly Row[]} fresh
 */
function merged(old, fresh) {
  const key = (/** @type {Row} */ row) => `${row.problem} ${row.threads} ${row.library} ${row.quantity}`;
  const replaced = new Set(fresh.map(key));
  return [...old.filter((row) => !replaced.has(key(row))), ...fresh];
}

let rows = earlier();
const keep = (/** @type {readonly Row[]} */ fresh) => {
  for (const row of fresh) console.log(JSON.stringify(row));
  rows = merged(rows, fresh);
  if (values.results !== undefined)
    writeFileSync(values.results, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
};
if (!values.tables) {
  for (const problem of values.problem.split(",")) {
    for (const threads of values.threads.split(",")) keep(await compare(problem, threads));
  }
  if (values.memory) keep(await memories());
}
const text = tables(rows);
console.log(text);
if (values.write) {
  const readme = here("README.md");
  const marked = /(<!-- tables -->\n)[\s\S]*(<!-- end of tables -->)/;
  writeFileSync(
    readme,
    readFileSync(readme, "utf8").replace(marked, (_, start, end) => `${start}\n${text}\n\n${end}`),
  );
}
