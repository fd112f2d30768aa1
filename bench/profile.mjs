// @ts-check
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { InferenceSession } from "onnxruntime-node";
import { makeQuantities } from "./quantities.mjs";

/*
 * Where the time of a product goes: the profile of ONNX Runtime for the graphs that a quantity runs, by operator, and the
 * share of nodes that are no matrix products or convolutions. Sessions are caught where they are made.
 */

const { values } = parseArgs({
  options: {
    problem: { type: "string", default: "A,B,C,D,E" },
    threads: { type: "string", default: "1" },
    quantities: { type: "string", default: "gradient,hessian,ggn" },
    runs: { type: "string", default: "10" },
    nodes: { type: "string", default: "0" },
    models: { type: "string" },
    json: { type: "boolean", default: false },
  },
});

/** Operators that do matrix products or convolutions, with their fused and blocked forms. */
const PRODUCTS = /^(Fused|Nchwc)?(MatMul|Gemm|Conv|ConvTranspose)$|^(Fused|Transpose)MatMul$/;

/** @typedef {{ bytes: Uint8Array, events: () => Event[] }} Recorded */
/** @typedef {{ cat: string, name: string, ts: number, dur: number, args: Record<string, unknown> }} Event */

const folder = mkdtempSync(join(tmpdir(), "onnx-curvature-profile-"));
/** @type {Recorded[]} */
let recorded = [];
let opened = 0;
const create = InferenceSession.create.bind(InferenceSession);

/**
 * @param {Uint8Array} bytes
 * @param {import("onnxruntime-node").InferenceSession.SessionOptions} options
 */
async function createRecorded(bytes, options) {
  const prefix = join(folder, `session${opened++}-`);
  const session = await create(bytes, { ...options, enableProfiling: true, profileFilePrefix: prefix });
  recorded.push({
    bytes,
    events() {
      session.endProfiling();
      const file = readdirSync(folder).find((name) => join(folder, name).startsWith(prefix));
      const text = file === undefined ? "[]" : readFileSync(join(folder, file), "utf8");
      if (file !== undefined) rmSync(join(folder, file));
      return JSON.parse(text);
    },
  });
  return session;
}
// The library asks the same class for its sessions.
Object.assign(InferenceSession, { create: createRecorded });

/**
 * Profile of the graph that runs most, which is the one of the product where residuals are kept.
 *
 * @param {string} problem
 * @param {string} quantity
 */
async function profile(problem, quantity) {
  recorded = [];
  const { works, dispose } = await makeQuantities(problem, { threads: Number(values.threads) });
  recorded = [];
  const runs = Number(values.runs);
  await works[quantity]();
  await works[quantity]();
  let wall = Number.POSITIVE_INFINITY;
  for (let run = 0; run < runs; run++) {
    const start = performance.now();
    await works[quantity]();
    wall = Math.min(wall, performance.now() - start);
  }
  const logs = recorded.map(({ bytes, events }) => ({ bytes, log: events() }));
  await dispose();
  const counted = logs.map(({ bytes, log }) => ({ bytes, log, runs: modelRuns(log).length }));
  const most = counted.reduce((a, b) => (b.runs > a.runs ? b : a));
  if (values.models !== undefined) writeFileSync(join(values.models, `${problem}_${quantity}.onnx`), most.bytes);
  return { problem, quantity, wall, ...summarize(most.log) };
}

/** @param {readonly Event[]} log */
function modelRuns(log) {
  return log.filter(({ cat, name }) => cat === "Session" && name === "model_run");
}

/**
 * The fastest run, since other processes may have disturbed the rest.
 *
 * @param {readonly Event[]} log
 */
function summarize(log) {
  const fastest = modelRuns(log).reduce((a, b) => (b.dur < a.dur ? b : a));
  const during = (/** @type {Event} */ { ts }) => ts >= fastest.ts && ts <= fastest.ts + fastest.dur;
  const kernels = log.filter((event) => event.cat === "Node" && event.name.endsWith("_kernel_time") && during(event));
  /** @type {Map<string, { ms: number, count: number }>} */
  const operators = new Map();
  for (const { dur, args } of kernels) {
    const { ms, count } = operators.get(String(args.op_name)) ?? { ms: 0, count: 0 };
    operators.set(String(args.op_name), { ms: ms + dur / 1000, count: count + 1 });
  }
  const byTime = [...operators].sort(([, a], [, b]) => b.ms - a.ms);
  const total = byTime.reduce((sum, [, { ms }]) => sum + ms, 0);
  const others = byTime.reduce((sum, [op, { ms }]) => sum + (PRODUCTS.test(op) ? 0 : ms), 0);
  const slowest = kernels.sort((a, b) => b.dur - a.dur).slice(0, Number(values.nodes));
  return {
    run: fastest.dur / 1000,
    kernels: total,
    other_share: others / total,
    operators: byTime.map(([op, { ms, count }]) => ({ op, ms, count })),
    nodes: slowest.map(({ name, dur, args }) => ({
      name: name.replace("_kernel_time", ""),
      ms: dur / 1000,
      shapes: `${shapesOf(args.input_type_shape)} -> ${shapesOf(args.output_type_shape)}`,
    })),
  };
}

/** @param {unknown} shapes */
function shapesOf(shapes) {
  return JSON.stringify(shapes).replaceAll(/["{}]|float:/g, "");
}

/** @param {Awaited<ReturnType<typeof profile>>} result */
function print({ problem, quantity, wall, run, kernels, other_share, operators, nodes }) {
  const ms = (/** @type {number} */ value) => value.toFixed(3);
  console.log(
    `${problem} ${quantity}: ${ms(wall)} ms a call, ${ms(run)} ms in the engine, ${ms(kernels)} ms in kernels; ` +
      `neither matrix products nor convolutions: ${(100 * other_share).toFixed(1)} %`,
  );
  for (const { op, ms: time, count } of operators) {
    if (time < 0.005 * kernels) continue;
    console.log(`  ${ms(time).padStart(10)} ms ${((100 * time) / kernels).toFixed(1).padStart(5)} %  ${op} x${count}`);
  }
  for (const { name, ms: time, shapes } of nodes) console.log(`    ${ms(time).padStart(9)} ms  ${name}  ${shapes}`);
}

try {
  for (const problem of values.problem.split(",")) {
    for (const quantity of values.quantities.split(",")) {
      const result = await profile(problem, quantity);
      if (values.json) console.log(JSON.stringify(result));
      else print(result);
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
