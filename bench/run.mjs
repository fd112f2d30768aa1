// @ts-check
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { problems } from "./problems.mjs";
import { cost, makeQuantities, quantityNames } from "./quantities.mjs";
import { summary, timer } from "./timing.mjs";
import { linesOf } from "./worker.mjs";

/*
 * Times this library, one JSON line a quantity, and what a fresh process costs. With --serve it is told on standard input what to time next, a line
 * {"quantity", "seconds"} each, and answers with a line each: the driver of the comparison alternates processes so.
 */

const { values } = parseArgs({
  options: {
    problem: { type: "string", default: "A,B,C,D,E,B20" },
    threads: { type: "string", default: "1,2" },
    quantities: { type: "string", default: "" },
    seconds: { type: "string", default: "3" },
    rounds: { type: "string", default: "5" },
    serve: { type: "boolean", default: false },
  },
});

/** Columns, eigenvalues and densities of the large networks take minutes: they are timed where they are asked for by name. */
const COSTLY = new Set(["eigsh_10", "density_128"]);
const SMALL = new Set(["A", "B"]);
const SEVERAL_BATCHES = ["gradient", "hessian", "ggn"];

/**
 * @param {string} problem
 * @returns {readonly string[]}
 */
function chosenQuantities(problem) {
  if (values.quantities !== "") return values.quantities.split(",");
  if (problems[problem]?.batches > 1) return SEVERAL_BATCHES;
  return quantityNames.filter((name) => SMALL.has(problem) || !COSTLY.has(name));
}

/**
 * @param {string} problem
 * @param {number} threads
 */
async function prepare(problem, threads) {
  const { works, ...facts } = await makeQuantities(problem, { threads });
  /** @type {Map<string, ReturnType<typeof timed>>} */
  const timers = new Map();
  return {
    ...facts,
    /** @param {string} quantity */
    timer(quantity) {
      const known = timers.get(quantity);
      if (known !== undefined) return known;
      if (works[quantity] === undefined) throw new Error(`unknown quantity ${quantity}`);
      const made = timed(works[quantity]);
      timers.set(quantity, made);
      return made;
    },
  };
}

/** @param {() => Promise<unknown>} work */
function timed(work) {
  /** @type {ReturnType<typeof cost>} */
  let last = {};
  const clock = timer(async () => {
    last = cost(await work());
  });
  return { ...clock, cost: () => last };
}

async function serve() {
  const prepared = await prepare(values.problem, Number(values.threads));
  console.log(JSON.stringify({ ready: true, size: prepared.size, rows: prepared.rows }));
  for await (const line of createInterface({ input: process.stdin })) {
    const { quantity, seconds } = JSON.parse(line);
    try {
      const { times, measure, cost: used } = prepared.timer(quantity);
      const before = { all: times.all.length, undisturbed: times.undisturbed.length };
      await measure(seconds);
      const all = times.all.slice(before.all);
      const undisturbed = times.undisturbed.slice(before.undisturbed);
      const processor = times.processor.slice(before.all);
      console.log(JSON.stringify({ quantity, all, undisturbed, processor, first: times.first, ...used() }));
    } catch (error) {
      console.log(JSON.stringify({ quantity, error: String(error) }));
    }
  }
  await prepared.dispose();
}

/**
 * @param {string} problem
 * @param {number} threads
 */
async function report(problem, threads) {
  const prepared = await prepare(problem, threads);
  const quantities = chosenQuantities(problem);
  const rounds = Number(values.rounds);
  for (let round = 0; round < rounds; round++) {
    for (const quantity of quantities) await prepared.timer(quantity).measure(Number(values.seconds) / rounds);
  }
  const gradient = quantities.includes("gradient") ? summary(prepared.timer("gradient").times).min : undefined;
  for (const quantity of quantities) {
    const { times, cost: used } = prepared.timer(quantity);
    const { min, median } = summary(times);
    const line = {
      library: "onnx-curvature",
      problem,
      threads,
      quantity,
      min_ms: rounded(min),
      median_ms: rounded(median),
      ...(gradient !== undefined && { gradients: rounded(min / gradient) }),
      first_ms: rounded(times.first),
      repeats: times.all.length,
      undisturbed: times.undisturbed.length,
      ...used(),
    };
    console.log(JSON.stringify(line));
  }
  await prepared.dispose();
  if (values.quantities === "") await reportFresh(problem, threads);
}

/**
 * Cold start and peak memory, in processes of their own.
 *
 * @param {string} problem
 * @param {number} threads
 */
async function reportFresh(problem, threads) {
  const script = fileURLToPath(new URL("fresh.mjs", import.meta.url));
  for (const quantity of ["gradient", "hessian", "ggn"]) {
    const options = ["--problem", problem, "--threads", `${threads}`, "--quantity", quantity];
    for (const line of await linesOf([process.execPath, script, ...options])) console.log(JSON.stringify(line));
  }
}

/** @param {number} value */
function rounded(value) {
  return Number(value.toPrecision(4));
}

if (values.serve) await serve();
else {
  for (const problem of values.problem.split(",")) {
    for (const threads of values.threads.split(",")) await report(problem, Number(threads));
  }
}
